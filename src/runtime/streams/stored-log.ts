/** The rows of a stream in a log of their own: a derived topic's, or one that only the sinks of the stream read. */
import type { Batch } from '../../engine/batch.ts'
import type { TopicLog } from '../../log/topic-log.ts'
import type { Column } from '../../plan/schema.ts'
import type { History, HistoryRows } from './history.ts'
import { type RowForm, storedRows, storedRowWriter } from './stored-rows.ts'

export class StoredLog implements History {
  /** The topic, or the name of the delivery log. */
  readonly name: string
  readonly log: TopicLog
  readonly #columns: readonly Column[]
  readonly #write: (batch: Batch) => Uint8Array
  #failure: Error | null = null

  constructor(name: string, columns: readonly Column[], log: TopicLog, form: RowForm) {
    this.name = name
    this.log = log
    this.#columns = columns
    this.#write = storedRowWriter(columns, form)
  }

  get start(): number {
    return this.log.start
  }

  /** Rows of the stream so far, those of earlier runs included. */
  get rows(): number {
    return this.log.next
  }

  /** Throws what an earlier append failed with, and what this one does. */
  append(batch: Batch): void {
    if (this.#failure !== null) throw this.#failure
    this.log.put({ bytes: this.#write(batch), count: batch.length }, error => {
      this.#failure ??= error
    })
  }

  /** A restart goes back to here: rows that come while the epoch becomes safe must not stand in one block with its own. */
  staged(): void {
    this.log.seal()
  }

  async sync(): Promise<void> {
    await this.log.commit()
    if (this.#failure !== null) throw this.#failure
  }

  pin(position: () => number): void {
    this.log.pin(position)
  }

  async *read(from: number, to: number): AsyncGenerator<HistoryRows, void, undefined> {
    let position = from
    for (const rows of storedRows(this.log, this.#columns, from, to)) {
      if ('kind' in rows) {
        yield { kind: 'lost', topic: this.name, fromOffset: rows.from, toOffset: rows.to, reason: rows.reason }
        yield { kind: 'skip', to: rows.to }
        position = rows.to
        continue
      }
      yield { kind: 'rows', from: position, batch: rows }
      position += rows.length
    }
  }

  /** The last rows that are safe, oldest first. */
  *last(rowsMax: number): Generator<Batch, void, undefined> {
    const from = Math.max(this.log.start, this.log.durable - rowsMax)
    for (const rows of storedRows(this.log, this.#columns, from)) if (!('kind' in rows)) yield rows
  }
}
