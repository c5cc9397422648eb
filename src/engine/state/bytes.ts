/** Cells of state as bytes, little-endian, one after the other; the reader asks in the order of the writer. */
import { decimalOfDigits } from '../../plan/exact.ts'
import type { Cell, Column } from '../../plan/schema.ts'

const CELL = { null: 0, text: 1, false: 2, true: 3, number: 4, integer: 5 } as const

const NAN_HIGH = 0x7ff80000

export class StateWriter {
  #bytes = Buffer.allocUnsafeSlow(4096)
  #view = viewOf(this.#bytes)
  #end = 0

  /** How many bytes have been written. */
  get length(): number {
    return this.#end
  }

  /** What was written so far; lent until the next call. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#end)
  }

  clear(): void {
    this.#end = 0
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#end++] = value
  }

  /** A whole number of 32 bits, with its sign. */
  whole(value: number): void {
    this.#reserve(4)
    this.#view.setInt32(this.#end, value, true)
    this.#end += 4
  }

  /** All NaN are one: which bits a NaN has is chance. */
  number(value: number): void {
    this.#reserve(8)
    if (Number.isNaN(value)) {
      this.#view.setInt32(this.#end, 0, true)
      this.#view.setInt32(this.#end + 4, NAN_HIGH, true)
    } else this.#view.setFloat64(this.#end, value, true)
    this.#end += 8
  }

  /** A whole number of 64 bits, with its sign; of a longer one its lowest 64 bits. */
  integer(value: bigint): void {
    this.#reserve(8)
    this.#view.setBigInt64(this.#end, BigInt.asIntN(64, value), true)
    this.#end += 8
  }

  /** UTF-16, so that lone surrogates stay what they are. */
  text(value: string): void {
    this.#reserve(4 + value.length * 2)
    const length = this.#bytes.write(value, this.#end + 4, 'utf16le')
    this.#view.setInt32(this.#end, length, true)
    this.#end += 4 + length
  }

  cell(value: Cell): void {
    if (value === null) this.byte(CELL.null)
    else if (typeof value === 'string') {
      this.byte(CELL.text)
      this.text(value)
    } else if (typeof value === 'boolean') this.byte(value ? CELL.true : CELL.false)
    else if (typeof value === 'bigint') {
      this.byte(CELL.integer)
      this.integer(value)
    } else {
      this.byte(CELL.number)
      this.number(value)
    }
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#bytes.set(value, this.#end)
    this.#end += value.length
  }

  /** Writes a whole number into bytes that were written before, where its place was not known yet. */
  patch(at: number, value: number): void {
    this.#view.setInt32(at, value, true)
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#end + bytes))
    this.#bytes.copy(larger, 0, 0, this.#end)
    this.#bytes = larger
    this.#view = viewOf(larger)
  }
}

/** Reads and writes numbers faster than the methods of a Buffer. */
function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Throws RangeError when it is asked for more than there is. */
export class StateReader {
  #bytes: Buffer
  #view: DataView
  #at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
    this.#at = at
  }

  /** What is read from, with `position` the place in it; lent until the next `seek`. */
  get bytes(): Buffer {
    return this.#bytes
  }

  /** Where the next read begins. */
  get position(): number {
    return this.#at
  }

  /** Goes to a place, of the same bytes or of others. */
  seek(at: number, bytes: Buffer = this.#bytes): void {
    if (bytes !== this.#bytes) this.#view = viewOf(bytes)
    this.#bytes = bytes
    this.#at = at
  }

  byte(): number {
    return this.#view.getUint8(this.#at++)
  }

  whole(): number {
    const value = this.#view.getInt32(this.#at, true)
    this.#at += 4
    return value
  }

  number(): number {
    const value = this.#view.getFloat64(this.#at, true)
    this.#at += 8
    return value
  }

  integer(): bigint {
    const value = this.#view.getBigInt64(this.#at, true)
    this.#at += 8
    return value
  }

  text(): string {
    const length = this.whole()
    if (length < 0 || this.#at + length > this.#bytes.length) throw new RangeError('a text reaches past its bytes')
    const value = this.#bytes.toString('utf16le', this.#at, this.#at + length)
    this.#at += length
    return value
  }

  cell(): Cell {
    const tag = this.byte()
    if (tag === CELL.null) return null
    if (tag === CELL.text) return this.text()
    if (tag === CELL.number) return this.number()
    if (tag === CELL.integer) return this.integer()
    return tag === CELL.true
  }
}

/** A cell of a column that was read out of state: decimals were doubles once. */
export function stateCell(cell: Cell, { decimal, type }: Column): Cell {
  if (type !== 'decimal' || typeof cell !== 'number') return cell
  const scaled = decimalOfDigits(String(cell), decimal!)
  // A double that a computation left: the nearest decimal, which is what the warehouse was given.
  return scaled ?? BigInt(Math.round(cell * 10 ** decimal!.scale))
}
