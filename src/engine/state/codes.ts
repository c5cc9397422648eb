/** Small whole numbers for the cells of a column: equal cells, equal codes; 0 is null. */
import { grown } from './key-table.ts'

/** Whole numbers below this, as ids mostly are, are looked up in an array: at most 8 MiB of it. */
const SMALL_MAX = 1 << 21

/** Codes for doubles: an array for small whole numbers, a hash table for the rest. -0 is 0, all NaN are one. */
export class NumberCodes {
  #small = new Int32Array(1 << 12)
  #entries = new Int32Array(1024)
  #values = new Float64Array(1024)
  #count = 0
  readonly #double = new Float64Array(1)
  readonly #words = new Int32Array(this.#double.buffer)

  get size(): number {
    return this.#count
  }

  /** The code of a number, from 1 on. */
  of(value: number): number {
    if (value >= 0 && value < SMALL_MAX && value === Math.trunc(value)) {
      if (value >= this.#small.length) {
        const length = 2 ** Math.ceil(Math.log2(value + 1))
        this.#small = grown(this.#small, new Int32Array(length))
      }
      const known = this.#small[value]!
      if (known !== 0) return known
      this.#small[value] = ++this.#count
      return this.#count
    }
    this.#double[0] = Number.isNaN(value) ? Number.NaN : value
    const mask = this.#entries.length - 1
    const mixed = Math.imul(this.#words[0]! ^ Math.imul(this.#words[1]!, 0x9e3779b1), 0x85ebca6b)
    let index = (mixed ^ (mixed >>> 15)) & mask
    for (;;) {
      const code = this.#entries[index]!
      if (code === 0) break
      if (Object.is(this.#values[index], this.#double[0])) return code
      index = (index + 1) & mask
    }
    const code = ++this.#count
    this.#entries[index] = code
    this.#values[index] = this.#double[0]
    if (code * 2 > this.#entries.length) this.#grow()
    return code
  }

  #grow(): void {
    const entries = this.#entries
    const values = this.#values
    this.#entries = new Int32Array(entries.length * 2)
    this.#values = new Float64Array(entries.length * 2)
    const mask = this.#entries.length - 1
    for (let from = 0; from < entries.length; from++) {
      if (entries[from] === 0) continue
      this.#double[0] = values[from]!
      const mixed = Math.imul(this.#words[0]! ^ Math.imul(this.#words[1]!, 0x9e3779b1), 0x85ebca6b)
      let index = (mixed ^ (mixed >>> 15)) & mask
      while (this.#entries[index] !== 0) index = (index + 1) & mask
      this.#entries[index] = entries[from]!
      this.#values[index] = values[from]!
    }
  }
}

/** Codes for pairs of 32 bits: of codes, so that a composite key becomes one code column by column; of 64-bit integers. */
export class PairCodes {
  #first = new Int32Array(1024)
  #second = new Int32Array(1024)
  #codes = new Int32Array(1024)
  #count = 0

  get size(): number {
    return this.#count
  }

  /** The code of a pair, from 1 on. */
  of(first: number, second: number): number {
    const mask = this.#codes.length - 1
    let index = pairHash(first, second) & mask
    for (;;) {
      const code = this.#codes[index]!
      if (code === 0) break
      if (this.#first[index] === first && this.#second[index] === second) return code
      index = (index + 1) & mask
    }
    this.#first[index] = first
    this.#second[index] = second
    this.#codes[index] = ++this.#count
    const code = this.#count
    if (this.#count * 2 > this.#codes.length) this.#grow()
    return code
  }

  #grow(): void {
    const { length } = this.#codes
    const first = this.#first
    const second = this.#second
    const codes = this.#codes
    this.#first = new Int32Array(length * 2)
    this.#second = new Int32Array(length * 2)
    this.#codes = new Int32Array(length * 2)
    const mask = length * 2 - 1
    for (let from = 0; from < length; from++) {
      if (codes[from] === 0) continue
      let index = pairHash(first[from]!, second[from]!) & mask
      while (this.#codes[index] !== 0) index = (index + 1) & mask
      this.#first[index] = first[from]!
      this.#second[index] = second[from]!
      this.#codes[index] = codes[from]!
    }
  }
}

function pairHash(first: number, second: number): number {
  const mixed = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b)
  return Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b) >>> 8
}

/** An array by code that grows with the codes; new cells hold -1. */
export class SlotByCode {
  #slots = new Int32Array(1024).fill(-1)

  get slots(): Int32Array {
    return this.#slots
  }

  ensure(code: number): void {
    if (code < this.#slots.length) return
    const larger = new Int32Array(Math.max(code + 1, this.#slots.length * 2)).fill(-1)
    this.#slots = grown(this.#slots, larger)
  }

  clear(): void {
    this.#slots.fill(-1)
  }
}
