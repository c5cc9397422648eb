/**
 * Batches into DuckDB's own vectors: whole columns are copied, no value is boxed.
 *
 * The binding below the public API is used for this: it copies typed arrays into a vector in one call.
 */
import type { DuckDBAppender, DuckDBDataChunk, DuckDBType } from '@duckdb/node-api'
import type { Batch, ColumnData } from '../../engine/batch.ts'
import type { DuckDB } from '../../formats/duckdb.ts'
import type { Column } from '../../plan/schema.ts'
import { MillraceError } from '../../system/errors.ts'
import { type Bindings, maskWords, VECTOR_ROWS, type Vector, type VectorWriter, writeMask } from './mask.ts'
import { textWriter } from './text-vector.ts'

export interface BatchAppender {
  append(batch: Batch): void
}

/** DuckDB's name for the type of a column. */
export function duckdbType(column: Column): string {
  if (column.decimal && column.type === 'number') return `DECIMAL(${column.decimal.precision},${column.decimal.scale})`
  const types: Readonly<Record<Column['type'], string>> = {
    number: 'DOUBLE',
    text: 'VARCHAR',
    boolean: 'BOOLEAN',
    timestamp: 'TIMESTAMP',
    json: 'JSON',
  }
  return types[column.type]
}

/**
 * Appends batches of `columns` through `appender`, whose table has `layout.length` columns: for each the index of the
 * batch's column, 'sequence' for a running number, or null for a column that stays null.
 */
export async function batchAppender(
  duckdb: DuckDB,
  appender: DuckDBAppender,
  columns: readonly Column[],
  layout: readonly (number | 'sequence' | null)[],
): Promise<BatchAppender> {
  const { default: bindings } = (await import('@duckdb/node-bindings')) as unknown as { default: Bindings }
  const types: DuckDBType[] = layout.map((source, index) =>
    source === 'sequence'
      ? duckdb.BIGINT
      : source === null
        ? appender.columnType(index)
        : vectorType(duckdb, columns[source]!),
  )
  const chunk: DuckDBDataChunk = duckdb.DuckDBDataChunk.create(types)
  const writers = layout.map(source => {
    if (source === null) return writeNulls(bindings)
    if (source === 'sequence') return writeSequence(bindings)
    return columnWriter(bindings, columns[source]!)
  })
  return {
    append(batch) {
      for (let from = 0; from < batch.length; from += VECTOR_ROWS) {
        const rows = Math.min(VECTOR_ROWS, batch.length - from)
        chunk.reset()
        chunk.rowCount = rows
        for (let index = 0; index < layout.length; index++) {
          const source = layout[index]!
          const data = typeof source === 'number' ? (batch.data[source] ?? null) : null
          const vector = bindings.data_chunk_get_vector(chunk.chunk, index)
          if (typeof source === 'number' && data === null) writeNulls(bindings)(vector, null, from, rows)
          else writers[index]!(vector, data, from, rows)
        }
        appender.appendDataChunk(chunk)
      }
    },
  }
}

function vectorType(duckdb: DuckDB, column: Column): DuckDBType {
  if (column.decimal && column.type === 'number') return duckdb.DECIMAL(column.decimal.precision, column.decimal.scale)
  switch (column.type) {
    case 'number':
      return duckdb.DOUBLE
    case 'text':
    case 'json':
      return duckdb.VARCHAR
    case 'boolean':
      return duckdb.BOOLEAN
    case 'timestamp':
      return duckdb.TIMESTAMP
  }
}

function columnWriter(bindings: Bindings, column: Column): VectorWriter {
  if (column.type === 'text' || column.type === 'json') return textWriter(bindings)
  if (column.type === 'boolean') {
    return (vector, data, from, rows) => {
      if (data?.type !== 'boolean') throw mismatch(column, data)
      const { values } = data
      bindings.copy_data_to_vector(vector, 0, values.buffer as ArrayBuffer, values.byteOffset + from, rows)
      writeValidity(bindings, vector, data.validity, from, rows)
    }
  }
  if (column.type === 'timestamp') return timestampWriter(bindings, column)
  if (column.decimal) return decimalWriter(bindings, column, column.decimal.precision, column.decimal.scale)
  return (vector, data, from, rows) => {
    if (data?.type !== 'number' && data?.type !== 'timestamp') throw mismatch(column, data)
    const { values } = data
    bindings.copy_data_to_vector(vector, 0, values.buffer as ArrayBuffer, values.byteOffset + from * 8, rows * 8)
    writeValidity(bindings, vector, data.validity, from, rows)
  }
}

function mismatch(column: Column, data: ColumnData | null): MillraceError {
  return new MillraceError('INTERNAL', `Column ${column.name} is ${column.type}, but its cells are ${data?.type}.`)
}

function writeValidity(
  bindings: Bindings,
  vector: Vector,
  validity: Uint8Array | null,
  from: number,
  rows: number,
): void {
  if (validity === null) return
  let nulls = false
  maskWords.fill(0xffffffff)
  for (let row = 0; row < rows; row++) {
    if (validity[from + row] === 0) {
      nulls = true
      maskWords[row >>> 5]! &= ~(1 << (row & 31))
    }
  }
  if (nulls) writeMask(bindings, vector)
}

function writeNulls(bindings: Bindings): VectorWriter {
  return vector => {
    maskWords.fill(0)
    writeMask(bindings, vector)
  }
}

function writeSequence(bindings: Bindings): VectorWriter {
  const numbers = new BigInt64Array(VECTOR_ROWS)
  let next = 0n
  return (vector, _data, _from, rows) => {
    for (let row = 0; row < rows; row++) numbers[row] = next++
    bindings.copy_data_to_vector(vector, 0, numbers.buffer, 0, rows * 8)
  }
}

/** A double that holds a whole number as the two halves of a 64-bit integer. */
function writeWhole(target: Int32Array, row: number, value: number): void {
  const high = Math.floor(value / 4294967296)
  target[row * 2] = value - high * 4294967296
  target[row * 2 + 1] = high
}

function timestampWriter(bindings: Bindings, column: Column): VectorWriter {
  const words = new Int32Array(VECTOR_ROWS * 2)
  return (vector, data, from, rows) => {
    if (data?.type !== 'timestamp' && data?.type !== 'number') throw mismatch(column, data)
    const { values, validity } = data
    let nulls = false
    maskWords.fill(0xffffffff)
    for (let row = 0; row < rows; row++) {
      const value = values[from + row]!
      if ((validity !== null && validity[from + row] === 0) || value - value !== 0) {
        nulls = true
        maskWords[row >>> 5]! &= ~(1 << (row & 31))
      } else writeWhole(words, row, Math.floor(value))
    }
    bindings.copy_data_to_vector(vector, 0, words.buffer, 0, rows * 8)
    if (nulls) writeMask(bindings, vector)
  }
}

function decimalWriter(bindings: Bindings, column: Column, precision: number, scale: number): VectorWriter {
  const factor = 10 ** scale
  const limit = 10 ** precision
  const width = precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16
  const bytes = new ArrayBuffer(VECTOR_ROWS * width)
  const small = new Int16Array(bytes)
  const words = new Int32Array(bytes)
  const wide = width === 16 ? new BigInt64Array(bytes) : null
  return (vector, data, from, rows) => {
    if (data?.type !== 'number') throw mismatch(column, data)
    const { values, validity } = data
    let nulls = false
    maskWords.fill(0xffffffff)
    for (let row = 0; row < rows; row++) {
      const value = values[from + row]!
      if ((validity !== null && validity[from + row] === 0) || value - value !== 0) {
        nulls = true
        maskWords[row >>> 5]! &= ~(1 << (row & 31))
        continue
      }
      const scaled = Math.round(value * factor)
      if (Math.abs(scaled) >= limit) {
        throw new MillraceError(
          'WAREHOUSE_MISMATCH',
          `${value} in column ${column.name} does not fit DECIMAL(${precision}, ${scale}).`,
          { next: 'Give the column a larger precision, or filter such rows.' },
        )
      }
      if (width === 2) small[row] = scaled
      else if (width === 4) words[row] = scaled
      else if (wide === null) writeWhole(words, row, scaled)
      else {
        const big = BigInt(scaled)
        wide[row * 2] = BigInt.asIntN(64, big)
        wide[row * 2 + 1] = big >> 64n
      }
    }
    bindings.copy_data_to_vector(vector, 0, bytes, 0, rows * width)
    if (nulls) writeMask(bindings, vector)
  }
}
