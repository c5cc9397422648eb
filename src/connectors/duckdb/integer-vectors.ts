/** Whole numbers and decimals into DuckDB's own vectors, and what the writers of all columns share. */
import type { ColumnData, DecimalData } from '../../engine/batch.ts'
import { type DecimalType, decimalNumber } from '../../plan/exact.ts'
import type { Column } from '../../plan/schema.ts'
import { MillraceError } from '../../system/errors.ts'
import { type Bindings, maskWords, VECTOR_ROWS, type Vector, type VectorWriter, writeMask } from './mask.ts'

export function mismatch(column: Column, data: ColumnData | null): MillraceError {
  return new MillraceError('INTERNAL', `Column ${column.name} is ${column.type}, but its cells are ${data?.type}.`)
}

export function writeValidity(
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

/** A double that holds a whole number as the two halves of a 64-bit integer. */
function writeWhole(target: Int32Array, row: number, value: number): void {
  const high = Math.floor(value / 4294967296)
  target[row * 2] = value - high * 4294967296
  target[row * 2 + 1] = high
}

export function timestampWriter(bindings: Bindings, column: Column): VectorWriter {
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

/** 64-bit integers lie in the batch as they do in DuckDB. */
export function int64Writer(bindings: Bindings, column: Column): VectorWriter {
  return (vector, data, from, rows) => {
    if (data?.type !== 'int64') throw mismatch(column, data)
    const { values } = data
    bindings.copy_data_to_vector(vector, 0, values.buffer as ArrayBuffer, values.byteOffset + from * 8, rows * 8)
    writeValidity(bindings, vector, data.validity, from, rows)
  }
}

/** Doubles that are whole numbers, as BIGINT. */
export function wholeWriter(bindings: Bindings, column: Column): VectorWriter {
  const words = new Int32Array(VECTOR_ROWS * 2)
  return (vector, data, from, rows) => {
    if (data?.type !== 'number') throw mismatch(column, data)
    const { values, validity } = data
    for (let row = 0; row < rows; row++) {
      const value = values[from + row]!
      if (validity !== null && validity[from + row] === 0) continue
      if (!Number.isSafeInteger(value)) {
        throw new MillraceError('WAREHOUSE_MISMATCH', `${value} in column ${column.name} is not a whole number.`, {
          next: 'The schema declares whole numbers there: round the value, or declare z.number().',
        })
      }
      writeWhole(words, row, value)
    }
    bindings.copy_data_to_vector(vector, 0, words.buffer, 0, rows * 8)
    writeValidity(bindings, vector, validity, from, rows)
  }
}

/** Decimals of up to 18 digits: DuckDB keeps them as whole numbers of 2, 4 or 8 bytes, by their precision. */
export function decimalWriter(bindings: Bindings, column: Column): VectorWriter {
  const { precision } = column.decimal!
  const width = precision <= 4 ? 2 : precision <= 9 ? 4 : 8
  const bytes = new ArrayBuffer(VECTOR_ROWS * width)
  const small = width === 2 ? new Int16Array(bytes) : new Int32Array(bytes)
  return (vector, data, from, rows) => {
    if (data?.type !== 'decimal') throw mismatch(column, data)
    const { values } = data
    if (width === 8) {
      bindings.copy_data_to_vector(vector, 0, values.buffer as ArrayBuffer, values.byteOffset + from * 8, rows * 8)
    } else {
      for (let row = 0; row < rows; row++) small[row] = Number(values[from + row]!)
      bindings.copy_data_to_vector(vector, 0, bytes, 0, rows * width)
    }
    writeValidity(bindings, vector, data.validity, from, rows)
  }
}

export function asDoubles(data: DecimalData, length: number): ColumnData {
  const values = new Float64Array(length)
  for (let row = 0; row < length; row++) values[row] = decimalNumber(data.values[row]!, data.scale)
  return { type: 'number', values, validity: data.validity }
}

/** Decimals of more than 18 digits, which are doubles here and 16 bytes there. */
export function longDecimalWriter(bindings: Bindings, column: Column, { precision, scale }: DecimalType): VectorWriter {
  const factor = 10 ** scale
  const limit = 10 ** precision
  const wide = new BigInt64Array(VECTOR_ROWS * 2)
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
      const big = BigInt(scaled)
      wide[row * 2] = BigInt.asIntN(64, big)
      wide[row * 2 + 1] = big >> 64n
    }
    bindings.copy_data_to_vector(vector, 0, wide.buffer, 0, rows * 16)
    if (nulls) writeMask(bindings, vector)
  }
}
