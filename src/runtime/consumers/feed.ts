/**
 * Subscriptions to the rows of a step as soon as they are safe: panels of the page, taps. A feed outlives an attempt; it
 * reads what is in memory alone, for who looks on is never worth the stream's time.
 */
import type { Batch } from '../../engine/batch.ts'
import type { OutputStream, Reader } from '../streams/output-stream.ts'

/** Rows that may wait for their epoch: beyond it the oldest are not shown. */
const WAITING_ROWS_MAX = 100_000

export type Subscriber = (batch: Batch) => void

export class Feed implements Reader {
  /** Whether an epoch is to be taken soon after rows came. */
  isUrgent = false
  readonly #subscribers = new Set<Subscriber>()
  #stream: OutputStream | null = null
  #position = 0

  get position(): number {
    return this.#position
  }

  /** It asks for no row twice. */
  get committed(): number {
    return Number.POSITIVE_INFINITY
  }

  /** Answers what ends the subscription. */
  subscribe(subscriber: Subscriber): () => void {
    if (this.#subscribers.size === 0) this.#begin()
    this.#subscribers.add(subscriber)
    return () => {
      this.#subscribers.delete(subscriber)
      if (this.#subscribers.size === 0) this.#stream?.remove(this)
    }
  }

  /** An attempt begins: rows of one that failed are not shown. */
  attach(stream: OutputStream, isUrgent: boolean): void {
    this.#stream = stream
    this.isUrgent = isUrgent
    if (this.#subscribers.size > 0) this.#begin()
  }

  wake(): void {
    const stream = this.#stream!
    this.#position = Math.max(this.#position, stream.end - WAITING_ROWS_MAX)
    while (this.#position < stream.safe) {
      const rows = stream.recent(this.#position, stream.safe)
      if (rows === null) this.#position = Math.min(stream.safe, Math.max(this.#position + 1, stream.recentStart))
      else {
        this.#position += rows.batch.length
        for (const subscriber of this.#subscribers) subscriber(rows.batch)
      }
    }
  }

  #begin(): void {
    if (this.#stream === null) return
    this.#position = this.#stream.end
    this.#stream.add(this)
  }
}
