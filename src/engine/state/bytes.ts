/** Cells of state as bytes, little-endian, one after the other; the reader asks in the order of the writer. */
import type { Cell } from '../../plan/schema.ts'

const CELL = { null: 0, text: 1, false: 2, true: 3, number: 4 } as const

export class StateWriter {
  #bytes = Buffer.allocUnsafe(4096)
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
    this.#end = this.#bytes.writeInt32LE(value, this.#end)
  }

  number(value: number): void {
    this.#reserve(8)
    this.#end = this.#bytes.writeDoubleLE(value, this.#end)
  }

  /** UTF-16, so that lone surrogates stay what they are. */
  text(value: string): void {
    this.#reserve(4 + value.length * 2)
    const length = this.#bytes.write(value, this.#end + 4, 'utf16le')
    this.#bytes.writeInt32LE(length, this.#end)
    this.#end += 4 + length
  }

  cell(value: Cell): void {
    if (value === null) this.byte(CELL.null)
    else if (typeof value === 'string') {
      this.byte(CELL.text)
      this.text(value)
    } else if (typeof value === 'boolean') this.byte(value ? CELL.true : CELL.false)
    else {
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
    this.#bytes.writeInt32LE(value, at)
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#end + bytes))
    this.#bytes.copy(larger, 0, 0, this.#end)
    this.#bytes = larger
  }
}

/** Throws RangeError when it is asked for more than there is. */
export class StateReader {
  #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
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
    this.#bytes = bytes
    this.#at = at
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#at++)
  }

  whole(): number {
    const value = this.#bytes.readInt32LE(this.#at)
    this.#at += 4
    return value
  }

  number(): number {
    const value = this.#bytes.readDoubleLE(this.#at)
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
    return tag === CELL.true
  }
}
