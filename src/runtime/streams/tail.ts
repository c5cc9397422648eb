/** The last rows of a stream, in memory, as the column batches in which they came. */
import { type Batch, copyBatch, sliceBatch } from '../../engine/batch.ts'
import { BatchSizes } from '../../engine/batch-sizes.ts'

/** Rows that follow one another; the first of them has the position `from`. */
export interface Rows {
  readonly from: number
  readonly batch: Batch
}

interface Held extends Rows {
  readonly bytes: number
}

/** Batches whose arrays wait to be used again: fresh memory costs more than the copy. */
const SPARE_MAX = 4

export class Tail {
  #held: Held[] = []
  /** Batches in front of it were dropped. */
  #first = 0
  #bytes = 0
  #spare: Batch[] = []
  readonly #sizes = new BatchSizes()
  /** Batches in front of it may still be read by a call that nobody waits for. */
  #lentBelow = 0

  /** Position of the first row that is here, or would be. */
  get start(): number {
    return this.#held[this.#first]?.from ?? Number.POSITIVE_INFINITY
  }

  /** What the batches take, roughly. */
  get bytes(): number {
    return this.#bytes
  }

  /** Keeps a copy of a batch, which follows the one before. */
  append(from: number, batch: Batch): void {
    const bytes = this.#sizes.bytesOf(batch)
    this.#held.push({ from, batch: copyBatch(batch, this.#spare.pop() ?? null), bytes })
    this.#bytes += bytes
  }

  /** A reader gave up a call: the rows that are here now may be read for as long as it goes on. */
  abandoned(): void {
    const last = this.#held.at(-1)
    if (last !== undefined) this.#lentBelow = last.from + last.batch.length
    this.#spare = []
  }

  /** Rows from a position on, up to `to` (excluded) at most; null where they are not here. */
  at(position: number, to: number): Rows | null {
    const index = this.#indexOf(position)
    if (index < this.#first || position >= to) return null
    const { from, batch } = this.#held[index]!
    if (position >= from + batch.length) return null
    return { from: position, batch: sliceBatch(batch, position - from, Math.min(batch.length, to - from)) }
  }

  /** Drops the batches that end at the position or before it: all readers have taken them. */
  dropBelow(position: number): void {
    while (this.#first < this.#held.length) {
      const { from, batch } = this.#held[this.#first]!
      if (from + batch.length > position) break
      this.#dropFirst()
      if (from >= this.#lentBelow && this.#spare.length < SPARE_MAX) this.#spare.push(batch)
    }
  }

  /** Drops the oldest batches until the rest takes no more than this. */
  shrinkTo(bytes: number): void {
    while (this.#bytes > bytes && this.#first < this.#held.length) this.#dropFirst()
  }

  #dropFirst(): void {
    this.#bytes -= this.#held[this.#first]!.bytes
    this.#first++
    if (this.#first < 64 && this.#first < this.#held.length) return
    this.#held = this.#held.slice(this.#first)
    this.#first = 0
  }

  /** The last batch that begins at the position or before it. */
  #indexOf(position: number): number {
    let low = this.#first
    let high = this.#held.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#held[middle]!.from <= position) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}
