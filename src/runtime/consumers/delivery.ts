/**
 * The rows of a stream on their way to a sink.
 *
 * What a sink commits is never ahead of the epoch, so a run that goes on from its epoch never meets a row twice. It may
 * well be behind it: a sink that fails, or is slower than its stream, lets rows pass by. They are kept where they come
 * from (a log, or the source), and revival.ts gives them to the sink later. A sink that catches up `joins` at an epoch:
 * it is given all up to there, while what comes after waits, as it always does while a sink commits.
 */
import type { Sink } from '../../connectors/contract.ts'
import { type Batch, copyBatch } from '../../engine/batch.ts'
import type { StreamNode } from '../../plan/nodes.ts'
import type { Clock } from '../../system/clock.ts'
import type { MillraceError } from '../../system/errors.ts'
import type { EpochMember } from '../checkpoint/epochs.ts'
import type { SinkBehind } from '../options.ts'
import { toldAs } from '../warnings.ts'

/** Rows that wait while a sink commits: more, and the stream waits with them, or the sink falls behind. */
const WAITING_ROWS_MAX = 200_000

export interface DeliveryOptions {
  readonly clock: Clock
  readonly commitEvery_ms: number
  readonly onRows: () => void
  /**
   * The sink fails, or is slow (null): whether it may fall behind, and is brought back. Otherwise a failure ends the
   * attempt, and the stream waits for a sink that is slow.
   */
  readonly mayFallBehind: (error: unknown) => boolean
  /** It has fallen behind: from now on it is not given rows until it joins again. */
  readonly onBehind: () => void
}

/** Takes rows, in order. */
export type RowTaker = (batch: Batch) => Promise<void>

/** What happens to a sink when an epoch is safe. */
export interface SafeEpoch {
  /** Gives a sink that joins the rows from one of them up to another, which is the epoch's. */
  readonly give: (from: number, to: number, take: RowTaker) => Promise<void>
  readonly onCommitted: (rows: number) => void
}

export class Delivery implements EpochMember {
  readonly name: string
  readonly stream: StreamNode
  readonly #options: DeliveryOptions
  #sink: Sink | null = null
  #rows = 0
  /** Rows that the sink holds for good. */
  #committed = 0
  #lastCommit_ms: number
  #state: 'live' | 'behind' | 'joining' = 'live'
  /** Rows at the epoch under way whose commit this sink takes part in; null: it does not. */
  #epochRows: number | null = null
  #isCommitting = false
  #waiting: Batch[] = []
  #waitingRows = 0
  #drained: (() => void)[] = []
  #committing: Promise<void> = Promise.resolve()
  /** Ends the attempt. */
  #failure: unknown = null
  /** Why it is behind. */
  #error: MillraceError | null = null
  #hurries = false
  #joined: PromiseWithResolvers<void> | null = null

  constructor(name: string, stream: StreamNode, options: DeliveryOptions) {
    this.name = name
    this.stream = stream
    this.#options = options
    this.#lastCommit_ms = options.clock.monotonic_ms()
  }

  /** Rows of the stream so far. */
  get rows(): number {
    return this.#rows
  }

  /** Rows that the sink holds for good. */
  get committed(): number {
    return this.#committed
  }

  get isLive(): boolean {
    return this.#state === 'live'
  }

  get behind(): SinkBehind | null {
    if (this.isLive) return null
    return { rows: this.#rows - this.#committed, error: this.#error && toldAs(this.#error) }
  }

  /** Whether a commit is still to come that it takes part in. */
  get isDue(): boolean {
    return this.#state !== 'behind' && this.#committed < this.#rows
  }

  /** Takes a sink that was opened; it holds so many rows. */
  take(sink: Sink, committed: number): void {
    this.#sink = sink
    this.#committed = committed
  }

  /** Says how many rows the stream has had when it goes on. */
  begin(rows: number): void {
    this.#rows = rows
  }

  /** Gives the sink the rows that follow those it holds, and has it commit them. */
  async catchUp(give: (take: RowTaker) => Promise<void>): Promise<void> {
    const sink = this.#sink!
    let rows = this.#committed
    await give(batch => {
      rows += batch.length
      return sink.write(batch)
    })
    if (rows === this.#committed) return
    await sink.commit(rows)
    this.#committed = rows
  }

  async write(batch: Batch): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    this.#rows += batch.length
    this.#options.onRows()
    if (this.#state === 'live' && this.#epochRows === null) {
      try {
        return await this.#sink!.write(batch)
      } catch (error) {
        return this.#fail(error)
      }
    }
    // Rows that nobody gave the sink before would be missing: they pass by.
    if (this.#epochRows === null) return
    // The sink's transaction ends with the epoch: what comes after it waits for the next one.
    this.#waiting.push(copyBatch(batch))
    this.#waitingRows += batch.length
    if (this.#waitingRows <= WAITING_ROWS_MAX) return
    if (this.#options.mayFallBehind(null)) return this.leave(null)
    await new Promise<void>(resolve => this.#drained.push(resolve))
  }

  staged(): void {
    if (this.#epochRows !== null || this.#state === 'behind') return
    const { clock, commitEvery_ms } = this.#options
    const isDue = this.#hurries || clock.monotonic_ms() - this.#lastCommit_ms >= commitEvery_ms
    if (this.#state === 'live' && !(isDue && this.#rows > this.#committed)) return
    this.#hurries = false
    this.#epochRows = this.#rows
  }

  async sync(): Promise<void> {
    if (this.#failure !== null) throw this.#failure
  }

  /** The epoch is safe: the sink commits, and nobody waits for it. */
  whenSafe(epoch: SafeEpoch): void {
    const rows = this.#epochRows
    // Of an earlier epoch: a sink that is slow takes part in none of those meanwhile.
    if (rows === null || this.#isCommitting) return
    this.#isCommitting = true
    this.#committing = this.#commit(rows, epoch).catch(error => {
      this.#isCommitting = false
      try {
        this.#fail(error)
      } catch {
        // Whoever writes or syncs next is told.
      }
    })
  }

  /** Resolves when no commit is under way. Rejects with what ends the attempt. */
  async settle(): Promise<void> {
    await this.#committing
    if (this.#failure !== null) throw this.#failure
  }

  /** The next epoch is committed, however short ago the last one was. */
  hurry(): void {
    this.#hurries = true
  }

  /**
   * Resolves when a sink that was behind keeps up again, with the epochs from the next one on, or has fallen behind once
   * more because it is slow. Rejects when it failed.
   */
  join(): Promise<void> {
    this.#joined = Promise.withResolvers()
    this.#state = 'joining'
    this.#options.onRows()
    return this.#joined.promise
  }

  /** Has the sink let rows pass by until it joins again; `error`: why, as far as it is known. */
  leave(error: MillraceError | null): void {
    const joined = this.#joined
    this.#joined = null
    this.#error = error ?? this.#error
    const wasBehind = this.#state === 'behind'
    this.#state = 'behind'
    this.#waiting = []
    this.#waitingRows = 0
    this.#letGo()
    if (error === null) joined?.resolve()
    else joined?.reject(error)
    if (!wasBehind) this.#options.onBehind()
  }

  /** Has the attempt end with this error. */
  end(error: unknown): void {
    this.#failure ??= error
    this.#letGo()
    this.#joined?.reject(error)
    this.#joined = null
    // The next epoch fails with it, though no row may ever come again.
    this.#options.onRows()
  }

  /** What is not committed does not count any more. */
  async close(): Promise<void> {
    await this.#committing
    const sink = this.#sink
    this.#sink = null
    await sink?.close()
  }

  async #commit(rows: number, { give, onCommitted }: SafeEpoch): Promise<void> {
    const sink = this.#sink!
    if (this.#state === 'joining' && this.#committed < rows)
      await give(this.#committed, rows, batch => sink.write(batch))
    await sink.commit(rows)
    this.#committed = rows
    this.#lastCommit_ms = this.#options.clock.monotonic_ms()
    onCommitted(rows)
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.shift()!
      this.#waitingRows -= batch.length
      await sink.write(batch)
    }
    this.#isCommitting = false
    // It may have fallen behind meanwhile.
    if (this.#epochRows === null) return
    this.#letGo()
    this.#state = 'live'
    this.#error = null
    this.#joined?.resolve()
    this.#joined = null
  }

  #fail(error: unknown): void {
    if (this.#options.mayFallBehind(error)) {
      this.leave(error as MillraceError)
      return
    }
    this.end(error)
    throw error
  }

  #letGo(): void {
    this.#epochRows = null
    for (const resolve of this.#drained.splice(0)) resolve()
  }
}
