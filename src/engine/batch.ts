/**
 * A batch: named columns of one length. The only form in which rows move through the engine; there is no object per row.
 *
 * Who owns what: a batch is lent. Whoever is called with one may read it until the call returns (or its promise settles),
 * never writes to it, and copies what it wants to keep: the producer uses the arrays again. Arrays may be longer than
 * `length`; only the first `length` cells count.
 */
import type { Column } from '../plan/schema.ts'

/** A dictionary of texts that batches share: grows only at its end, entry `code` never changes. */
export interface Dictionary {
  readonly values: readonly string[]
}

/**
 * The cells of one column.
 * number, timestamp (microseconds): Float64Array. boolean: 0 or 1. text: codes into the dictionary, -1 for null.
 * json: any JavaScript value, null for null. `validity` is 1 where there is a value, 0 for null; null when all are valid.
 */
export type ColumnData =
  | { readonly type: 'number' | 'timestamp'; readonly values: Float64Array; readonly validity: Uint8Array | null }
  | { readonly type: 'boolean'; readonly values: Uint8Array; readonly validity: Uint8Array | null }
  | { readonly type: 'text'; readonly codes: Int32Array; readonly dictionary: Dictionary }
  | { readonly type: 'json'; readonly values: readonly unknown[] }

/** Columns whose cells are numbers in arrays, with nothing beside them. */
export type NumbersColumn = Exclude<ColumnData, { type: 'text' } | { type: 'json' }>

export interface Batch {
  readonly length: number
  readonly columns: readonly Column[]
  /** Cells in the order of `columns`; null for a column that nothing downstream reads. */
  readonly data: readonly (ColumnData | null)[]
  /**
   * For each row its index in the batch as it came from the topic (event time, lateness and offset are found there);
   * null when the rows are the same ones.
   */
  readonly origin: Int32Array | null
}

/**
 * An own copy of a lent batch, which can be kept. Dictionaries are shared, as they only grow; json cells are the same
 * values.
 */
export function copyBatch(batch: Batch): Batch {
  const { length } = batch
  return {
    length,
    columns: batch.columns,
    data: batch.data.map(data => data && copyColumn(data, length)),
    origin: batch.origin?.slice(0, length) ?? null,
  }
}

function copyColumn(data: ColumnData, length: number): ColumnData {
  switch (data.type) {
    case 'text':
      return { type: 'text', codes: data.codes.slice(0, length), dictionary: data.dictionary }
    case 'json':
      return { type: 'json', values: data.values.slice(0, length) }
    default:
      return copyNumbers(data, length)
  }
}

/** The rows from one up to another (excluded), without a copy: they are lent as long as the batch is. */
export function sliceBatch(batch: Batch, from: number, to: number): Batch {
  if (from === 0 && to === batch.length) return batch
  return {
    length: to - from,
    columns: batch.columns,
    data: batch.data.map(data => data && sliceColumn(data, from, to)),
    origin: batch.origin?.subarray(from, to) ?? null,
  }
}

function sliceColumn(data: ColumnData, from: number, to: number): ColumnData {
  if (data.type === 'text') return { ...data, codes: data.codes.subarray(from, to) }
  if (data.type === 'json') return { ...data, values: data.values.slice(from, to) }
  const validity = data.validity?.subarray(from, to) ?? null
  return data.type === 'boolean'
    ? { type: data.type, values: data.values.subarray(from, to), validity }
    : { type: data.type, values: data.values.subarray(from, to), validity }
}

/** What the cells of a batch take in memory, roughly: dictionaries are shared and do not count. */
export function batchBytes(batch: Batch): number {
  let bytes = 0
  for (const data of batch.data) if (data !== null) bytes += batch.length * CELL_BYTES[data.type]
  return bytes
}

const CELL_BYTES: Readonly<Record<ColumnData['type'], number>> = {
  number: 9,
  timestamp: 9,
  boolean: 2,
  text: 4,
  json: 200,
}

/** An own copy of the first `length` cells of a column that is arrays of numbers alone. */
export function copyNumbers(data: NumbersColumn, length: number): NumbersColumn {
  const validity = data.validity?.slice(0, length) ?? null
  return data.type === 'boolean'
    ? { type: data.type, values: data.values.slice(0, length), validity }
    : { type: data.type, values: data.values.slice(0, length), validity }
}

/** The cell at a row as plain JavaScript sees it; for edges, tests and slow paths only. */
export function cellAt(data: ColumnData, row: number): unknown {
  switch (data.type) {
    case 'number':
    case 'timestamp':
      return data.validity !== null && data.validity[row] === 0 ? null : data.values[row]!
    case 'boolean':
      return data.validity !== null && data.validity[row] === 0 ? null : data.values[row] === 1
    case 'text': {
      const code = data.codes[row]!
      return code < 0 ? null : data.dictionary.values[code]!
    }
    case 'json':
      return data.values[row] ?? null
  }
}

/** The rows as flat objects with a property a column; for edges, tests and slow paths only. */
export function rowsOf(batch: Batch): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = []
  for (let row = 0; row < batch.length; row++) {
    const object: Record<string, unknown> = Object.create(null)
    batch.columns.forEach((column, index) => {
      const data = batch.data[index]
      if (data) object[column.name] = cellAt(data, row)
    })
    rows.push(object)
  }
  return rows
}

/** A batch of the given rows (flat objects); for edges, tests and slow paths only. */
export function batchOf(columns: readonly Column[], rows: readonly Readonly<Record<string, unknown>>[]): Batch {
  return {
    length: rows.length,
    columns,
    data: columns.map(column =>
      columnOf(
        column,
        rows.map(row => row[column.name] ?? null),
      ),
    ),
    origin: null,
  }
}

/** Column data of plain cells, null for null. */
export function columnOf(column: Column, cells: readonly unknown[]): ColumnData {
  const length = cells.length
  const validity = cells.some(cell => cell === null) ? Uint8Array.from(cells, cell => (cell === null ? 0 : 1)) : null
  switch (column.type) {
    case 'number':
    case 'timestamp':
      return {
        type: column.type,
        values: Float64Array.from(cells, cell => (cell === null ? 0 : (cell as number))),
        validity,
      }
    case 'boolean':
      return { type: 'boolean', values: Uint8Array.from(cells, cell => (cell === true ? 1 : 0)), validity }
    case 'json':
      return { type: 'json', values: cells }
    case 'text': {
      const codes = new Int32Array(length)
      const values: string[] = []
      const known = new Map<string, number>()
      for (let row = 0; row < length; row++) {
        const cell = cells[row] as string | null
        let code = -1
        if (cell !== null) {
          code = known.get(cell) ?? -1
          if (code < 0) {
            code = values.push(cell) - 1
            known.set(cell, code)
          }
        }
        codes[row] = code
      }
      return { type: 'text', codes, dictionary: { values } }
    }
  }
}
