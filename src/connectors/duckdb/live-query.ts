/**
 * Questions to a warehouse that a run is writing to.
 *
 * Each has a connection of its own, so that commits never wait for it; but it shares memory, processor and Node's few
 * threads with them. So only a few are at work at once, and each has a time-out, from its asking to its last row.
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import { loadDuckDB } from '../../formats/duckdb.ts'
import { type Clock, systemClock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { openRows, type RowStream } from './rows.ts'

export interface LiveQueryOptions {
  /** At most so many rows come. Default: all. */
  readonly limit?: number
  /** Default 30 s, at most 10 minutes. */
  readonly timeout_ms?: number
  /** Ends the question at once. */
  readonly signal?: AbortSignal
}

const TIMEOUT_MS = 30_000
const TIMEOUT_MS_MAX = 600_000
/** Half of the threads with which Node waits for files and for DuckDB: the log's syncs have the other half. */
const AT_ONCE = 2
/** An interrupt that comes between two steps of a question is lost; the next one is not. */
const INTERRUPT_EVERY_MS = 50

/** The questions to one warehouse. */
export class LiveQueries {
  readonly #connect: () => Promise<DuckDBConnection>
  readonly #clock: Clock
  readonly #closing = new AbortController()
  #working = 0
  #freed = Promise.withResolvers<void>()

  constructor(connect: () => Promise<DuckDBConnection>, clock: Clock = systemClock) {
    this.#connect = connect
    this.#clock = clock
  }

  /** Asks one question that reads. Asking and reading the rows throw QUERY_FAILED, also when it took too long. */
  async ask(sql: string, options: LiveQueryOptions = {}): Promise<RowStream> {
    const timeout_ms = Math.min(options.timeout_ms ?? TIMEOUT_MS, TIMEOUT_MS_MAX)
    const deadline = new Deadline(this.#clock, timeout_ms, [this.#closing.signal, options.signal])
    try {
      await this.#turn(deadline)
    } catch (error) {
      deadline.end()
      throw error
    }
    const release = () => {
      deadline.end()
      this.#working--
      this.#freed.resolve()
      this.#freed = Promise.withResolvers()
    }
    try {
      const [duckdb, connection] = await Promise.all([loadDuckDB(), this.#connect()])
      const close = () => {
        connection.closeSync()
        release()
      }
      const opening = openRows(duckdb, connection, sql, close)
      const stream = await this.#within(deadline, connection, opening)
      return this.#limited(stream, deadline, connection, options.limit ?? Number.MAX_SAFE_INTEGER)
    } catch (error) {
      // Without a connection there was nothing to close.
      if (!deadline.hasEnded) release()
      throw error
    }
  }

  /** Ends all questions that are open; no other is asked. Resolves when their connections are closed. */
  async close(): Promise<void> {
    this.#closing.abort()
    while (this.#working > 0) await this.#freed.promise
  }

  async #turn(deadline: Deadline): Promise<void> {
    while (deadline.reason === null && this.#working >= AT_ONCE) {
      await Promise.race([this.#freed.promise, deadline.passed])
    }
    if (deadline.reason !== null) throw deadline.reason
    this.#working++
  }

  /** What DuckDB is at work on, interrupted when the deadline passes. */
  async #within<T>(deadline: Deadline, connection: DuckDBConnection, work: Promise<T>): Promise<T> {
    let isDone = false
    void deadline.passed.then(async () => {
      for (; !isDone && deadline.reason !== null; await this.#clock.sleep(INTERRUPT_EVERY_MS)) connection.interrupt()
    })
    try {
      return await work
    } catch (error) {
      throw deadline.reason ?? error
    } finally {
      isDone = true
    }
  }

  #limited(stream: RowStream, deadline: Deadline, connection: DuckDBConnection, limit: number): RowStream {
    let left = limit
    let isReading = false
    // Nobody may come for the rows any more.
    void deadline.passed.then(() => {
      if (!isReading) stream.close()
    })
    return {
      columns: stream.columns,
      read: async () => {
        if (deadline.reason !== null) throw deadline.reason
        if (left <= 0) {
          stream.close()
          return null
        }
        isReading = true
        try {
          const rows = await this.#within(deadline, connection, stream.read())
          if (rows === null || rows.length <= left) {
            left -= rows?.length ?? 0
            return rows
          }
          const some = rows.slice(0, left)
          left = 0
          return some
        } finally {
          isReading = false
          if (deadline.reason !== null) stream.close()
        }
      },
      close: () => stream.close(),
    }
  }
}

/** When a question must be over: its time is up, or somebody says so. */
class Deadline {
  readonly #ended = new AbortController()
  readonly #passed = Promise.withResolvers<void>()
  reason: MillraceError | null = null

  constructor(clock: Clock, timeout_ms: number, signals: readonly (AbortSignal | undefined)[]) {
    void clock.sleep(timeout_ms, this.#ended.signal).then(() => {
      this.#stop(`It took longer than ${timeout_ms / 1000} s.`, 'Ask for less, or give it longer: --timeout 5m')
    })
    for (const signal of signals) {
      const stop = () => this.#stop('It was ended before its last row.', 'Ask again.')
      if (signal?.aborted) stop()
      signal?.addEventListener('abort', stop, { once: true, signal: this.#ended.signal })
    }
  }

  /** Resolves when the time is up; never when the question has ended before. */
  get passed(): Promise<void> {
    return this.#passed.promise
  }

  get hasEnded(): boolean {
    return this.#ended.signal.aborted
  }

  end(): void {
    this.#ended.abort()
  }

  #stop(message: string, next: string): void {
    if (this.hasEnded) return
    this.reason ??= new MillraceError('QUERY_FAILED', message, { next })
    this.#passed.resolve()
  }
}
