/**
 * A batch: named columns of one length. The only form in which rows move through the engine; there is no object per row.
 *
 * Who owns what: a batch is lent. Whoever is called with one may read it until the call returns (or its promise settles),
 * never writes to it, and copies what it wants to keep: the producer uses the arrays again. Arrays may be longer than
 * `length`; only the first `length` cells count.
 */
import { type DecimalType, decimalNumber, decimalOfDigits, fitsInt64, scaledOfDigits } from '../plan/exact.ts'
import { digitsOf, jsonCell, plainJson } from '../plan/json-text.ts'
import type { Cell, Column } from '../plan/schema.ts'

/** A dictionary of texts that batches share: grows only at its end, entry `code` never changes. */
export interface Dictionary {
  readonly values: readonly string[]
}

/**
 * The cells of one column.
 * number, timestamp (microseconds): Float64Array. int64: BigInt64Array, and decimal: whole numbers of 10^-scale. boolean: 0
 * or 1. text: codes into the dictionary, -1 for null. json: any JavaScript value, null for null, with the digits that
 * came (see WrittenJson). `validity` is 1 where there is a value, 0 for null; null when all are valid.
 */
export type ColumnData =
  | { readonly type: 'number' | 'timestamp'; readonly values: Float64Array; readonly validity: Uint8Array | null }
  | { readonly type: 'int64'; readonly values: BigInt64Array; readonly validity: Uint8Array | null }
  | DecimalData
  | { readonly type: 'boolean'; readonly values: Uint8Array; readonly validity: Uint8Array | null }
  | { readonly type: 'text'; readonly codes: Int32Array; readonly dictionary: Dictionary }
  | { readonly type: 'json'; readonly values: readonly unknown[] }

export interface DecimalData {
  readonly type: 'decimal'
  readonly scale: number
  readonly values: BigInt64Array
  readonly validity: Uint8Array | null
}

/** Columns whose cells are 64-bit integers. */
export type IntegersColumn = Extract<ColumnData, { type: 'int64' | 'decimal' }>

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
 * values. Arrays of `spare`, a batch of the same columns that nobody reads any more, are used again where they are long
 * enough.
 */
export function copyBatch(batch: Batch, spare: Batch | null = null): Batch {
  const { length, columns, origin } = batch
  return {
    length,
    columns,
    data: batch.data.map((data, index) => data && copyColumn(data, length, spare?.data[index] ?? null)),
    origin: origin && copyCells(origin, length, spare?.origin ?? null),
  }
}

function copyColumn(data: ColumnData, length: number, spare: ColumnData | null): ColumnData {
  switch (data.type) {
    case 'text': {
      const codes = copyCells(data.codes, length, spare?.type === 'text' ? spare.codes : null)
      return { type: 'text', codes, dictionary: data.dictionary }
    }
    case 'json':
      return { type: 'json', values: data.values.slice(0, length) }
    default:
      return copyNumbers(data, length, spare?.type === data.type ? (spare as NumbersColumn) : null)
  }
}

type Cells = Float64Array | BigInt64Array | Int32Array | Uint8Array

function copyCells<T extends Cells>(cells: T, length: number, spare: Cells | null): T {
  if (spare === null || spare.length < length) return cells.slice(0, length) as T
  spare.set((cells.length === length ? cells : cells.subarray(0, length)) as never)
  return spare as T
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
  if (data.type === 'int64' || data.type === 'decimal') {
    return integersLike(data, data.values.subarray(from, to), validity)
  }
  return data.type === 'boolean'
    ? { type: data.type, values: data.values.subarray(from, to), validity }
    : { type: data.type, values: data.values.subarray(from, to), validity }
}

/** An own copy of the first `length` cells of a column that is arrays of numbers alone; `spare` as of `copyBatch`. */
export function copyNumbers(data: NumbersColumn, length: number, spare: NumbersColumn | null = null): NumbersColumn {
  const validity = data.validity && copyCells(data.validity, length, spare?.validity ?? null)
  switch (data.type) {
    case 'boolean':
      return { type: data.type, values: copyCells(data.values, length, spare?.values ?? null), validity }
    case 'number':
    case 'timestamp':
      return { type: data.type, values: copyCells(data.values, length, spare?.values ?? null), validity }
    case 'int64':
    case 'decimal':
      return integersLike(data, copyCells(data.values, length, spare?.values ?? null), validity)
  }
}

/** Other cells of a column of the same type. */
export function integersLike(data: IntegersColumn, values: BigInt64Array, validity: Uint8Array | null): IntegersColumn {
  return data.type === 'decimal'
    ? { type: 'decimal', scale: data.scale, values, validity }
    : { type: 'int64', values, validity }
}

/** The cell as state keeps it: as `cellAt`, but a decimal is a whole number of its last digit. */
export function stateCellAt(data: Exclude<ColumnData, { type: 'json' }>, row: number): Cell {
  if (data.type !== 'decimal') return cellAt(data, row) as Cell
  return data.validity !== null && data.validity[row] === 0 ? null : data.values[row]!
}

/** The cell at a row as a lambda sees it; for edges, tests and slow paths only. */
export function cellAt(data: ColumnData, row: number): unknown {
  switch (data.type) {
    case 'number':
    case 'timestamp':
    case 'int64':
      return data.validity !== null && data.validity[row] === 0 ? null : data.values[row]!
    case 'decimal':
      return data.validity !== null && data.validity[row] === 0 ? null : decimalNumber(data.values[row]!, data.scale)
    case 'boolean':
      return data.validity !== null && data.validity[row] === 0 ? null : data.values[row] === 1
    case 'text': {
      const code = data.codes[row]!
      return code < 0 ? null : data.dictionary.values[code]!
    }
    case 'json':
      return plainJson(data.values[row] ?? null)
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

/**
 * Column data of plain cells, null for null. A number may come with its digits (`rawNumber`), a 64-bit integer or decimal
 * also as a text of them. Throws RangeError for what the column cannot hold.
 */
export function columnOf(column: Column, cells: readonly unknown[]): ColumnData {
  const length = cells.length
  const validity = cells.some(cell => cell === null) ? Uint8Array.from(cells, cell => (cell === null ? 0 : 1)) : null
  switch (column.type) {
    case 'number':
    case 'timestamp':
      return {
        type: column.type,
        values: Float64Array.from(cells, cell => (cell === null ? 0 : numberOf(cell))),
        validity,
      }
    case 'int64':
      return { type: 'int64', values: BigInt64Array.from(cells, cell => integerOf(cell, null)), validity }
    case 'decimal': {
      const type = column.decimal!
      return {
        type: 'decimal',
        scale: type.scale,
        values: BigInt64Array.from(cells, cell => integerOf(cell, type)),
        validity,
      }
    }
    case 'boolean':
      return { type: 'boolean', values: Uint8Array.from(cells, cell => (cell === true ? 1 : 0)), validity }
    case 'json':
      return { type: 'json', values: cells.map(jsonCell) }
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

function numberOf(cell: unknown): number {
  return typeof cell === 'number' ? cell : Number(digitsOf(cell) ?? cell)
}

/** A bigint is the 64-bit integer itself, of a decimal the number before its scale. */
function integerOf(cell: unknown, decimal: DecimalType | null): bigint {
  if (cell === null) return 0n
  const digits = digitsOf(cell) ?? String(cell)
  const value = decimal === null ? scaledOfDigits(digits, 0) : decimalOfDigits(digits, decimal)
  if (value === null || !fitsInt64(value)) throw new RangeError(`${digits} does not fit its column`)
  return value
}
