/** Reads rows back that `rowWriter` wrote as NDJSON, for edges where a row at a time is fast enough. */
import { parseExact } from '../plan/json-text.ts'
import type { Column } from '../plan/schema.ts'
import { microsecondsOfIso } from '../plan/timestamp.ts'
import { type Batch, columnOf } from './batch.ts'

/**
 * A batch of the lines in `bytes`, with these columns. NaN and the infinities stand there as texts with their names; older
 * rows have null in their place.
 */
export function rowsFromLines(columns: readonly Column[], bytes: Uint8Array): Batch {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  const rows = text
    .split('\n')
    .filter(line => line !== '')
    .map(line => parseExact(line) as Record<string, unknown>)
  const data = columns.map(column => {
    const path = column.name.split('.')
    return columnOf(
      column,
      rows.map(row => cellOf(column, Object.hasOwn(row, column.name) ? row[column.name] : at(row, path))),
    )
  })
  return { length: rows.length, columns, data, origin: null }
}

function at(row: Record<string, unknown>, path: readonly string[]): unknown {
  let value: unknown = row
  for (const name of path) value = (value as Record<string, unknown> | null | undefined)?.[name]
  return value
}

function cellOf(column: Column, value: unknown): unknown {
  if (value === undefined || value === null) return null
  return column.type === 'timestamp' && typeof value === 'string' ? microsecondsOfIso(value) : value
}
