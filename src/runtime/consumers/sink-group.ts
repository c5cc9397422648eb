/**
 * Sinks of one external system, which are opened and closed together: the tables of a warehouse, or one sink alone.
 *
 * One loop: open all, let them work, and when one of them fails let the others commit what is safe, close all, wait
 * (longer each time that nothing was gained), and open again. So whoever else wants the system (a person who mends it)
 * gets at it meanwhile. No error of a sink ends a run that follows its inputs. A run with an end gives up on a sink whose
 * error does not pass, or that has gained nothing for long: the rest is delivered, then the run fails with that sink.
 */
import type { Clock } from '../../system/clock.ts'
import { ERRORS, MillraceError } from '../../system/errors.ts'
import { FIRST_WAIT_MS, longerWait_ms } from '../retry.ts'
import type { SinkConsumer } from './sink-consumer.ts'

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
  /** How the run ends, once it does: with all rows, or with those that can be had at once. */
  #ending: 'all' | 'now' | null = null
  #left = new AbortController()
  #lastGain_ms: number
  #gaveUp: MillraceError | null = null

  constructor(options: SinkGroupOptions) {
    this.#options = options
    this.#lastGain_ms = options.clock.monotonic_ms()
  }

  get consumers(): readonly SinkConsumer[] {
    return this.#options.consumers
  }

  /** Why a run with an end does without these sinks; null: it does not. */
  get gaveUp(): MillraceError | null {
    return this.#gaveUp
  }

  /** Opens all sinks. Throws what the first one does that cannot be opened; all are closed then. */
  async open(): Promise<void> {
    try {
      for (const consumer of this.consumers) await this.#guarded(consumer, () => consumer.open())
      this.#isOpen = true
      for (const consumer of this.consumers) consumer.fail(null)
    } catch (error) {
      await this.#letGo()
      throw error
    }
  }

  /** Works until the run ends (`end`), the signal, or it gives up. */
  async run(): Promise<void> {
    const { clock, signal, givesUpAfter_ms } = this.#options
    let wait_ms = FIRST_WAIT_MS
    while (!signal.aborted) {
      const before = this.#committed()
      try {
        if (!this.#isOpen) await this.open()
        await this.#work()
        if (signal.aborted) break
        await this.#closeWell()
        return
      } catch (cause) {
        if (signal.aborted) break
        const error = coded(cause)
        const hasGained = this.#committed() > before
        if (hasGained) wait_ms = FIRST_WAIT_MS
        if (hasGained || this.#isWhole) this.#lastGain_ms = clock.monotonic_ms()
        await this.#letGo()
        if (this.#ending === 'now') return
        if (givesUpAfter_ms !== null && this.#givesUp(error, givesUpAfter_ms)) return
        await clock.sleep(wait_ms, AbortSignal.any([signal, this.#left.signal]))
        wait_ms = longerWait_ms(wait_ms)
      }
    }
    await this.#letGo()
  }

  /** The run ends: `all`: each sink gets every row first; `now`: those that keep up do. */
  end(how: 'all' | 'now'): void {
    this.#ending = how
    if (how === 'now') this.#left.abort()
    for (const consumer of this.consumers) this.#endOf(consumer, how)
  }

  /** Called now and then. */
  look(): void {
    for (const consumer of this.consumers) consumer.look()
  }

  async #work(): Promise<void> {
    const { signal } = this.#options
    if (this.#ending !== null) for (const consumer of this.consumers) this.#endOf(consumer, this.#ending)
    let failure: { readonly error: unknown } | null = null
    await Promise.all(
      this.consumers.map(consumer =>
        this.#guarded(consumer, () => consumer.work(signal)).catch(error => {
          if (failure !== null) return
          failure = { error }
          // The others gain what they can, or one table that is never well would keep them from it.
          for (const other of this.consumers) if (other !== consumer) other.endAt(other.stream.safe)
        }),
      ),
    )
    if (failure !== null) throw (failure as { readonly error: unknown }).error
  }

  #endOf(consumer: SinkConsumer, how: 'all' | 'now'): void {
    consumer.endAt(how === 'all' || consumer.behind === null ? consumer.stream.end : consumer.position)
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
    for (const consumer of this.consumers) await this.#guarded(consumer, () => consumer.close())
    this.#isOpen = false
    await this.#options.disconnect()
  }

  /** After an error: what cannot be closed either is as after a crash, and the error that came first is told. */
  async #letGo(): Promise<void> {
    this.#isOpen = false
    for (const consumer of this.consumers) await consumer.close().catch(() => {})
    await this.#options.disconnect().catch(() => {})
  }

  #givesUp(error: MillraceError, after_ms: number): boolean {
    const { clock } = this.#options
    const mayPass = ERRORS[error.code].retried || error.code === 'DATA_DIR_BUSY'
    if (mayPass && clock.monotonic_ms() - this.#lastGain_ms < after_ms) return false
    this.#gaveUp = error
    for (const consumer of this.consumers) consumer.leave()
    return true
  }

  get #isWhole(): boolean {
    return this.consumers.every(({ lag }) => lag === 0)
  }

  #committed(): number {
    return this.consumers.reduce((sum, { committed }) => sum + committed, 0)
  }
}

function coded(cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause
  const words = cause instanceof Error ? cause.message : String(cause)
  return new MillraceError('SINK_FAILED', words, { cause })
}
