/**
 * What clients have pushed and the runtime has not taken yet. It is bounded: beyond that a client is told to come again.
 *
 * Each message is settled exactly once, whatever happens first: by the runtime, or because the source is closed.
 */

import type { Idle, Pushed, PushedMessage, PushOutcome } from '../connectors/contract.ts'
import type { Clock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { busy } from './problem.ts'

/** One request's records, ready for the runtime. */
export interface QueuedMessage {
  /** Whole lines, each with its line feed. */
  readonly lines: Uint8Array
  readonly records: number
  readonly idempotencyKey: PushedMessage['idempotencyKey']
  readonly rejectedBudget: PushedMessage['rejectedBudget']
}

export interface QueueOptions {
  /** The most that one `read` hands out; no message is longer. */
  readonly maximumChunkBytes: number
  /** The most that waits. */
  readonly waitingBytesMax: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

interface Waiting extends QueuedMessage {
  readonly settle: (outcome: PushOutcome) => void
}

const IDLE_AFTER_MS = 200
const PULSE_MS = 100
/** Messages that one `read` hands out; more would make the first of them wait for the last. */
const MESSAGES_AT_ONCE = 4096
/** How long `close` waits for the runtime to settle what it has taken. */
const LAST_OUTCOMES_MS = 2000

export class PushQueue {
  readonly #options: QueueOptions
  #waiting: Waiting[] = []
  #waitingBytes = 0
  /** Taken by the runtime and not settled. */
  readonly #taken = new Set<Waiting>()
  #wake: (() => void) | null = null
  #pulse: Promise<void> | null = null
  readonly #ended = new AbortController()
  #closed = false
  /** When the last message came. */
  #arrival = 0

  constructor(options: QueueOptions) {
    this.#options = options
    options.signal.addEventListener('abort', () => this.#wake?.(), { once: true })
  }

  /** Resolves when it is known what became of the message. Throws Problem (503) when too much waits. */
  push(message: QueuedMessage): Promise<PushOutcome> {
    const { length } = message.lines
    if (this.#closed) return Promise.resolve(stopping())
    if (this.#waitingBytes + length > this.#options.waitingBytesMax) {
      throw busy('Records come in faster than they can be kept just now.', 1)
    }
    this.#arrival = this.#options.clock.now()
    return new Promise(resolve => {
      const waiting: Waiting = {
        ...message,
        settle: outcome => {
          this.#taken.delete(waiting)
          resolve(outcome)
        },
      }
      this.#waiting.push(waiting)
      this.#waitingBytes += length
      this.#wake?.()
    })
  }

  async read(): Promise<Pushed | Idle | null> {
    const { signal } = this.#options
    if (this.#waiting.length === 0 && !this.#isOver(signal)) await this.#something()
    if (this.#isOver(signal)) return null
    return this.#waiting.length === 0 ? { kind: 'idle' } : this.#take()
  }

  /** What waits is refused with a word; what the runtime has taken is given a moment to be settled. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#ended.abort()
    this.#wake?.()
    for (const { settle } of this.#waiting.splice(0)) settle(stopping())
    this.#waitingBytes = 0
    const { clock } = this.#options
    const until_ms = clock.monotonic_ms() + LAST_OUTCOMES_MS
    while (this.#taken.size > 0 && clock.monotonic_ms() < until_ms) await clock.sleep(5)
    for (const { settle } of [...this.#taken]) settle(stopping())
  }

  #isOver(signal: AbortSignal): boolean {
    return this.#closed || signal.aborted
  }

  /** Resolves when a message comes, when it is over, or after a while. */
  async #something(): Promise<void> {
    const { clock, signal } = this.#options
    const until_ms = clock.monotonic_ms() + IDLE_AFTER_MS
    while (this.#waiting.length === 0 && !this.#isOver(signal) && clock.monotonic_ms() < until_ms) {
      // One timer that many reads share: to make and end one for each message would cost as much as the message.
      this.#pulse ??= clock.sleep(PULSE_MS, this.#ended.signal).then(() => {
        this.#pulse = null
        this.#wake?.()
      })
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    this.#wake = null
  }

  #take(): Pushed {
    let count = 0
    let length = 0
    for (const { lines } of this.#waiting) {
      if (count === MESSAGES_AT_ONCE || (count > 0 && length + lines.length > this.#options.maximumChunkBytes)) break
      length += lines.length
      count++
    }
    const taken = this.#waiting.splice(0, count)
    this.#waitingBytes -= length
    const bytes =
      taken.length === 1
        ? taken[0]!.lines
        : Buffer.concat(
            taken.map(({ lines }) => lines),
            length,
          )
    for (const waiting of taken) this.#taken.add(waiting)
    const messages = taken.map(({ lines, records, idempotencyKey, rejectedBudget, settle }) => {
      return { records, bytes: lines.length, headers: null, idempotencyKey, rejectedBudget, settle }
    })
    return { kind: 'pushed', bytes, arrival: this.#arrival, messages }
  }
}

function stopping(): PushOutcome {
  return { kind: 'failed', error: new MillraceError('RUN_STOPPING', 'The pipeline is being stopped.') }
}
