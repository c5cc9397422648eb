/**
 * A sink as a consumer of its stream: one loop that reads rows, writes them and commits them together with its position.
 *
 * The position is the sink's own: it is taken from the sink's ledger whenever the sink is opened. Rows are written as they
 * come, into the transaction that is open; they are committed once an epoch holds them, so a sink never has a row that a
 * restart would make differently. A sink that is slow, or away for a while, is one whose position lags, and it reads on
 * where it is; only a run with an end waits for it. What happens after an error is the group's matter (sink-group.ts).
 */
import type { Sink, SinkContext } from '../../connectors/contract.ts'
import type { DeliverNode } from '../../plan/nodes.ts'
import type { Clock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import type { OutputPosition } from '../checkpoint/header.ts'
import type { SinkBehind } from '../options.ts'
import type { OutputStream, Reader } from '../streams/output-stream.ts'
import { StreamReader } from '../streams/stream-reader.ts'
import { toldAs } from '../warnings.ts'
import { Deadline } from './deadline.ts'
import { keyOf } from './sinks.ts'

/**
 * A sink that is far behind commits after about so many rows; after a failure, after half as many, then slowly more. DuckDB
 * puts whole groups of 122,880 rows into its file as they come; what is less goes through its log, and is written twice.
 */
const COMMIT_ROWS = 300_000
const COMMIT_GROWTH = 1.1
/** A sink that has committed nothing for so long although it lacks rows is told to be behind. */
const STALLED_MS = 10_000
/** How long a call may take when the connector says nothing else. A commit may copy files. */
const DEADLINES_MS = { open: 300_000, write: 60_000, commit: 600_000, close: 30_000 }

export interface SinkConsumerOptions {
  readonly node: DeliverNode
  /** What people know the sink by. */
  readonly name: string
  readonly stream: OutputStream
  /** namespace/pipeline/output: what the ledger keeps its position under. */
  readonly consumer: string
  readonly incarnation: string
  readonly dataDirectory: string
  /** What the last epoch knew of it; undefined: the sink is new, or there was no epoch. */
  readonly known: OutputPosition | undefined
  /** Rows of its stream may have gone before it was there: one that holds some of them cannot say where it is. */
  readonly isCut: boolean
  readonly clock: Clock
  readonly commitEvery_ms: number
  /** No call may take longer than this, whatever the connector says. */
  readonly callMax_ms: number
  /** Makes a new sink; nothing outside is touched. */
  readonly makeSink: () => Promise<Sink>
  readonly onWarning: (warning: MillraceError) => void
  /** Rows wait for an epoch. */
  readonly onRows: () => void
}

export class SinkConsumer implements Reader {
  readonly isUrgent = true
  readonly name: string
  readonly stream: OutputStream
  readonly #options: SinkConsumerOptions
  readonly #deadline: Deadline
  readonly #reader: StreamReader
  #sink: Sink | null = null
  /** Position in the stream of the sink's first row: rows in front of it were gone before the sink was there. */
  readonly #base: number
  #position: number
  #committed: number
  #commitRows = COMMIT_ROWS
  /** The commit is to hold the rows in front of it and no others; null: no commit is asked for. */
  #barrier: number | null = null
  /** Nothing behind it is taken any more; null: there is no end. */
  #end: number | null = null
  #lastCommit_ms: number
  /** So long it has lacked rows and committed none. */
  #stalled_ms = 0
  #error: MillraceError | null = null
  #wakened = false
  #wake: (() => void) | null = null

  /** `base`: see `#base`. */
  constructor(options: SinkConsumerOptions, base: number) {
    const { name, stream, clock, known, onWarning } = options
    this.#options = options
    this.name = name
    this.stream = stream
    this.#deadline = new Deadline(name)
    this.#reader = new StreamReader(stream, name, onWarning)
    this.#base = base
    this.#committed = base + (known?.committed.rows ?? 0)
    this.#position = this.#committed
    this.#lastCommit_ms = clock.monotonic_ms()
    stream.add(this)
  }

  get position(): number {
    return this.#position
  }

  get committed(): number {
    return this.#committed
  }

  /** What the journal keeps of it. */
  get known(): OutputPosition {
    const at = this.stream.replayed?.pointAt(this.#committed) ?? { rows: this.#committed, at: null }
    return { rows: this.stream.end - this.#base, committed: { rows: at.rows - this.#base, at: at.at } }
  }

  /** Rows of its stream since it is there. */
  get rows(): number {
    return this.stream.end - this.#base
  }

  /** Rows that it does not hold yet. */
  get lag(): number {
    return this.stream.end - this.#committed
  }

  get behind(): SinkBehind | null {
    const { stream, lag } = this
    const next = Math.min(this.#position, stream.end)
    const isInMemory = next >= stream.end || next >= stream.recentStart
    const keepsUp = this.#sink !== null && !this.#reader.isBehind && isInMemory && this.#stalled_ms < STALLED_MS
    if (this.#error === null && (keepsUp || lag === 0)) return null
    return { rows: lag, error: this.#error && toldAs(this.#error) }
  }

  /** Why it does not take rows; null: it does. */
  get error(): MillraceError | null {
    return this.#error
  }

  /**
   * Opens a new sink and goes on where that is. Throws DATA_DIR_MISMATCH when it holds rows that the journal does not know,
   * SINK_BEHIND_LOG when rows that it lacks are gone, and what the connector throws.
   */
  async open(): Promise<void> {
    const { node, consumer, incarnation, dataDirectory, isCut, callMax_ms, makeSink } = this.#options
    const { columns } = node.stream
    await this.#reader.close()
    const sink = await this.#deadline.within('connect', Math.min(DEADLINES_MS.open, callMax_ms), makeSink)
    this.#sink = sink
    const context = { consumer, incarnation, dataDirectory, columns, key: keyOf(node) }
    const held = this.#base + (await this.#opened(sink, context))
    const { safe } = this.stream
    // What a sink holds that was away for a while cannot be counted once rows in front of it are gone.
    const isUncounted = isCut && held > this.#base
    if (held > safe && !isUncounted) throw this.#ahead(held, safe)
    // It lacks more than was thought.
    if (held < this.#committed) this.#committed = held
    const start = held < safe ? await this.stream.startFor(held) : held
    if (isUncounted || held < start) throw this.#tooFarBehind(held, start)
    this.#position = held
    this.#committed = held
    this.#barrier = null
    this.#lastCommit_ms = this.#options.clock.monotonic_ms()
    this.stream.moved()
  }

  /** What the sink's ledger says. One that is open only when nobody waits for it any more is closed then. */
  async #opened(sink: Sink, context: SinkContext): Promise<number> {
    let opening: Promise<number> | null = null
    try {
      return await this.#within(sink, 'open', () => {
        opening = sink.open(context)
        return opening
      })
    } catch (error) {
      void (opening as Promise<number> | null)?.then(() => sink.close()).catch(() => {})
      throw error
    }
  }

  /** Takes rows until it has come to its end (`endAt`), or the signal. Rejects with what a call failed with. */
  async work(signal: AbortSignal): Promise<void> {
    const stop = () => {
      this.abandon()
      this.wake()
    }
    signal.addEventListener('abort', stop, { once: true })
    try {
      while (!signal.aborted && !(await this.#step())) {
        // Between two looks something may have come.
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /** Nobody waits any longer for the call that is under way. */
  abandon(): void {
    this.#deadline.look(Number.POSITIVE_INFINITY)
  }

  /** An epoch is staged: rows in front of here are to be committed together; `all`: also when a commit was short ago. */
  staged(all: boolean): void {
    const { end } = this.stream
    if (end === this.#committed) return
    // One that is slow comes to the barrier that it has; a later one would be ahead of it for ever.
    if (all || (this.#isDue && this.#barrier === null)) this.#barrier = end
  }

  /** It takes no row behind this one, and is done when it has committed those before. */
  endAt(position: number): void {
    this.#end = Math.max(position, this.#position)
    if (this.#end > this.stream.safe) this.#options.onRows()
    this.wake()
  }

  /** Called now and then: a call that takes too long ends, rows that have waited for long are committed. */
  look(passed_ms: number): void {
    this.#deadline.look(passed_ms)
    this.#stalled_ms = this.lag === 0 ? 0 : this.#stalled_ms + passed_ms
    if (!this.#isDue || this.#committed === this.stream.end) return
    if (this.#position > this.stream.safe) this.#options.onRows()
    this.wake()
  }

  wake(): void {
    this.#wakened = true
    this.#wake?.()
  }

  /** It does not take rows, for this reason; null: nothing is known to be wrong. */
  fail(error: MillraceError | null): void {
    this.#error = error
    if (error !== null) this.#commitRows = Math.max(1, Math.floor(this.#commitRows / 2))
  }

  /** Gives up what was not committed. Rejects with what the connector fails with. */
  async close(): Promise<void> {
    const sink = this.#sink
    this.#sink = null
    this.#position = this.#committed
    this.#end = null
    await this.#reader.close()
    if (sink !== null) await this.#within(sink, 'close', () => sink.close())
  }

  /** Nothing waits for it any more; what it lacks can still be read by the next run. */
  leave(): void {
    this.#position = Number.POSITIVE_INFINITY
    this.stream.moved()
  }

  get #isDue(): boolean {
    const { clock, commitEvery_ms } = this.#options
    if (this.#end !== null || commitEvery_ms === 0) return true
    return clock.monotonic_ms() - this.#lastCommit_ms >= commitEvery_ms
  }

  /** One row batch, one commit, or one wait; answers whether it is done. */
  async #step(): Promise<boolean> {
    const { stream } = this
    const to = Math.min(this.#barrier ?? stream.end, this.#end ?? Number.POSITIVE_INFINITY)
    const isFull = this.#position - this.#committed >= this.#commitRows && this.#position <= stream.safe
    if (this.#position < to && !isFull) {
      const rows = await this.#reader.next(this.#position, to)
      if (rows !== null) {
        await this.#write(rows.from, rows.batch)
        return false
      }
    }
    const isWhole = this.#position === this.#barrier || (this.#position >= to && this.#isDue)
    if (this.#committed < this.#position && this.#position <= stream.safe && (isFull || isWhole)) {
      await this.#commit()
      return false
    }
    if (this.#end !== null && this.#committed >= this.#end) return true
    await this.#woken()
    return false
  }

  async #write(from: number, batch: Parameters<Sink['write']>[0]): Promise<void> {
    const sink = this.#sink!
    try {
      if (batch.length > 0) await this.#within(sink, 'write', () => sink.write(batch))
    } catch (error) {
      this.stream.abandoned()
      throw error
    }
    this.#position = from + batch.length
    this.#error = null
    this.stream.moved()
  }

  async #commit(): Promise<void> {
    const sink = this.#sink!
    const position = this.#position
    await this.#within(sink, 'commit', () => sink.commit(position - this.#base))
    this.#committed = position
    this.#lastCommit_ms = this.#options.clock.monotonic_ms()
    this.#stalled_ms = 0
    this.#error = null
    this.#commitRows = Math.min(COMMIT_ROWS, Math.ceil(this.#commitRows * COMMIT_GROWTH))
    if (this.#barrier !== null && position >= this.#barrier) this.#barrier = null
    this.stream.moved()
  }

  #within<T>(sink: Sink, call: keyof typeof DEADLINES_MS, action: () => Promise<T>): Promise<T> {
    const limit_ms = sink.deadlines_ms?.[call] ?? DEADLINES_MS[call]
    return this.#deadline.within(call, Math.min(limit_ms, this.#options.callMax_ms), action)
  }

  async #woken(): Promise<void> {
    if (!this.#wakened) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
      this.#wake = null
    }
    this.#wakened = false
  }

  #ahead(held: number, safe: number): MillraceError {
    const { consumer, dataDirectory } = this.#options
    return new MillraceError(
      'DATA_DIR_MISMATCH',
      `${this.name} holds ${held - this.#base} rows of ${consumer}, and the journal in ${dataDirectory} knows of ${safe - this.#base}.`,
      {
        next: 'One of the two is an older copy: put back copies that belong together, or give the output a new name in the pipeline.',
      },
    )
  }

  #tooFarBehind(held: number, start: number): MillraceError {
    return new MillraceError(
      'SINK_BEHIND_LOG',
      `${this.name} holds ${held - this.#base} rows of its stream, and rows that follow are no longer kept: the first one that is has the number ${start}.`,
    )
  }
}
