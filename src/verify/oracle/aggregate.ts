import type { AggregateFunction, AggregateNode } from '../../plan/nodes.ts'
import type { Column, ColumnType } from '../../plan/schema.ts'
import { quoted, textOrder } from './text.ts'

const NAN = "'NaN'::DOUBLE"

interface Argument {
  /** The cells; null ones are skipped. */
  readonly sql: string
  readonly type: ColumnType
  readonly fraction: number
  /** Event time, then order in the log. */
  readonly order: string
  readonly result: Column
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
  sum: ({ sql, type, result }) => (isWhole(type) ? `TRY_CAST(sum(${sql}) AS ${sqlType(result)})` : sum(sql)),
  average: ({ sql, type }) => (isWhole(type) ? `sum(${sql})::DOUBLE / count(${sql})` : `(${sum(sql)}) / count(${sql})`),
  min: argument => extreme('min', argument),
  max: argument => extreme('max', argument),
  first: ({ sql, order }) => `arg_min(${sql}, ${order}) FILTER (WHERE ${sql} IS NOT NULL)`,
  last: ({ sql, order }) => `arg_max(${sql}, ${order}) FILTER (WHERE ${sql} IS NOT NULL)`,
  variance: argument => moment('var_samp', asDouble(argument)),
  deviation: argument => moment('stddev_samp', asDouble(argument)),
  distinct: ({ sql }) => `count(DISTINCT ${sql})::DOUBLE`,
  quantile: argument => `quantile_cont(${asDouble(argument)}, ${argument.fraction}::DOUBLE)`,
}

/** Functions whose answer does not depend on the order of a computer's additions. */
const EXACT: ReadonlySet<AggregateFunction> = new Set(['count', 'min', 'max', 'first', 'last', 'distinct'])

/** `of`: the type of the column that it is over; null: over rows. */
export const isExact = (aggregate: AggregateNode, of: ColumnType | null) =>
  EXACT.has(aggregate.function) || (aggregate.function === 'sum' && of !== null && isWhole(of))

/** A test that holds where a sum of integers or decimals fits into its column; null for any other result. */
export function sumFits({ function: name, column }: AggregateNode, type: ColumnType, result: Column): string | null {
  if (name !== 'sum' || !isWhole(type)) return null
  const total = `sum(${quoted(column!)})`
  return `(${total} IS NULL OR TRY_CAST(${total} AS ${sqlType(result)}) IS NOT NULL)`
}

const isWhole = (type: ColumnType) => type === 'int64' || type === 'decimal'

export const sqlDecimal = ({ decimal }: Column) => `DECIMAL(${decimal!.precision}, ${decimal!.scale})`

const sqlType = (column: Column) => (column.type === 'decimal' ? sqlDecimal(column) : 'BIGINT')

const asDouble = ({ sql, type }: Argument) => (isWhole(type) ? `${sql}::DOUBLE` : sql)

export function aggregateSql(aggregate: AggregateNode, type: ColumnType, order: string, result: Column): string {
  const sql = aggregate.column === null ? '*' : quoted(aggregate.column)
  return AGGREGATES[aggregate.function]({ sql, type, fraction: aggregate.fraction ?? 0, order, result })
}
