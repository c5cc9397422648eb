/** Those who look at the rows of a step as soon as they are safe: panels of the page, taps. */
import { type Batch, copyBatch } from '../../engine/batch.ts'
import type { EpochMember } from '../checkpoint/epochs.ts'

/** Rows that wait for their epoch: beyond it the oldest go, for who looks is never worth the stream's memory. */
const WAITING_ROWS_MAX = 100_000

export type Watcher = (batch: Batch) => void

/** The watchers of one step, an output of the flow. */
export class WatchedStep implements EpochMember {
  readonly #watchers = new Set<Watcher>()
  #waiting: Batch[] = []
  #waitingRows = 0
  #staged = 0
  #onRows: () => void = () => {}

  add(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** An attempt begins: rows of one that has failed are not shown. `onRows` is called when rows wait to be safe. */
  begin(onRows: () => void): void {
    this.#onRows = onRows
    this.#waiting = []
    this.#waitingRows = 0
    this.#staged = 0
  }

  async write(batch: Batch): Promise<void> {
    if (this.#watchers.size === 0) return
    this.#waiting.push(copyBatch(batch))
    this.#waitingRows += batch.length
    this.#onRows()
    while (this.#waitingRows > WAITING_ROWS_MAX && this.#waiting.length > 1) {
      this.#waitingRows -= this.#waiting.shift()!.length
      this.#staged = Math.max(0, this.#staged - 1)
    }
  }

  staged(): void {
    this.#staged = this.#waiting.length
  }

  async sync(): Promise<void> {}

  whenSafe(): void {
    const safe = this.#waiting.splice(0, this.#staged)
    this.#staged = 0
    for (const batch of safe) {
      this.#waitingRows -= batch.length
      for (const watcher of this.#watchers) watcher(batch)
    }
  }
}
