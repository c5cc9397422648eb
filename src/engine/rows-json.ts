/**
 * Writes the rows of batches as NDJSON (or CSV) bytes: shared by the file sink and the stored topics.
 *
 * Rows by columns into one buffer; no object and no text a row. A text is escaped once for each entry of its dictionary.
 * Dots in a column's name nest in NDJSON: `values.x` becomes {"values":{"x":...}}. Null is an empty cell in CSV. NaN and the
 * infinities are written by name in CSV; in NDJSON as null, or as a text where the rows are to be read back.
 */
import type { Column } from '../plan/schema.ts'
import type { Batch, ColumnData } from './batch.ts'
import { type CellWriter, cellWriter, NoCells, SCALAR_BYTES_MAX, Target, type TimestampForm } from './cell-writers.ts'
import { copyBytes } from './digits.ts'
import type { NonFiniteForm } from './number-writers.ts'
import { csvLayout, jsonLayout } from './row-layout.ts'

export interface RowWriterOptions {
  /** Default `ndjson`. */
  readonly format?: 'ndjson' | 'csv'
  /** Default `iso`. */
  readonly timestamps?: TimestampForm
  /** Default: their names in CSV, null in NDJSON. */
  readonly nonFinite?: NonFiniteForm
  /** NDJSON: decimals and json stand as texts, for a reader that takes their numbers for doubles. Default false. */
  readonly quoted?: boolean
  /** false: a dotted column name stays one name. Default true. */
  readonly nested?: boolean
}

export interface RowWriter {
  /** The bytes of all rows of the batch, each row ended by a line feed; valid until the next call. */
  write(batch: Batch): Uint8Array
  /** CSV: the line of column names. NDJSON: empty. */
  readonly header: Uint8Array
  /** Cells so far that were NaN or an infinity and were written as null. */
  readonly nonFinite: number
}

const EMPTY_BYTES = new Uint8Array(0)
const NULL_BYTES = Buffer.from('null')

/** A writer for batches that have these columns, in this order. */
export function rowWriter(columns: readonly Column[], options: RowWriterOptions = {}): RowWriter {
  const { format = 'ndjson', timestamps = 'iso', nested = true } = options
  const csv = format === 'csv'
  const names = columns.map(column => column.name)
  const { cells, suffix, header } = csv ? csvLayout(columns) : jsonLayout(names, nested)
  const fixedBytes = cells.reduce((sum, { prefix }) => sum + prefix.length + SCALAR_BYTES_MAX, suffix.length)
  const target = new Target(fixedBytes)
  const nonFinite = options.nonFinite ?? (csv ? 'name' : 'null')
  const form = {
    csv,
    timestamps,
    nullBytes: csv ? EMPTY_BYTES : NULL_BYTES,
    nonFinite,
    quoted: options.quoted ?? false,
  }
  const fields = cells.map(({ prefix, column }) => new Field(prefix, column, type => cellWriter(type, target, form)))
  const nothing = new NoCells(target, form)
  return {
    header,
    get nonFinite() {
      return target.nonFinite
    },
    write(batch) {
      for (const field of fields) field.begin(batch.data[field.column] ?? null, nothing)
      let position = 0
      for (let row = 0; row < batch.length; row++) position = writeRow(fields, suffix, target, row, position)
      return target.bytes.subarray(0, position)
    },
  }
}

class Field {
  readonly prefix: Uint8Array
  readonly column: number
  cells: CellWriter | null = null
  readonly #make: (type: ColumnData['type']) => CellWriter
  #own: { readonly type: ColumnData['type']; readonly cells: CellWriter } | null = null

  constructor(prefix: Uint8Array, column: number, make: (type: ColumnData['type']) => CellWriter) {
    this.prefix = prefix
    this.column = column
    this.#make = make
  }

  begin(data: ColumnData | null, nothing: CellWriter): void {
    if (data === null) {
      this.cells = nothing
      return
    }
    if (this.#own?.type !== data.type) this.#own = { type: data.type, cells: this.#make(data.type) }
    this.cells = this.#own.cells
    this.cells.begin(data)
  }
}

function writeRow(fields: readonly Field[], suffix: Uint8Array, target: Target, row: number, position: number): number {
  target.ensure(position, 0)
  let at = position
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index]!
    at = field.cells!.write(row, copyBytes(field.prefix, target.bytes, at))
  }
  return copyBytes(suffix, target.bytes, at)
}
