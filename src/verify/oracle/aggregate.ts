import type { AggregateFunction, AggregateNode } from '../../plan/nodes.ts'
import type { ColumnType } from '../../plan/schema.ts'
import { quoted, textOrder } from './text.ts'

const NAN = "'NaN'::DOUBLE"

interface Argument {
  /** The cells; null ones are skipped. */
  readonly sql: string
  readonly type: ColumnType
  readonly fraction: number
  /** Event time, then order in the log. */
  readonly order: string
}

/** Kahan's sum; it makes NaN of an infinity, so those go through the plain sum. */
const sum = (x: string) => `CASE WHEN bool_and(isfinite(${x})) THEN fsum(${x}) ELSE sum(${x}) END`

/** Where a value is not finite the moments are NaN in JavaScript; DuckDB raises an error. */
const moment = (name: string, x: string) =>
  `CASE WHEN count(${x}) < 2 THEN NULL WHEN bool_and(isfinite(${x})) THEN ${name}(${x}) FILTER (WHERE isfinite(${x})) ELSE ${NAN} END`

/** `min` and `max`: NaN wins, as in Math.min and Math.max; texts go by UTF-16 units. */
const extreme = (name: 'min' | 'max', { sql, type }: Argument) => {
  if (type === 'number') return `CASE WHEN bool_or(isnan(${sql})) THEN ${NAN} ELSE ${name}(${sql}) END`
  return type === 'text' ? `arg_${name}(${sql}, ${textOrder(sql)})` : `${name}(${sql})`
}

const AGGREGATES: Record<AggregateFunction, (argument: Argument) => string> = {
  count: ({ sql }) => `count(${sql})::DOUBLE`,
  sum: ({ sql }) => sum(sql),
  average: ({ sql }) => `(${sum(sql)}) / count(${sql})`,
  min: argument => extreme('min', argument),
  max: argument => extreme('max', argument),
  first: ({ sql, order }) => `arg_min(${sql}, ${order}) FILTER (WHERE ${sql} IS NOT NULL)`,
  last: ({ sql, order }) => `arg_max(${sql}, ${order}) FILTER (WHERE ${sql} IS NOT NULL)`,
  variance: ({ sql }) => moment('var_samp', sql),
  deviation: ({ sql }) => moment('stddev_samp', sql),
  distinct: ({ sql }) => `count(DISTINCT ${sql})::DOUBLE`,
  quantile: ({ sql, fraction }) => `quantile_cont(${sql}, ${fraction}::DOUBLE)`,
}

/** Functions whose answer does not depend on the order of a computer's additions. */
const EXACT: ReadonlySet<AggregateFunction> = new Set(['count', 'min', 'max', 'first', 'last', 'distinct'])

export const isExact = (aggregate: AggregateNode) => EXACT.has(aggregate.function)

export function aggregateSql(aggregate: AggregateNode, type: ColumnType, order: string): string {
  const sql = aggregate.column === null ? '*' : quoted(aggregate.column)
  return AGGREGATES[aggregate.function]({ sql, type, fraction: aggregate.fraction ?? 0, order })
}
