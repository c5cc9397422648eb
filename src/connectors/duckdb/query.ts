/** One read-only question to a warehouse file, for people and scripts. */
import type { DuckDBValue } from '@duckdb/node-api'
import { MillraceError } from '../../system/errors.ts'
import { statusOf, unreadable } from '../../system/files.ts'
import { type DuckDB, duckdbMessage, loadDuckDB } from '../support/duckdb.ts'
import { openFailure } from './warehouse.ts'

export interface QueryResult {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** Cells that JSON can hold: see `jsonCell`. */
  readonly rows: readonly Readonly<Record<string, unknown>>[]
}

/**
 * Runs SQL on the file with a connection of its own that cannot write; at most `limit` rows come back.
 *
 * Throws QUERY_FAILED with the warehouse's own message, DATA_DIR_BUSY when a run has the file, FILE_UNREADABLE when there
 * is none.
 */
export async function query(file: string, sql: string, limit: number): Promise<QueryResult> {
  if (statusOf(file) === null) throw unreadable(file, { code: 'ENOENT' })
  const duckdb = await loadDuckDB()
  const instance = await duckdb.DuckDBInstance.create(file, {
    access_mode: 'READ_ONLY',
    memory_limit: '512MB',
    threads: '2',
  }).catch(error => {
    throw openFailure(file, error)
  })
  try {
    const connection = await instance.connect()
    try {
      await connection.run("SET TimeZone = 'UTC'")
      const result = await connection.stream(sql)
      const names = result.deduplicatedColumnNames()
      const types = result.columnTypes()
      const rows: Record<string, unknown>[] = []
      while (rows.length < limit) {
        const chunk = await result.fetchChunk()
        if (chunk === null || chunk.rowCount === 0) break
        const columns = names.map((_, index) => chunk.getColumnValues(index))
        for (let row = 0; row < chunk.rowCount && rows.length < limit; row++) {
          const object: Record<string, unknown> = {}
          names.forEach((name, index) => {
            object[name] = jsonCell(duckdb, columns[index]![row]!)
          })
          rows.push(object)
        }
      }
      return { columns: names.map((name, index) => ({ name, type: String(types[index]) })), rows }
    } catch (error) {
      throw new MillraceError('QUERY_FAILED', duckdbMessage(error), { cause: error })
    } finally {
      connection.closeSync()
    }
  } finally {
    instance.closeSync()
  }
}

/**
 * A value that JSON can hold without loss: whole numbers beyond 2^53 and decimals that a double cannot hold as text,
 * timestamps in ISO 8601 (UTC), NaN and the infinities as text, bytes in base64, lists and structs as such.
 */
function jsonCell(duckdb: DuckDB, value: DuckDBValue): unknown {
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
