/** Records that this process itself sends to a topic (a dead letter sent again), as a source among the topic's others. */
import type { Idle, Pushed, PushedMessage, PushOutcome, Source } from '../../connectors/contract.ts'
import type { Clock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'

const LINE_FEED = 10
const IDLE_AFTER_MS = 200

export class PushQueue implements Source {
  readonly replays = false
  readonly #clock: Clock
  readonly #waiting: Pushed[] = []
  #wake: () => void = () => {}
  #closed = false

  readonly #signal: AbortSignal

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock
    this.#signal = signal
  }

  /** Resolves when the records (NDJSON) are kept, or not. */
  push(lines: Uint8Array, idempotencyKey: PushedMessage['idempotencyKey']): Promise<PushOutcome> {
    const ended = lines.at(-1) === LINE_FEED ? lines : Buffer.concat([lines, Buffer.from('\n')])
    let records = 0
    for (let at = 0; at < ended.length; at = ended.indexOf(LINE_FEED, at) + 1) records++
    return new Promise(settle => {
      const message = { records, bytes: ended.length, headers: null, idempotencyKey, rejectedBudget: null, settle }
      this.#waiting.push({ kind: 'pushed', bytes: ended, arrival: this.#clock.now(), messages: [message] })
      this.#wake()
    })
  }

  async open(): Promise<readonly { readonly name: string; readonly bytes: null }[]> {
    return [{ name: 'sent again', bytes: null }]
  }

  async read(): Promise<Pushed | Idle | null> {
    if (this.#waiting.length === 0 && !this.#closed) {
      const woken = new Promise<void>(resolve => {
        this.#wake = resolve
      })
      await Promise.race([woken, this.#clock.sleep(IDLE_AFTER_MS, this.#signal)])
    }
    if (this.#closed) return null
    return this.#waiting.shift() ?? (this.#signal.aborted ? null : { kind: 'idle' })
  }

  async close(): Promise<void> {
    this.#closed = true
    const error = new MillraceError('RUN_STOPPING', 'The pipeline has stopped.')
    for (const { messages } of this.#waiting.splice(0)) {
      for (const message of messages) message.settle({ kind: 'failed', error })
    }
    this.#wake()
  }
}
