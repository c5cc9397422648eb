/**
 * Batches into DuckDB's own vectors: whole columns are copied, no value is boxed.
 *
 * The binding below the public API is used for this: it copies typed arrays into a vector in one call. A text of up to 12
 * bytes lies in DuckDB's 16-byte cell itself and is written there directly; a longer one is handed over once for each
 * vector, and its cell (length, prefix, pointer) is copied for the other rows that hold the same dictionary entry.
 */
import type { DuckDBAppender, DuckDBDataChunk, DuckDBType } from '@duckdb/node-api'
import type { Batch, ColumnData, Dictionary } from '../../engine/batch.ts'
import type { Column } from '../../plan/schema.ts'
import { MillraceError } from '../../system/errors.ts'
import type { DuckDB } from '../support/duckdb.ts'

type Bindings = typeof import('@duckdb/node-bindings')
type Vector = ReturnType<Bindings['data_chunk_get_vector']>

/** Rows of one DuckDB vector. */
const VECTOR_ROWS = 2048
const INLINE_BYTES = 12

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

type VectorWriter = (vector: Vector, data: ColumnData | null, from: number, rows: number) => void

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

/** One bit a row, 1 for a value; nothing is written when all rows have one (a reset vector says so). */
const maskWords = new Uint32Array(VECTOR_ROWS / 32)
const maskBuffer = maskWords.buffer

function writeMask(bindings: Bindings, vector: Vector): void {
  bindings.vector_ensure_validity_writable(vector)
  bindings.copy_data_to_vector_validity(vector, 0, maskBuffer, 0, maskBuffer.byteLength)
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

function textWriter(bindings: Bindings): VectorWriter {
  const cells = new Int32Array(VECTOR_ROWS * 4)
  const entries = new TextEntries()
  /** Codes of longer texts: where in this vector the text was handed over, plus one; valid while `stamps` says so. */
  let slots = new Int32Array(256)
  let stamps = new Int32Array(256)
  let stamp = 0

  return (vector, data, from, rows) => {
    let codes: Int32Array
    let offset = from
    if (data?.type === 'text') {
      codes = data.codes
      entries.use(data.dictionary)
    } else {
      // JSON cells are written as they come: a dictionary of this vector's own.
      const texts: string[] = []
      codes = new Int32Array(rows)
      offset = 0
      const values = data?.type === 'json' ? data.values : []
      for (let row = 0; row < rows; row++) {
        const value = values[from + row]
        const text = value === null || value === undefined ? undefined : JSON.stringify(value)
        codes[row] = text === undefined ? -1 : texts.push(text) - 1
      }
      entries.use({ values: texts })
    }
    if (slots.length < entries.size) {
      slots = new Int32Array(Math.max(entries.size, slots.length * 2))
      stamps = new Int32Array(slots.length)
      stamp = 0
    }
    stamp++
    let handed = 0
    let nulls = false
    maskWords.fill(0xffffffff)
    for (let row = 0; row < rows; row++) {
      const code = codes[offset + row]!
      if (code < 0) {
        nulls = true
        maskWords[row >>> 5]! &= ~(1 << (row & 31))
        continue
      }
      if (entries.isInline(code)) {
        entries.copyInline(code, cells, row * 4)
      } else if (stamps[code] !== stamp) {
        // The cells 0, 1, 2, ... of the vector are used to hand texts over; all cells are overwritten below.
        bindings.vector_assign_string_element_len(vector, handed, entries.bytes(code))
        stamps[code] = stamp
        slots[code] = handed++
      }
    }
    if (handed > 0) {
      const made = bindings.vector_get_data(vector, handed * 16)
      const words = new Int32Array(made.buffer.slice(made.byteOffset, made.byteOffset + handed * 16))
      for (let row = 0; row < rows; row++) {
        const code = codes[offset + row]!
        if (code < 0 || entries.isInline(code)) continue
        const slot = slots[code]! * 4
        const at = row * 4
        cells[at] = words[slot]!
        cells[at + 1] = words[slot + 1]!
        cells[at + 2] = words[slot + 2]!
        cells[at + 3] = words[slot + 3]!
      }
    }
    bindings.copy_data_to_vector(vector, 0, cells.buffer, 0, rows * 16)
    if (nulls) writeMask(bindings, vector)
  }
}

/** The UTF-8 forms of a dictionary's entries, made when first asked for. */
class TextEntries {
  #dictionary: Dictionary = { values: [] }
  #buffer = Buffer.allocUnsafeSlow(4096)
  #words = new Int32Array(this.#buffer.buffer, 0, 1024)
  #used = 0
  /** Start of an entry in `#buffer`, a multiple of 16; -1: not made yet. An inline entry is kept as DuckDB's whole cell. */
  #starts = new Int32Array(256).fill(-1)
  #lengths = new Int32Array(256)

  get size(): number {
    return this.#dictionary.values.length
  }

  use(dictionary: Dictionary): void {
    if (this.#dictionary !== dictionary) {
      this.#dictionary = dictionary
      this.#starts.fill(-1)
      this.#used = 0
    }
    const size = dictionary.values.length
    if (this.#starts.length < size) {
      const capacity = Math.max(size, this.#starts.length * 2)
      const starts = new Int32Array(capacity).fill(-1)
      starts.set(this.#starts)
      const lengths = new Int32Array(capacity)
      lengths.set(this.#lengths)
      this.#starts = starts
      this.#lengths = lengths
    }
  }

  isInline(code: number): boolean {
    if (this.#starts[code]! < 0) this.#make(code)
    return this.#lengths[code]! <= INLINE_BYTES
  }

  copyInline(code: number, cells: Int32Array, at: number): void {
    const words = this.#words
    const start = this.#starts[code]! >>> 2
    cells[at] = words[start]!
    cells[at + 1] = words[start + 1]!
    cells[at + 2] = words[start + 2]!
    cells[at + 3] = words[start + 3]!
  }

  bytes(code: number): Uint8Array {
    const start = this.#starts[code]!
    return this.#buffer.subarray(start, start + this.#lengths[code]!)
  }

  #make(code: number): void {
    const text = this.#dictionary.values[code]!
    const need = text.length * 3 + 32
    if (this.#used + need > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.ceil(Math.max(this.#buffer.length * 2, this.#used + need) / 16) * 16)
      this.#buffer.copy(larger, 0, 0, this.#used)
      this.#buffer = larger
      this.#words = new Int32Array(larger.buffer, 0, larger.length >>> 2)
    }
    const start = this.#used
    // Written behind the place for the length, where an inline cell has its bytes.
    const length = this.#buffer.write(text, start + 4, 'utf8')
    if (length <= INLINE_BYTES) {
      this.#buffer.fill(0, start + 4 + length, start + 16)
      this.#words[start >>> 2] = length
      this.#used = start + 16
    } else {
      this.#buffer.copyWithin(start, start + 4, start + 4 + length)
      this.#used = Math.ceil((start + length) / 16) * 16
    }
    this.#starts[code] = start
    this.#lengths[code] = length
  }
}
