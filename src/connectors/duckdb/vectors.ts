/**
 * Batches into DuckDB's own vectors: whole columns are copied, no value is boxed.
 *
 * The binding below the public API is used for this: it copies typed arrays into a vector in one call.
 */
import type { DuckDBAppender, DuckDBDataChunk, DuckDBType } from '@duckdb/node-api'
import type { Batch } from '../../engine/batch.ts'
import type { DuckDB } from '../../formats/duckdb.ts'
import type { Column } from '../../plan/schema.ts'
import {
  asDoubles,
  decimalWriter,
  int64Writer,
  longDecimalWriter,
  mismatch,
  timestampWriter,
  wholeWriter,
  writeValidity,
} from './integer-vectors.ts'
import { type Bindings, maskWords, VECTOR_ROWS, type VectorWriter, writeMask } from './mask.ts'
import { textWriter } from './text-vector.ts'

export interface BatchAppender {
  append(batch: Batch): void
}

/** DuckDB's name for the type of a column. */
export function duckdbType(column: Column): string {
  if (column.decimal) return `DECIMAL(${column.decimal.precision},${column.decimal.scale})`
  const types: Readonly<Record<Column['type'], string>> = {
    number: column.integer ? 'BIGINT' : 'DOUBLE',
    int64: 'BIGINT',
    decimal: 'DECIMAL',
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
  if (column.decimal) return duckdb.DECIMAL(column.decimal.precision, column.decimal.scale)
  switch (column.type) {
    case 'number':
      return column.integer ? duckdb.BIGINT : duckdb.DOUBLE
    case 'int64':
      return duckdb.BIGINT
    case 'decimal':
      throw mismatch(column, null)
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
  if (column.type === 'int64') return int64Writer(bindings, column)
  if (column.type === 'decimal') return decimalWriter(bindings, column)
  if (column.decimal) return longDecimalWriter(bindings, column, column.decimal)
  if (column.integer) return wholeWriter(bindings, column)
  return (vector, data, from, rows) => {
    // A table that was made when decimals were doubles keeps its type.
    const doubles = data?.type === 'decimal' ? asDoubles(data, from + rows) : data
    if (doubles?.type !== 'number' && doubles?.type !== 'timestamp') throw mismatch(column, data)
    const { values } = doubles
    bindings.copy_data_to_vector(vector, 0, values.buffer as ArrayBuffer, values.byteOffset + from * 8, rows * 8)
    writeValidity(bindings, vector, doubles.validity, from, rows)
  }
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
