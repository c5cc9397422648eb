/** When two cells of a column are the same. */
import type { OracleColumn } from './oracle/built.ts'
import { literal, quoted } from './oracle/text.ts'

/** Largest relative difference of a column whose last digits depend on the order of additions. */
const TOLERANCE = 1e-9
/** Differences below this count as none, so that a variance of nothing may be 1e-20. */
const FLOOR = 1e-12
/** Whole numbers of up to this size are sums of whole numbers, which have no last digits. */
const WHOLE_MAX = 2 ** 42

/** A column as it is compared. */
export interface ComparedColumn extends OracleColumn {
  /** null may stand for NaN and for the infinities. */
  readonly finiteOnly: boolean
}

/** Cells that nothing but equality can tell apart. */
export const isExactCell = (column: OracleColumn) => column.type !== 'number' || column.exact

/** SQL of a cell in the form in which equal cells are the same value: there is one zero and one NaN. */
export function settledCell(column: ComparedColumn, alias?: string): string {
  const name = alias === undefined ? quoted(column.name) : `${alias}.${quoted(column.name)}`
  if (column.type !== 'number') return name
  if (column.decimal !== undefined && column.exact) {
    return `TRY_CAST(${name} AS DECIMAL(${column.decimal.precision}, ${column.decimal.scale}))`
  }
  if (column.finiteOnly) return `CASE WHEN isfinite(${name}) THEN ${name} + 0::DOUBLE END`
  return `CASE WHEN isnan(${name}) THEN 'NaN'::DOUBLE ELSE ${name} + 0::DOUBLE END`
}

/** SQL that is true where the cells of a column differ in the rows `o` and `d`; never null. */
function differs(column: ComparedColumn): string {
  const [o, d] = [settledCell(column, 'o'), settledCell(column, 'd')]
  return isExactCell(column) ? `${o} IS DISTINCT FROM ${d}` : numbersDiffer(o, d)
}

/** The same of two DOUBLE of a column that is compared with a tolerance. */
function numbersDiffer(o: string, d: string): string {
  const near = `abs(${o} - ${d}) <= ${TOLERANCE}::DOUBLE * greatest(abs(${o}), abs(${d})) + ${FLOOR}::DOUBLE`
  const whole = `trunc(${o}) = ${o} AND trunc(${d}) = ${d} AND abs(${o}) < ${WHOLE_MAX}::DOUBLE`
  return `${o} IS DISTINCT FROM ${d} AND NOT coalesce(isfinite(${o}) AND isfinite(${d}) AND ${near} AND NOT (${whole}), false)`
}

/** The same in JavaScript. */
export function numbersAgree(o: number | null, d: number | null): boolean {
  if (o === null || d === null) return o === d
  if (o === d || (Number.isNaN(o) && Number.isNaN(d))) return true
  if (!Number.isFinite(o) || !Number.isFinite(d)) return false
  if (Number.isInteger(o) && Number.isInteger(d) && Math.abs(o) < WHOLE_MAX) return false
  return Math.abs(o - d) <= reach(Math.max(Math.abs(o), Math.abs(d)))
}

/** How far from a number of this size another one may be that agrees with it, at most. */
export const reach = (size: number) => TOLERANCE * size + FLOOR

/** SQL of the names of the columns in which the rows `o` and `d` differ. */
export function wrongColumns(columns: readonly ComparedColumn[]): string {
  const names = columns.map(column => `CASE WHEN ${differs(column)} THEN ${literal(column.name)} END`)
  return `list_filter([${names.join(', ')}]::VARCHAR[], lambda "#name": "#name" IS NOT NULL)`
}
