/**
 * Keys that were seen of late, each with a mark: the oldest are forgotten first, when they are too old or too many.
 *
 * A key is kept as the first 128 bits of its SHA-256, so that one of 256 bytes costs no more than one of 8: two different
 * keys have the same ones by chance once in 2^64 keys, and nobody can look for two that do. `KEY_BYTES` is what a key
 * costs in memory, all arrays together; 28 bytes of it are written to the journal, once.
 */
import { hash } from 'node:crypto'
import { secretBytes } from '../../system/random.ts'
import type { StateReader, StateWriter } from './bytes.ts'
import { grown } from './key-table.ts'
import { ChangedSlots, type Stateful, type StateTable, stateTable } from './table.ts'

export const KEY_BYTES = 41

const WORDS = 4
const DIGEST_BYTES = WORDS * 4
const NONE = -1

export class RecentKeys implements Stateful {
  readonly identity: string
  readonly tables: readonly StateTable[]
  readonly #keysMax: number
  readonly #changed: ChangedSlots
  /** By slot: the digest, when the key came (seconds since the epoch; 0: the slot is free), its mark, the next slot. */
  #digests = new Uint32Array(0)
  #seconds = new Uint32Array(0)
  #marks = new Uint8Array(0)
  /** Of the key that came next, or of the next free slot. */
  #next = new Int32Array(0)
  /** Slots by their digests, with open addresses: a slot + 1, or 0; at most half of it is taken. */
  #index = new Int32Array(0)
  #shift = 32
  /** Where a digest begins to look, so that nobody can choose keys that stand in one place. */
  readonly #salt = Buffer.from(secretBytes(4)).readUInt32LE()
  #slots = 0
  #oldest = NONE
  #newest = NONE
  #free = NONE
  #size = 0

  /** `identity`: what the state is stored under. `bytesMax`: of memory, about. `keepsState`: as with any state. */
  constructor(identity: string, bytesMax: number, keepsState = true) {
    this.identity = identity
    this.#keysMax = Math.max(1, Math.floor(bytesMax / KEY_BYTES))
    this.#changed = new ChangedSlots(keepsState)
    const keys = stateTable('keys', this.#changed, {
      slots: () => this.#slots,
      write: (slot, to) => this.#write(slot, to),
      read: (slot, from) => this.#read(slot, from),
    })
    this.tables = [keys]
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#size
  }

  /** The mark of a key (`digestOfKey`); 0: it was not seen, or is forgotten. */
  markOf(digest: Buffer): number {
    if (this.#size === 0) return 0
    const at = this.#placeOf(digest)
    const slot = this.#index[at]! - 1
    return slot < 0 ? 0 : this.#marks[slot]!
  }

  /** Gives a key a mark from 1 to 255. One that is new counts from `arrival_us` (wall clock, microseconds). */
  add(digest: Buffer, mark: number, arrival_us: number): void {
    const known = this.#size === 0 ? NONE : this.#index[this.#placeOf(digest)]! - 1
    if (known >= 0) {
      if (this.#marks[known] === mark) return
      this.#marks[known] = mark
      this.#changed.mark(known)
      return
    }
    while (this.#size >= this.#keysMax) this.#forgetOldest()
    const slot = this.#newSlot()
    for (let word = 0; word < WORDS; word++) this.#digests[slot * WORDS + word] = digest.readUInt32LE(word * 4)
    this.#seconds[slot] = Math.max(1, Math.floor(arrival_us / 1e6))
    this.#marks[slot] = mark
    this.#append(slot)
    this.#changed.mark(slot)
  }

  /** Forgets the keys that came before a moment of the wall clock, in microseconds, up to the first one that did not. */
  forgetBefore(arrival_us: number): void {
    const before = arrival_us / 1e6
    while (this.#oldest >= 0 && this.#seconds[this.#oldest]! < before - 1) this.#forgetOldest()
  }

  restored(): void {
    const slots = Array.from({ length: this.#slots }, (_, slot) => slot)
    const used = slots.filter(slot => this.#seconds[slot] !== 0)
    for (const slot of used.sort((a, b) => this.#seconds[a]! - this.#seconds[b]!)) this.#append(slot)
    for (const slot of slots.reverse()) if (this.#seconds[slot] === 0) this.#release(slot)
  }

  /** Puts a slot that is filled behind the others. */
  #append(slot: number): void {
    this.#size++
    if (this.#size * 2 > this.#index.length) this.#growIndex()
    this.#index[this.#emptyPlaceOf(slot)] = slot + 1
    this.#next[slot] = NONE
    if (this.#newest >= 0) this.#next[this.#newest] = slot
    else this.#oldest = slot
    this.#newest = slot
  }

  #forgetOldest(): void {
    const slot = this.#oldest
    this.#oldest = this.#next[slot]!
    if (this.#oldest < 0) this.#newest = NONE
    this.#removeFromIndex(slot)
    this.#release(slot)
    this.#size--
    this.#changed.mark(slot)
  }

  #newSlot(): number {
    const slot = this.#free
    if (slot < 0) {
      this.#reserve(this.#slots)
      return this.#slots++
    }
    this.#free = this.#next[slot]!
    return slot
  }

  #release(slot: number): void {
    this.#seconds[slot] = 0
    this.#next[slot] = this.#free
    this.#free = slot
  }

  #reserve(slot: number): void {
    const slots = this.#seconds.length
    if (slot < slots) return
    const larger = slot < this.#keysMax ? Math.min(Math.max(256, slot * 2), this.#keysMax) : slot * 2
    this.#digests = grown(this.#digests, new Uint32Array(larger * WORDS))
    this.#seconds = grown(this.#seconds, new Uint32Array(larger))
    this.#marks = grown(this.#marks, new Uint8Array(larger))
    this.#next = grown(this.#next, new Int32Array(larger))
  }

  #home(firstWord: number): number {
    return Math.imul(firstWord ^ this.#salt, 0x9e3779b1) >>> this.#shift
  }

  /** Where the digest stands in the index, or the empty place where it would. */
  #placeOf(digest: Buffer): number {
    const mask = this.#index.length - 1
    for (let at = this.#home(digest.readUInt32LE(0)); ; at = (at + 1) & mask) {
      const slot = this.#index[at]! - 1
      if (slot < 0 || this.#isSame(slot, digest)) return at
    }
  }

  #isSame(slot: number, digest: Buffer): boolean {
    for (let word = 0; word < WORDS; word++) {
      if (this.#digests[slot * WORDS + word] !== digest.readUInt32LE(word * 4)) return false
    }
    return true
  }

  #emptyPlaceOf(slot: number): number {
    const mask = this.#index.length - 1
    let at = this.#home(this.#digests[slot * WORDS]!)
    while (this.#index[at] !== 0) at = (at + 1) & mask
    return at
  }

  /** Closes the hole that a slot leaves: what stands behind it must still be found from its own home. */
  #removeFromIndex(slot: number): void {
    const mask = this.#index.length - 1
    let hole = this.#home(this.#digests[slot * WORDS]!)
    while (this.#index[hole] !== slot + 1) hole = (hole + 1) & mask
    for (let at = (hole + 1) & mask; this.#index[at] !== 0; at = (at + 1) & mask) {
      const home = this.#home(this.#digests[(this.#index[at]! - 1) * WORDS]!)
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      this.#index[hole] = this.#index[at]!
      hole = at
    }
    this.#index[hole] = 0
  }

  #growIndex(): void {
    const slots = this.#index.filter(entry => entry !== 0)
    this.#index = new Int32Array(Math.max(512, this.#index.length * 2))
    this.#shift = 32 - Math.log2(this.#index.length)
    for (const entry of slots) this.#index[this.#emptyPlaceOf(entry - 1)] = entry
  }

  #write(slot: number, to: StateWriter): boolean {
    if (this.#seconds[slot] === 0) return false
    for (let word = 0; word < WORDS; word++) to.whole(this.#digests[slot * WORDS + word]! | 0)
    to.whole(this.#seconds[slot]! | 0)
    to.byte(this.#marks[slot]!)
    return true
  }

  #read(slot: number, from: StateReader): void {
    this.#reserve(slot)
    this.#slots = Math.max(this.#slots, slot + 1)
    for (let word = 0; word < WORDS; word++) this.#digests[slot * WORDS + word] = from.whole()
    this.#seconds[slot] = from.whole()
    this.#marks[slot] = from.byte()
  }
}

/** What a key is remembered by. */
export function digestOfKey(key: string): Buffer {
  // In UTF-8 all lone surrogates are one.
  return hash('sha256', Buffer.from(key, 'utf16le'), 'buffer').subarray(0, DIGEST_BYTES)
}
