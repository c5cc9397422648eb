/** The texts of one column that the decoder has met: a table in its memory that generated code looks up, and a dictionary. */
import type { Dictionary } from '../batch.ts'
import { ENTRY, ENTRY_BYTES, STORED_FIRST, STORED_REFUSED } from './layout.ts'
import type { DecoderMemory } from './memory.ts'

const ENTRIES_FIRST = 1 << 10
/** A column with more distinct texts than this starts a new dictionary, so that memory stays bounded. */
const TEXTS_MAX = 1 << 18
const LONG_TEXT_BYTES_MAX = 32 << 20
/** Longer texts are left to the slow path: a table is for texts that come again. */
const TEXT_BYTES_MAX = 4096
/** Refused texts that are remembered; their lines go the slow way in any case. */
const REFUSED_MAX = 1 << 10

export class TextTable {
  readonly #memory: DecoderMemory
  readonly #header: number
  readonly #accepts: ((value: string) => boolean) | null
  #values: string[] = []
  #dictionary: Dictionary = { values: this.#values }
  #codes = new Map<string, number>()
  #base = 0
  #capacity = 0
  #used = 0
  #refused = 0
  #longBytes = 0

  constructor(memory: DecoderMemory, header: number, accepts: ((value: string) => boolean) | null) {
    this.#memory = memory
    this.#header = header
    this.#accepts = accepts
    this.#place(ENTRIES_FIRST)
  }

  get dictionary(): Dictionary {
    return this.#dictionary
  }

  /** Between batches: starts anew when too many texts are held. */
  renewWhenLarge(): void {
    if (this.#values.length < TEXTS_MAX && this.#longBytes < LONG_TEXT_BYTES_MAX) return
    this.#values = []
    this.#dictionary = { values: this.#values }
    this.#codes = new Map()
    this.#longBytes = 0
    this.#used = 0
    this.#refused = 0
    this.#memory.resetTexts(this)
    this.#memory.bytes.fill(0, this.#base, this.#base + this.#capacity * ENTRY_BYTES)
  }

  /** Called by generated code with a text that the table does not hold: adds it and answers its stored code. */
  add(start: number, length: number, hash: number): number {
    if (length > TEXT_BYTES_MAX) return STORED_REFUSED
    const text = this.#memory.text(start, length)
    const stored =
      text === null || (this.#accepts !== null && !this.#accepts(text))
        ? STORED_REFUSED
        : this.codeOf(text) + STORED_FIRST
    // A refused text is not kept when it is long or one of many: it would only cost memory.
    if (stored === STORED_REFUSED && (length > 16 || ++this.#refused > REFUSED_MAX)) return stored
    if ((this.#used + 1) * 2 > this.#capacity) this.#grow()
    let address = 0
    if (length > 16) address = this.#memory.keepText(this, start, length)
    const entry = this.#freeEntry(hash)
    const { bytes, words } = this.#memory
    bytes.fill(0, entry, entry + ENTRY.hash)
    bytes.copyWithin(entry + ENTRY.first, start, start + Math.min(length, 8))
    if (length >= 8) bytes.copyWithin(entry + ENTRY.last, start + length - 8, start + length)
    words[(entry + ENTRY.hash) >> 2] = hash
    words[(entry + ENTRY.length) >> 2] = length
    words[(entry + ENTRY.stored) >> 2] = stored
    words[(entry + ENTRY.address) >> 2] = address
    this.#used++
    return stored
  }

  /** The code of a text in the dictionary, added when it is new. */
  codeOf(text: string): number {
    let code = this.#codes.get(text)
    if (code === undefined) {
      code = this.#values.push(text) - 1
      this.#codes.set(text, code)
      if (text.length > 16) this.#longBytes += text.length
    }
    return code
  }

  #freeEntry(hash: number): number {
    const { words } = this.#memory
    let index = hash & (this.#capacity - 1)
    for (;;) {
      const entry = this.#base + index * ENTRY_BYTES
      if (words[(entry + ENTRY.stored) >> 2] === 0) return entry
      index = (index + 1) & (this.#capacity - 1)
    }
  }

  #grow(): void {
    const oldBase = this.#base
    const oldCapacity = this.#capacity
    this.#place(oldCapacity * 2)
    const { bytes, words } = this.#memory
    for (let index = 0; index < oldCapacity; index++) {
      const entry = oldBase + index * ENTRY_BYTES
      if (words[(entry + ENTRY.stored) >> 2] === 0) continue
      bytes.copyWithin(this.#freeEntry(words[(entry + ENTRY.hash) >> 2]!), entry, entry + ENTRY_BYTES)
    }
  }

  #place(capacity: number): void {
    this.#capacity = capacity
    this.#base = this.#memory.allocate(capacity * ENTRY_BYTES)
    this.#memory.words[this.#header >> 2] = this.#base
    this.#memory.words[(this.#header >> 2) + 1] = capacity - 1
  }
}
