/** Where the rows of a stream go: a stored topic, or a sink; each takes part in the epochs. */
import type { Sink, SinkModule } from '../connectors/contract.ts'
import type { Warehouse } from '../connectors/duckdb/warehouse.ts'
import { type Batch, copyBatch } from '../engine/batch.ts'
import type { TopicLog } from '../log/topic-log.ts'
import type { DeliverNode, StreamNode } from '../plan/nodes.ts'
import type { Clock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import type { EpochMember } from './epochs.ts'
import { type RowForm, storedRows, storedRowWriter } from './stored-rows.ts'

/** Rows that wait while a sink commits: more, and the stream waits with them. */
const WAITING_ROWS_MAX = 200_000

/** A stream whose rows are records of a stored topic. */
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

  staged(): void {}

  async sync(): Promise<void> {
    await this.log.commit()
    if (this.#failure !== null) throw this.#failure
  }
}

/** A sink: what it commits is never ahead of the epoch, so a run that goes on from its epoch never meets a row twice. */
export class Delivery implements EpochMember {
  readonly name: string
  readonly stream: StreamNode
  readonly #sink: Sink
  readonly #clock: Clock
  readonly #commitEvery_ms: number
  readonly #onRows: () => void
  #rows: number
  /** Rows that the sink has committed, or will when the commit under way is done. */
  #committed: number
  #lastCommit_ms: number
  /** Rows at the epoch under way whose commit this sink takes part in; null: it does not. */
  #epochRows: number | null = null
  #isCommitting = false
  #waiting: Batch[] = []
  #waitingRows = 0
  #drained: (() => void)[] = []
  #committing: Promise<void> = Promise.resolve()
  #failure: unknown = null
  #hurries = false

  constructor(
    target: { readonly name: string; readonly stream: StreamNode; readonly sink: Sink },
    rows: number,
    options: { readonly clock: Clock; readonly commitEvery_ms: number; readonly onRows: () => void },
  ) {
    this.name = target.name
    this.stream = target.stream
    this.#sink = target.sink
    this.#clock = options.clock
    this.#commitEvery_ms = options.commitEvery_ms
    this.#onRows = options.onRows
    this.#rows = rows
    this.#committed = rows
    this.#lastCommit_ms = options.clock.monotonic_ms()
  }

  get rows(): number {
    return this.#rows
  }

  /** Rows that the sink holds for good. */
  get committed(): number {
    return this.#committed
  }

  async write(batch: Batch): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    this.#rows += batch.length
    this.#onRows()
    if (this.#epochRows === null) return await this.#sink.write(batch)
    // The sink's transaction ends with the epoch: what comes after it waits for the next one.
    this.#waiting.push(copyBatch(batch))
    this.#waitingRows += batch.length
    if (this.#waitingRows > WAITING_ROWS_MAX) await new Promise<void>(resolve => this.#drained.push(resolve))
  }

  staged(): void {
    const isDue = this.#hurries || this.#clock.monotonic_ms() - this.#lastCommit_ms >= this.#commitEvery_ms
    if (!isDue || this.#epochRows !== null) return
    this.#hurries = false
    if (this.#rows > this.#committed) this.#epochRows = this.#rows
  }

  async sync(): Promise<void> {
    if (this.#failure !== null) throw this.#failure
  }

  /** The epoch is safe: the sink commits, and nobody waits for it. */
  whenSafe(onCommitted: (rows: number) => void): void {
    const rows = this.#epochRows
    // Of an earlier epoch: a sink that is slow takes part in none of those meanwhile.
    if (rows === null || this.#isCommitting) return
    this.#isCommitting = true
    this.#committing = this.#commit(rows).then(
      () => onCommitted(rows),
      error => {
        this.#failure = error
        this.#letGo()
      },
    )
  }

  /** Resolves when no commit is under way. Rejects with what the sink failed with. */
  async settle(): Promise<void> {
    await this.#committing
    if (this.#failure !== null) throw this.#failure
  }

  /** Commits what was written, all of it rows of an epoch that is safe. */
  async commitNow(): Promise<void> {
    await this.#commit(this.#rows)
  }

  /** The next epoch is committed, however short ago the last one was. */
  hurry(): void {
    this.#hurries = true
  }

  async close(): Promise<void> {
    await this.#committing
    await this.#sink.close()
  }

  async #commit(rows: number): Promise<void> {
    await this.#sink.commit(rows)
    this.#committed = rows
    this.#lastCommit_ms = this.#clock.monotonic_ms()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.shift()!
      this.#waitingRows -= batch.length
      await this.#sink.write(batch)
    }
    this.#letGo()
  }

  #letGo(): void {
    this.#epochRows = null
    this.#isCommitting = false
    for (const resolve of this.#drained.splice(0)) resolve()
  }
}

/** The name under which people know where a stream is delivered. */
export function targetName({ target }: DeliverNode): string {
  if (target.kind === 'table') return target.table
  const { connector, options } = target.sink
  return typeof options.path === 'string' && options.path !== '' ? options.path : connector
}

/** The sink of a stream that is delivered, with the name under which people know it. */
export async function sinkOf(
  node: DeliverNode,
  warehouse: () => Promise<Warehouse>,
): Promise<{ name: string; sink: Sink; key: readonly string[] }> {
  const { target } = node
  const name = targetName(node)
  if (target.kind === 'table') {
    const sink = (await warehouse()).table({ table: target.table, mode: target.mode })
    return { name, sink, key: target.mode === 'upsert' ? target.key : [] }
  }
  const { connector, options } = target.sink
  const module = (await target.sink.open()) as Partial<SinkModule>
  if (typeof module.openSink !== 'function') {
    throw new MillraceError('PIPELINE_INVALID', `The connector ${connector} cannot be delivered to.`)
  }
  return { name, sink: await module.openSink(options), key: [] }
}
