/**
 * Simulated phones that push over HTTP: each sends its messages one after the other, and the next one only when the one
 * before is settled.
 *
 * A message is sent again, later and later, when nobody answered or the answer was 5xx, 408 or 429. Any other answer from
 * 400 up is the server's last word on it.
 */
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import { type Answer, HttpTarget, PATIENCE_MS } from './http.ts'
import type { PushMessage } from './messages.ts'

export interface PushOptions {
  readonly to: URL
  /** true: each message at its own time. false: as fast as the answers come. */
  readonly realtime: boolean
  /** Connections at once. */
  readonly connections: number
  readonly clock: Clock
  /** Spreads the tries over time. */
  readonly random: Random
  /** No message is sent any more; what is under way is waited for. */
  readonly signal: AbortSignal
  /** A text that a server refused messages with; each text once. */
  readonly onRefused: (status: number, text: string) => void
  /** Called a few times a second. */
  readonly onProgress?: (progress: PushProgress) => void
}

export interface PushProgress {
  readonly elapsed_ms: number
  /** Requests that were sent, repetitions among them. */
  readonly requests: number
  /** Messages that were answered with 2xx, and the readings in them; each message counts once. */
  readonly messages: number
  readonly readings: number
  /** Requests that repeat a message, whatever the reason. */
  readonly repeated: number
  /** Messages that were answered with 4xx. */
  readonly refused: number
  /** Messages that wait to be sent, or to be sent again. */
  readonly waiting: number
  /** Why messages are sent again just now; null when all is well. */
  readonly trouble: string | null
}

/** Messages that wait while nobody answers; with more, the phones' time stands still until some are settled. */
const WAITING_MAX = 4000
const BACK_OFF_MS = { first: 250, last: 8000 }
const RETRY_AFTER_MAX_MS = 30_000
const PACE_MS = 20
const PROGRESS_EVERY_MS = 250
/** Sends that are begun before others get a turn. */
const TURN_MESSAGES = 64
/** How long a stop waits for answers that are under way. */
const LAST_ANSWERS_MS = 5000

/** Sends all the messages; resolves when the last is settled, or soon after the signal. */
export async function pushMessages(messages: Iterable<PushMessage>, options: PushOptions): Promise<PushProgress> {
  const pusher = new Pusher(options)
  return pusher.run(messages)
}

class Pusher {
  readonly #options: PushOptions
  readonly #target: HttpTarget
  readonly #started: number
  readonly #queues = new Map<number, PushMessage[]>()
  readonly #told = new Set<string>()
  readonly #counts = { requests: 0, messages: 0, readings: 0, repeated: 0, refused: 0 }
  #waiting = 0
  #trouble: string | null = null
  /** Wakes who waits for a message to be settled. */
  #onSettled: (() => void) | null = null

  constructor(options: PushOptions) {
    this.#options = options
    this.#target = new HttpTarget(options.to, options.connections)
    this.#started = options.clock.monotonic_ms()
  }

  async run(messages: Iterable<PushMessage>): Promise<PushProgress> {
    const { clock, connections, realtime, signal } = this.#options
    const most = realtime ? WAITING_MAX : 2 * connections
    const ended = new AbortController()
    void this.#pulse(ended.signal)
    let begun = 0
    for (const message of messages) {
      while (realtime && message.arrival_us > clock.now() && !signal.aborted) {
        await clock.sleep(PACE_MS, signal)
      }
      while (this.#waiting >= most && !signal.aborted) await this.#settled()
      if (signal.aborted) break
      this.#add(message)
      if (++begun % TURN_MESSAGES === 0) await clock.sleep(0)
    }
    await this.#drain()
    ended.abort()
    this.#target.close()
    return this.#progress()
  }

  #settled(): Promise<void> {
    return new Promise(resolve => {
      this.#onSettled = resolve
    })
  }

  /** Tells how things stand, and lets who waits look at the signal. */
  async #pulse(ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await this.#options.clock.sleep(PROGRESS_EVERY_MS, ended)
      this.#options.onProgress?.(this.#progress())
      this.#onSettled?.()
    }
  }

  async #drain(): Promise<void> {
    const { clock, signal } = this.#options
    let stopped_ms: number | null = null
    while (this.#waiting > 0) {
      if (signal.aborted) stopped_ms ??= clock.monotonic_ms()
      if (stopped_ms !== null && clock.monotonic_ms() - stopped_ms > LAST_ANSWERS_MS) return
      // The signal no longer cuts this sleep short.
      await clock.sleep(PACE_MS)
    }
  }

  #add(message: PushMessage): void {
    this.#waiting++
    const queue = this.#queues.get(message.person)
    if (queue !== undefined) queue.push(message)
    else {
      const own = [message]
      this.#queues.set(message.person, own)
      void this.#work(message.person, own)
    }
  }

  /** One phone: its messages in their order, until there are none. */
  async #work(person: number, queue: PushMessage[]): Promise<void> {
    for (let message = queue[0]; message !== undefined; message = queue[0]) {
      await this.#deliver(message)
      queue.shift()
      this.#waiting--
      this.#onSettled?.()
    }
    this.#queues.delete(person)
  }

  async #deliver(message: PushMessage): Promise<void> {
    const { signal, clock } = this.#options
    let patience_ms = message.giveUp_ms ?? PATIENCE_MS
    for (let tries = 0; !signal.aborted; tries++) {
      if (tries > 0 || message.again) this.#counts.repeated++
      const answer = await this.#post(message, patience_ms)
      const impatient = patience_ms < PATIENCE_MS
      patience_ms = PATIENCE_MS
      if (this.#isSettled(message, answer)) break
      // Whoever gave up by himself tries again at once.
      if (impatient && answer.kind === 'failed') continue
      this.#trouble = answer.kind === 'failed' ? answer.reason : `it answers ${answer.status}`
      await clock.sleep(this.#backOff_ms(tries, answer), signal)
    }
    if (!message.twice || signal.aborted) return
    this.#counts.repeated++
    await this.#post(message, PATIENCE_MS)
  }

  #post(message: PushMessage, patience_ms: number): Promise<Answer> {
    this.#counts.requests++
    return this.#target.post(message.body, patience_ms)
  }

  #isSettled(message: PushMessage, answer: Answer): boolean {
    if (answer.kind === 'failed') return false
    const { status, text } = answer
    if (status >= 500 || status === 408 || status === 429) return false
    this.#trouble = null
    if (status < 400) {
      if (!message.again) {
        this.#counts.messages++
        this.#counts.readings += message.readings
      }
    } else {
      this.#counts.refused++
      const words = `${status} ${text}`
      if (!this.#told.has(words) && this.#told.size < 20) {
        this.#told.add(words)
        this.#options.onRefused(status, text)
      }
    }
    return true
  }

  #backOff_ms(tries: number, answer: Answer): number {
    const asked_ms = answer.kind === 'answered' ? (answer.retryAfter_ms ?? 0) : 0
    const own_ms = Math.min(BACK_OFF_MS.last, BACK_OFF_MS.first * 2 ** Math.min(tries, 10))
    return Math.max(Math.min(asked_ms, RETRY_AFTER_MAX_MS), own_ms * (0.5 + this.#options.random.next()))
  }

  #progress(): PushProgress {
    const elapsed_ms = this.#options.clock.monotonic_ms() - this.#started
    return { elapsed_ms, ...this.#counts, waiting: this.#waiting, trouble: this.#trouble }
  }
}
