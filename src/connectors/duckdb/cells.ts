/** Cells of the warehouse as JSON can hold them. */
import type { DuckDBValue } from '@duckdb/node-api'
import type { DuckDB } from '../../formats/duckdb.ts'

/**
 * A value that JSON can hold without loss: whole numbers beyond 2^53 and decimals that a double cannot hold as text,
 * timestamps in ISO 8601 (UTC), NaN and the infinities as text, bytes in base64, lists and structs as such.
 */
export function jsonCell(duckdb: DuckDB, value: DuckDBValue): unknown {
  if (value === null || value === undefined) return null
  switch (typeof value) {
    case 'bigint':
      return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
        ? Number(value)
        : String(value)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'string':
    case 'boolean':
      return value
    default:
  }
  if (value instanceof duckdb.DuckDBTimestampValue || value instanceof duckdb.DuckDBTimestampTZValue) {
    return isoTime(value.micros)
  }
  if (value instanceof duckdb.DuckDBTimestampMillisecondsValue) return isoTime(value.millis * 1000n)
  if (value instanceof duckdb.DuckDBTimestampSecondsValue) return isoTime(value.seconds * 1_000_000n)
  if (value instanceof duckdb.DuckDBDecimalValue) {
    const text = value.toString()
    const number = Number(text)
    return value.scale <= 100 && Math.abs(number) < 1e21 && number.toFixed(value.scale) === text && digits(text) <= 15
      ? number
      : text
  }
  if (value instanceof duckdb.DuckDBListValue || value instanceof duckdb.DuckDBArrayValue) {
    return value.items.map(item => jsonCell(duckdb, item))
  }
  if (value instanceof duckdb.DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, item]) => [name, jsonCell(duckdb, item)]))
  }
  if (value instanceof duckdb.DuckDBMapValue) {
    return value.entries.map(({ key, value: item }) => ({ key: jsonCell(duckdb, key), value: jsonCell(duckdb, item) }))
  }
  if (value instanceof duckdb.DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64')
  return String(value)
}

function digits(text: string): number {
  return text.replace(/^-?0*\.?0*|\D/g, '').length
}

function isoTime(micros: bigint): string {
  const millis = micros / 1000n - (micros % 1000n < 0n ? 1n : 0n)
  const rest = Number(micros - millis * 1000n)
  const date = new Date(Number(millis))
  if (Number.isNaN(date.getTime())) return String(micros)
  const text = date.toISOString()
  return rest === 0 ? text : text.replace('Z', `${String(rest).padStart(3, '0')}Z`)
}
