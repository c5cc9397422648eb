/**
 * Cells as bytes of text, by the type of their column.
 *
 * Small functions on purpose: one that knew all types would be compiled as a whole, again and again as cells of a new
 * kind come, and that costs more than writing the rows of a short run.
 */
import type { ColumnData } from './batch.ts'
import { copyBytes, writeIso, writeNumber } from './digits.ts'
import { EscapedTexts, escapeCsv } from './escaped-texts.ts'
import { DecimalCells, IntegerCells, type NonFiniteForm, NumberCells } from './number-writers.ts'

/** `iso`: "2023-10-28T13:52:25.514Z", with six digits where the time has microseconds. `ms`, `us`: a number. */
export type TimestampForm = 'iso' | 'ms' | 'us'

/** Bytes that any number, boolean or timestamp fits in. */
export const SCALAR_BYTES_MAX = 40

const TRUE_BYTES = Buffer.from('true')
const FALSE_BYTES = Buffer.from('false')

/** Where the bytes go. */
export class Target {
  bytes = Buffer.allocUnsafe(64 * 1024)
  /** Cells that were NaN or an infinity and were written as null. */
  nonFinite = 0
  /** Room that there always is for what is not a text: whoever takes more asks for it, and for as much again. */
  readonly reserve: number

  constructor(reserve: number) {
    this.reserve = reserve
  }

  /** Makes room for so many bytes behind a position, with the reserve. */
  ensure(position: number, length: number): void {
    const need = position + length + this.reserve
    if (need <= this.bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, need + 4096))
    this.bytes.copy(larger, 0, 0, position)
    this.bytes = larger
  }
}

export interface CellForm {
  readonly csv: boolean
  readonly timestamps: TimestampForm
  /** What null is written as. */
  readonly nullBytes: Uint8Array
  readonly nonFinite: NonFiniteForm
  /** Decimals and json as texts, for readers of JSON that take numbers for doubles. */
  readonly quoted: boolean
}

export interface CellWriter {
  /** The cells of the next batch. */
  begin(data: ColumnData): void
  /** Writes one of them and answers where it ends. */
  write(row: number, position: number): number
}

export function cellWriter(type: ColumnData['type'], target: Target, form: CellForm): CellWriter {
  return new MAKERS[type](target, form)
}

/** For a column of which a batch has no cells. */
export class NoCells implements CellWriter {
  readonly #target: Target
  readonly #nullBytes: Uint8Array

  constructor(target: Target, { nullBytes }: CellForm) {
    this.#target = target
    this.#nullBytes = nullBytes
  }

  begin(): void {}

  write(_row: number, position: number): number {
    return copyBytes(this.#nullBytes, this.#target.bytes, position)
  }
}

const NO_NUMBERS = new Float64Array(0)

class TimeCells implements CellWriter {
  readonly #target: Target
  readonly #form: CellForm
  #values: Float64Array = NO_NUMBERS
  #validity: Uint8Array | null = null
  /** The last time of this batch, and where it stands. */
  #last = Number.NaN
  #start = 0
  #end = 0

  constructor(target: Target, form: CellForm) {
    this.#target = target
    this.#form = form
  }

  begin(data: ColumnData): void {
    const { values, validity } = data as Extract<ColumnData, { type: 'timestamp' }>
    this.#values = values
    this.#validity = validity
    this.#last = Number.NaN
  }

  write(row: number, position: number): number {
    const value = this.#values[row]!
    const { bytes } = this.#target
    if ((this.#validity !== null && this.#validity[row] === 0) || value - value !== 0) {
      return copyBytes(this.#form.nullBytes, bytes, position)
    }
    // Rows of one window follow each other: the same time is copied from where it was written last.
    if (value === this.#last) {
      let at = position
      for (let from = this.#start; from < this.#end; from++) bytes[at++] = bytes[from]!
      return at
    }
    this.#last = value
    this.#start = position
    this.#end = this.#print(value, bytes, position)
    return this.#end
  }

  #print(value: number, bytes: Uint8Array, position: number): number {
    const { timestamps, csv } = this.#form
    if (timestamps === 'iso') return writeIso(value, !csv, bytes, position)
    return writeNumber(timestamps === 'us' ? value : value / 1000, bytes, position)
  }
}

class BooleanCells implements CellWriter {
  readonly #target: Target
  readonly #nullBytes: Uint8Array
  #values = new Uint8Array(0)
  #validity: Uint8Array | null = null

  constructor(target: Target, { nullBytes }: CellForm) {
    this.#target = target
    this.#nullBytes = nullBytes
  }

  begin(data: ColumnData): void {
    const { values, validity } = data as Extract<ColumnData, { type: 'boolean' }>
    this.#values = values as Uint8Array<ArrayBuffer>
    this.#validity = validity
  }

  write(row: number, position: number): number {
    const isNull = this.#validity !== null && this.#validity[row] === 0
    const bytes = isNull ? this.#nullBytes : this.#values[row] === 1 ? TRUE_BYTES : FALSE_BYTES
    return copyBytes(bytes, this.#target.bytes, position)
  }
}

class TextCells implements CellWriter {
  readonly #target: Target
  readonly #nullBytes: Uint8Array
  readonly #texts: EscapedTexts
  #codes = new Int32Array(0)

  constructor(target: Target, { csv, nullBytes }: CellForm) {
    this.#target = target
    this.#nullBytes = nullBytes
    this.#texts = new EscapedTexts(csv)
  }

  begin(data: ColumnData): void {
    const { codes, dictionary } = data as Extract<ColumnData, { type: 'text' }>
    this.#codes = codes as Int32Array<ArrayBuffer>
    this.#texts.of(dictionary)
  }

  write(row: number, position: number): number {
    const code = this.#codes[row]!
    if (code < 0) return copyBytes(this.#nullBytes, this.#target.bytes, position)
    this.#target.ensure(position, this.#texts.prepare(code))
    return this.#texts.copy(code, this.#target.bytes, position)
  }
}

class JsonCells implements CellWriter {
  readonly #target: Target
  readonly #form: CellForm
  #values: readonly unknown[] = []

  constructor(target: Target, form: CellForm) {
    this.#target = target
    this.#form = form
  }

  begin(data: ColumnData): void {
    this.#values = (data as Extract<ColumnData, { type: 'json' }>).values
  }

  write(row: number, position: number): number {
    const value = this.#values[row]
    const json = value === null || value === undefined ? undefined : JSON.stringify(value)
    if (json === undefined) return copyBytes(this.#form.nullBytes, this.#target.bytes, position)
    const text = this.#form.csv ? escapeCsv(json) : this.#form.quoted ? JSON.stringify(json) : json
    this.#target.ensure(position, text.length * 3)
    return position + this.#target.bytes.write(text, position, 'utf8')
  }
}

const MAKERS: Readonly<Record<ColumnData['type'], new (target: Target, form: CellForm) => CellWriter>> = {
  number: NumberCells,
  int64: IntegerCells,
  decimal: DecimalCells,
  timestamp: TimeCells,
  boolean: BooleanCells,
  text: TextCells,
  json: JsonCells,
}
