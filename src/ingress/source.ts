/** A source that is pushed to over HTTP: a path on the run's listener, and a queue from there to the runtime. */

import type { Idle, KeyMemory, Pushed, PushOutcome, Source, SourceContext } from '../connectors/contract.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { acquireHost, type HostLimits, type HttpHost, type Received } from './host.ts'
import { type Answer, Problem } from './problem.ts'
import { PushQueue, type QueuedMessage } from './queue.ts'

/** What makes one kind of push out of a request's body, and an answer out of what became of it. */
export interface PushForm {
  readonly path: string
  /** How users write the source: `http(...)`. */
  readonly name: string
  /** What can be sent, in a few words. */
  readonly takes: string
  readonly bodyBytesMax: number | null
  readonly requestsPerSecond: number | null
  readonly keyMemory: KeyMemory
  readonly refuse?: (problem: Problem) => Answer
  /**
   * The records of a body, in lines that together have at most `maximumBytes`, and the answer once it is known what became
   * of them; or an answer at once. Throws Problem.
   */
  read(received: Received, maximumBytes: number): Translated | Answer
}

export interface Translated extends QueuedMessage {
  /** Throws Problem for what was refused or not kept. */
  answer(outcome: PushOutcome): Answer
}

export interface PushSourceSettings {
  readonly clock?: Clock
  readonly limits?: Partial<HostLimits>
  readonly waitingBytesMax?: number
}

const BODY_BYTES_MAX = 8 << 20
const WAITING_BYTES_MAX = 64 << 20

export class PushSource implements Source {
  readonly replays = false
  readonly #form: PushForm
  readonly #settings: PushSourceSettings
  #host: HttpHost | null = null
  #queue: PushQueue | null = null
  #endRoute: (() => void) | null = null
  #closing: Promise<void> | null = null
  #address: string | null = null

  constructor(form: PushForm, settings: PushSourceSettings = {}) {
    this.#form = form
    this.#settings = settings
  }

  get keyMemory(): KeyMemory {
    return this.#form.keyMemory
  }

  get address(): string | null {
    return this.#address
  }

  async open(context: SourceContext): Promise<readonly { readonly name: string; readonly bytes: number | null }[]> {
    const { path, name, takes, requestsPerSecond, refuse } = this.#form
    if (context.untilEnd) {
      throw new MillraceError('INPUT_MISSING', `${name} has no end to read to: records are pushed to it.`, {
        next: `Run without --until-end, or read recorded data: --input ${context.topic}=FILE.`,
      })
    }
    const { clock = systemClock, limits = {}, waitingBytesMax = WAITING_BYTES_MAX } = this.#settings
    const { maximumChunkBytes, signal } = context
    const queue = new PushQueue({ maximumChunkBytes, waitingBytesMax, clock, signal })
    const host = await acquireHost(context, clock, limits)
    try {
      this.#endRoute = host.route({
        path,
        topic: context.topic,
        takes,
        bodyBytesMax: Math.min(this.#form.bodyBytesMax ?? BODY_BYTES_MAX, maximumChunkBytes),
        requestsPerSecond,
        receive: received => this.#receive(received, queue, maximumChunkBytes),
        ...(refuse === undefined ? {} : { refuse }),
      })
    } catch (error) {
      await host.release()
      throw error
    }
    this.#host = host
    this.#queue = queue
    this.#address = host.address + path
    return [{ name: `POST ${path}`, bytes: null }]
  }

  async read(): Promise<Pushed | Idle | null> {
    return this.#queue === null ? null : this.#queue.read()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#queue?.close()
    this.#endRoute?.()
    await this.#host?.release()
  }

  async #receive(received: Received, queue: PushQueue, maximumBytes: number): Promise<Answer> {
    const translated = this.#form.read(received, maximumBytes)
    if (!('lines' in translated)) return translated
    if (translated.lines.length > maximumBytes) {
      throw new Problem(413, 'REQUEST_TOO_LARGE', `The records have more than ${maximumBytes} bytes together.`)
    }
    return translated.answer(await queue.push(translated))
  }
}
