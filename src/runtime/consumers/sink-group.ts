/**
 * Sinks of one external system, which are opened and closed together: the tables of a warehouse, or one sink alone.
 *
 * One loop: open all, let them work, and when one of them fails let the others commit what is safe, close all, wait
 * (longer each time that nothing was gained), and open again. So whoever else wants the system (a person who mends it)
 * gets at it meanwhile. No error of a sink ends a run that follows its inputs. A run with an end gives up on a sink whose
 * error does not pass, or that has gained nothing for long: the rest is delivered, then the run fails with that sink. One
 * that lacks rows which are gone (SINK_BEHIND_LOG) stands still alone: the others of its system go on.
 */
import type { Clock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { FIRST_WAIT_MS, longerWait_ms, mayPass } from '../retry.ts'
import { Deadline } from './deadline.ts'
import type { SinkConsumer } from './sink-consumer.ts'

/** Letting go of a warehouse folds its log into its file. */
const DISCONNECT_MS = 600_000

export interface SinkGroupOptions {
  readonly consumers: readonly SinkConsumer[]
  readonly clock: Clock
  /** Ends everything at once: what was not committed does not count. */
  readonly signal: AbortSignal
  /** Lets go of the external system when all sinks are closed. */
  readonly disconnect: () => Promise<void>
  /** A run with an end gives up on a sink that has committed nothing for so long; null: it never does. */
  readonly givesUpAfter_ms: number | null
}

export class SinkGroup {
  readonly #options: SinkGroupOptions
  #isOpen = false
  /** How the run ends, once it does: with all rows, or without those of a sink that fails. */
  #ending: 'all' | 'now' | null = null
  #left = new AbortController()
  /** For so long nothing was committed although there was something to commit. */
  #stalled_ms = 0
  #lastCommitted = 0
  #gaveUp: MillraceError | null = null
  readonly #connection: Deadline

  constructor(options: SinkGroupOptions) {
    this.#options = options
    this.#connection = new Deadline(options.consumers.map(({ name }) => name).join(', '))
  }

  get consumers(): readonly SinkConsumer[] {
    return this.#options.consumers
  }

  /** Why a run with an end does without these sinks; null: it does not. */
  get gaveUp(): MillraceError | null {
    return this.#gaveUp
  }

  /** Opens all sinks. Throws what the first one does that cannot be opened and may not stand still; all are closed then. */
  async open(): Promise<void> {
    const { signal } = this.#options
    const abandon = () => {
      for (const consumer of this.consumers) consumer.abandon()
    }
    signal.addEventListener('abort', abandon, { once: true })
    try {
      for (const consumer of this.consumers) {
        await this.#guarded(consumer, () => consumer.open()).catch(error => {
          if (!isGap(error)) throw error
          consumer.leave()
        })
      }
      this.#isOpen = true
      for (const consumer of this.#able) consumer.fail(null)
    } catch (error) {
      await this.#letGo()
      throw error
    } finally {
      signal.removeEventListener('abort', abandon)
    }
  }

  /** Those that lack no rows that are gone. */
  get #able(): readonly SinkConsumer[] {
    return this.consumers.filter(({ error }) => !isGap(error))
  }

  /** Closes what was opened and is not at work. */
  async close(): Promise<void> {
    if (this.#isOpen) await this.#letGo()
  }

  /** Works until the run ends (`end`), the signal, or it gives up. */
  async run(): Promise<void> {
    const { clock, signal } = this.#options
    let wait_ms = FIRST_WAIT_MS
    while (!signal.aborted) {
      const before = this.#committed()
      try {
        if (!this.#isOpen) await this.open()
        await this.#work()
        if (signal.aborted) break
        await this.#closeWell()
        if (this.#options.givesUpAfter_ms !== null) {
          this.#gaveUp = this.consumers.find(({ error }) => isGap(error))?.error ?? null
        }
        return
      } catch (cause) {
        if (signal.aborted) break
        const error = coded(cause)
        if (this.#committed() > before) wait_ms = FIRST_WAIT_MS
        await this.#letGo()
        if (this.#ending === 'now' || this.#givesUp(error)) return
        await clock.sleep(wait_ms, AbortSignal.any([signal, this.#left.signal]))
        wait_ms = longerWait_ms(wait_ms)
      }
    }
    await this.#letGo()
  }

  /** The run ends: `all`: each sink gets every row first; `now`: those that take rows do, and no call is tried again. */
  end(how: 'all' | 'now'): void {
    this.#ending = how
    if (how === 'now') this.#left.abort()
    for (const consumer of this.#able) this.#endOf(consumer, how)
  }

  /** Called now and then. */
  look(passed_ms: number): void {
    const committed = this.#committed()
    const isWhole = this.#able.every(({ lag }) => lag === 0)
    this.#stalled_ms = isWhole || committed > this.#lastCommitted ? 0 : this.#stalled_ms + passed_ms
    this.#lastCommitted = committed
    this.#connection.look(passed_ms)
    for (const consumer of this.#able) consumer.look(passed_ms)
  }

  async #work(): Promise<void> {
    const { signal } = this.#options
    const able = this.#able
    if (this.#ending !== null) for (const consumer of able) this.#endOf(consumer, this.#ending)
    let failure: { readonly error: unknown } | null = null
    await Promise.all(
      able.map(consumer =>
        this.#guarded(consumer, () => consumer.work(signal)).catch(error => {
          if (failure !== null) return
          failure = { error }
          // The others gain what they can, or one table that is never well would keep them from it.
          for (const other of able) if (other !== consumer) other.endAt(other.stream.safe)
        }),
      ),
    )
    if (failure !== null) throw (failure as { readonly error: unknown }).error
  }

  #endOf(consumer: SinkConsumer, how: 'all' | 'now'): void {
    consumer.endAt(how === 'all' || consumer.error === null ? consumer.stream.end : consumer.position)
  }

  async #guarded(consumer: SinkConsumer, action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (cause) {
      const error = coded(cause)
      consumer.fail(error)
      throw error
    }
  }

  /** All rows are committed. Rejects when a sink cannot be closed: what it wrote may not be what it says. */
  async #closeWell(): Promise<void> {
    for (const consumer of this.consumers) {
      await this.#guarded(consumer, () => consumer.close())
      if (isGap(consumer.error)) consumer.leave()
    }
    this.#isOpen = false
    await this.#disconnect()
  }

  /** After an error: what cannot be closed either is as after a crash, and the error that came first is told. */
  async #letGo(): Promise<void> {
    this.#isOpen = false
    for (const consumer of this.consumers) await consumer.close().catch(() => {})
    await this.#disconnect().catch(() => {})
  }

  #disconnect(): Promise<void> {
    return this.#connection.within('disconnect', DISCONNECT_MS, this.#options.disconnect)
  }

  #givesUp(error: MillraceError): boolean {
    const { givesUpAfter_ms } = this.#options
    if (givesUpAfter_ms === null) return false
    if (mayPass(error) && this.#stalled_ms < givesUpAfter_ms) return false
    this.#gaveUp = error
    for (const consumer of this.consumers) consumer.leave()
    return true
  }

  #committed(): number {
    return this.consumers.reduce((sum, { committed }) => sum + committed, 0)
  }
}

/** Whether rows that a sink lacks are gone: nothing that it does can change that. */
function isGap(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'SINK_BEHIND_LOG'
}

function coded(cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause
  const words = cause instanceof Error ? cause.message : String(cause)
  return new MillraceError('SINK_FAILED', words, { cause })
}
