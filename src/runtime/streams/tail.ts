/** The last rows of a stream, in memory, as the column batches in which they came. */
import { type Batch, batchBytes, sliceBatch } from '../../engine/batch.ts'

/** Rows that follow one another; the first of them has the position `from`. */
export interface Rows {
  readonly from: number
  readonly batch: Batch
}

interface Held extends Rows {
  readonly bytes: number
}

export class Tail {
  #held: Held[] = []
  /** Batches in front of it were dropped. */
  #first = 0
  #bytes = 0

  /** Position of the first row that is here, or would be. */
  get start(): number {
    return this.#held[this.#first]?.from ?? Number.POSITIVE_INFINITY
  }

  /** What the batches take, roughly. */
  get bytes(): number {
    return this.#bytes
  }

  /** Keeps a batch of its own, which follows the one before. */
  append(from: number, batch: Batch): void {
    const bytes = batchBytes(batch)
    this.#held.push({ from, batch, bytes })
    this.#bytes += bytes
  }

  /** Rows from a position on, up to `to` (excluded) at most; null where they are not here. */
  at(position: number, to: number): Rows | null {
    const found = this.#held[this.#indexOf(position)]
    if (found === undefined || position >= to) return null
    const { from, batch } = found
    if (position < from || position >= from + batch.length) return null
    return { from: position, batch: sliceBatch(batch, position - from, Math.min(batch.length, to - from)) }
  }

  /** Drops the batches that end at the position or before it. */
  dropBelow(position: number): void {
    while (this.#first < this.#held.length) {
      const { from, batch } = this.#held[this.#first]!
      if (from + batch.length > position) break
      this.#dropFirst()
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
