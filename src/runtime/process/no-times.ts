/** Times for the rows of a topic without event time: no operator behind it asks for them. */
import type { Batch } from '../../engine/batch.ts'
import type { Times } from '../../engine/times.ts'

export class NoTimes {
  #times: Times | null = null

  /** Lent until the next call. */
  of(batch: Batch): Times {
    if (this.#times === null || this.#times.time.length < batch.length) {
      const frontier = new Float64Array(batch.length).fill(Number.NEGATIVE_INFINITY)
      this.#times = {
        rows: batch.length,
        time: new Float64Array(batch.length),
        frontier,
        joint: frontier,
        keys: null,
        othersOfKey: null,
        partition: 0,
        firstOffset: 0,
        others: Number.NEGATIVE_INFINITY,
        othersClosed: Number.NEGATIVE_INFINITY,
      }
    }
    return { ...this.#times, rows: batch.length }
  }
}
