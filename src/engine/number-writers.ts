/** Cells of numbers as bytes of text: doubles, and exact integers and decimals with all their digits. */
import { shortDecimalText } from '../plan/exact.ts'
import type { ColumnData, DecimalData } from './batch.ts'
import type { CellForm, CellWriter, Target } from './cell-writers.ts'
import { copyBytes, writeNumber } from './digits.ts'

/** How NaN and the infinities are written, which JSON has no form for: by name, as a text with the name, or as null. */
export type NonFiniteForm = 'name' | 'text' | 'null'

const NO_NUMBERS = new Float64Array(0)
const NO_INTEGERS = new BigInt64Array(0)

export class NumberCells implements CellWriter {
  readonly #target: Target
  readonly #nullBytes: Uint8Array
  readonly #nonFinite: NonFiniteForm
  #values: Float64Array = NO_NUMBERS
  #validity: Uint8Array | null = null

  constructor(target: Target, { nullBytes, nonFinite }: CellForm) {
    this.#target = target
    this.#nullBytes = nullBytes
    this.#nonFinite = nonFinite
  }

  begin(data: ColumnData): void {
    const { values, validity } = data as Extract<ColumnData, { type: 'number' }>
    this.#values = values
    this.#validity = validity
  }

  write(row: number, position: number): number {
    const value = this.#values[row]!
    const { bytes } = this.#target
    if (this.#validity !== null && this.#validity[row] === 0) return copyBytes(this.#nullBytes, bytes, position)
    if (value - value !== 0) return this.#writeNonFinite(value, position)
    return writeNumber(value, bytes, position)
  }

  #writeNonFinite(value: number, position: number): number {
    const { bytes } = this.#target
    if (this.#nonFinite === 'null') {
      this.#target.nonFinite++
      return copyBytes(this.#nullBytes, bytes, position)
    }
    return position + bytes.write(this.#nonFinite === 'text' ? `"${value}"` : String(value), position, 'latin1')
  }
}

export class IntegerCells implements CellWriter {
  readonly #target: Target
  readonly #nullBytes: Uint8Array
  #values: BigInt64Array = NO_INTEGERS
  #validity: Uint8Array | null = null

  constructor(target: Target, { nullBytes }: CellForm) {
    this.#target = target
    this.#nullBytes = nullBytes
  }

  begin(data: ColumnData): void {
    const { values, validity } = data as Extract<ColumnData, { type: 'int64' }>
    this.#values = values
    this.#validity = validity
  }

  write(row: number, position: number): number {
    const { bytes } = this.#target
    if (this.#validity !== null && this.#validity[row] === 0) return copyBytes(this.#nullBytes, bytes, position)
    const value = this.#values[row]!
    const double = Number(value)
    if (Number.isSafeInteger(double)) return writeNumber(double, bytes, position)
    return position + bytes.write(String(value), position, 'latin1')
  }
}

export class DecimalCells implements CellWriter {
  readonly #target: Target
  readonly #nullBytes: Uint8Array
  readonly #quoted: boolean
  #data: DecimalData = { type: 'decimal', scale: 0, values: NO_INTEGERS, validity: null }

  constructor(target: Target, { nullBytes, quoted }: CellForm) {
    this.#target = target
    this.#nullBytes = nullBytes
    this.#quoted = quoted
  }

  begin(data: ColumnData): void {
    this.#data = data as DecimalData
  }

  write(row: number, position: number): number {
    const { values, validity, scale } = this.#data
    const { bytes } = this.#target
    if (validity !== null && validity[row] === 0) return copyBytes(this.#nullBytes, bytes, position)
    const text = shortDecimalText(values[row]!, scale)
    return position + bytes.write(this.#quoted ? `"${text}"` : text, position, 'latin1')
  }
}
