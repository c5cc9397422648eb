/** A source that is pushed to over HTTP: a path on the run's listener, and a queue from there to the runtime. */

import type { Idle, KeyMemory, Pushed, PushOutcome, Source, SourceContext } from '../connectors/contract.ts'
import { TooMany } from '../formats/json-scan.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { acquireHost, type HttpHost, type Received } from './host.ts'
import { BODY_BYTES_MAX, type HostLimits, WAITING_BYTES_MAX } from './limits.ts'
import { type Answer, Problem } from './problem.ts'
import { PushQueue, type QueuedMessage } from './queue.ts'
import { RejectedBudgets } from './rejected-budget.ts'

/** What makes one kind of push out of a request's body, and an answer out of what became of it. */
export interface PushForm {
  readonly path: string
  /** How users write the source: `http(...)`. */
  readonly name: string
  /** What can be sent, in a few words. */
  readonly takes: string
  readonly bodyBytesMax: number | null
  readonly requestsPerSecond: number | null
  readonly settings: PushFormSettings
  readonly refuse?: (problem: Problem) => Answer
  /**
   * The records of a body, within the limits, and the answer once it is known what became of them; or an answer at once.
   * Throws Problem, and TooMany for more records than the limit.
   */
  read(received: Received, limits: PushLimits): Translated | Answer
}

/** Of the lines that are made of one body. */
export interface PushLimits {
  readonly bytes: number
  readonly records: number
}

/** As `PushSettings` of the connectors. */
interface PushFormSettings {
  readonly keyMemory: KeyMemory
  readonly recordsMax: number
  readonly rejectedPerMinute: number
}

export interface Translated extends Omit<QueuedMessage, 'rejectedBudget'> {
  /** Throws Problem for what was refused or not kept. */
  answer(outcome: PushOutcome): Answer
}

export interface PushSourceSettings {
  readonly clock?: Clock
  readonly limits?: Partial<HostLimits>
  readonly waitingBytesMax?: number
}

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
    return this.#form.settings.keyMemory
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
    const rejected = new RejectedBudgets(this.#form.settings.rejectedPerMinute, clock)
    const host = await acquireHost(context, clock, limits)
    try {
      this.#endRoute = host.route({
        path,
        topic: context.topic,
        takes,
        bodyBytesMax: Math.min(this.#form.bodyBytesMax ?? BODY_BYTES_MAX, maximumChunkBytes),
        requestsPerSecond,
        notReady: context.notReady ?? (() => null),
        receive: received => this.#receive(received, queue, rejected, maximumChunkBytes),
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

  async #receive(
    received: Received,
    queue: PushQueue,
    rejected: RejectedBudgets,
    maximumBytes: number,
  ): Promise<Answer> {
    const translated = this.#translate(received, maximumBytes)
    if (!('lines' in translated)) return translated
    if (translated.lines.length > maximumBytes) {
      throw new Problem(413, 'REQUEST_TOO_LARGE', `The records have more than ${maximumBytes} bytes together.`)
    }
    const { answer, ...message } = translated
    return answer(await queue.push({ ...message, rejectedBudget: rejected.of(received.client) }))
  }

  #translate(received: Received, bytes: number): Translated | Answer {
    const { recordsMax } = this.#form.settings
    try {
      return this.#form.read(received, { bytes, records: recordsMax })
    } catch (error) {
      if (!(error instanceof TooMany)) throw error
      throw new Problem(413, 'REQUEST_TOO_LARGE', `The request has more than ${recordsMax} records.`)
    }
  }
}
