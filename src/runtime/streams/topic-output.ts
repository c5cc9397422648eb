/** A stream whose rows are stored in a log; it takes part in the epochs. */
import type { Batch } from '../../engine/batch.ts'
import type { TopicLog } from '../../log/topic-log.ts'
import type { StreamNode } from '../../plan/nodes.ts'
import type { EpochMember } from '../checkpoint/epochs.ts'
import { type RowForm, storedRows, storedRowWriter } from './stored-rows.ts'

export class TopicOutput implements EpochMember {
  readonly name: string
  readonly stream: StreamNode
  readonly log: TopicLog
  readonly #write: (batch: Batch) => Uint8Array
  readonly #onRows: () => void
  #failure: Error | null = null

  constructor(name: string, stream: StreamNode, log: TopicLog, form: RowForm, onRows: () => void) {
    this.name = name
    this.stream = stream
    this.log = log
    this.#write = storedRowWriter(stream.columns, form)
    this.#onRows = onRows
  }

  /** Rows of the stream so far, those of earlier runs included. */
  get rows(): number {
    return this.log.next
  }

  async write(batch: Batch): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    this.log.put({ bytes: this.#write(batch), count: batch.length }, error => {
      this.#failure ??= error
    })
    this.#onRows()
  }

  /** The last rows that are safe, oldest first. */
  *last(rowsMax: number): Generator<Batch, void, undefined> {
    for (const rows of storedRows(
      this.log,
      this.stream.columns,
      Math.max(this.log.start, this.log.durable - rowsMax),
    )) {
      if (!('kind' in rows)) yield rows
    }
  }

  /** A restart goes back to here: rows that come while the epoch becomes safe must not stand in one block with its own. */
  staged(): void {
    this.log.seal()
  }

  async sync(): Promise<void> {
    await this.log.commit()
    if (this.#failure !== null) throw this.#failure
  }
}
