/**
 * Epochs: the moments between which nothing is lost and nothing comes twice.
 *
 * An epoch is staged in one turn of the event loop: positions, lengths and the state that changed, as they are together.
 * Then all logs are made safe, then the journal's record, which is the commit. Work goes on meanwhile; what it makes
 * belongs to the next epoch. After that sinks commit its rows, and feeds show them.
 *
 * How often: at once where rows have come out and somebody may wait for them; where only state moves on, after a while.
 * Staging takes time from the stream, so the next one waits ten times as long as the last one took.
 */
import type { Stateful } from '../../engine/state/table.ts'
import type { Journal } from '../../log/journal.ts'
import type { Clock } from '../../system/clock.ts'

/** Of the time at most one part in so many goes into staging. */
const STAGING_SHARE = 10

/** Something that holds rows of an epoch. */
export interface EpochMember {
  /** The epoch is staged now: what is written from now on belongs to the next one. */
  staged(): void
  /** Makes what was staged safe. */
  sync(): Promise<void>
}

export interface EpochsOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly members: readonly EpochMember[]
  /** All that has state, as it is now. */
  readonly stateful: () => readonly Stateful[]
  /** What the journal keeps beside the state. */
  readonly header: () => object
  /** Called when an epoch is safe. */
  readonly onSafe: () => void
  /** How long state may wait for its epoch, and rows. */
  readonly stateWaits_ms: number
  readonly rowsWait_ms: number
}

export class Epochs {
  readonly #options: EpochsOptions
  #hasChanged = false
  #hasRows = false
  #wake: () => void = () => {}
  #committing: Promise<void> = Promise.resolve()
  #stagingTook_ms = 0
  readonly #members: EpochMember[]

  constructor(options: EpochsOptions) {
    this.#options = options
    this.#members = [...options.members]
  }

  /** One more holds rows, from the next epoch on. */
  add(member: EpochMember): void {
    this.#members.push(member)
  }

  /** Says that there is something to keep. */
  changed(): void {
    if (this.#hasChanged) return
    this.#hasChanged = true
    this.#wake()
  }

  /** Says that rows have come out. */
  rows(): void {
    if (this.#hasRows) return
    this.#hasChanged = true
    this.#hasRows = true
    this.#wake()
  }

  /** Commits again and again, until the signal; then it answers. Rejects when an epoch could not be kept. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, stateWaits_ms, rowsWait_ms } = this.#options
    const stop = () => this.#wake()
    signal.addEventListener('abort', stop, { once: true })
    try {
      while (!signal.aborted) {
        if (!this.#hasChanged) await this.#woken()
        if (signal.aborted) return
        if (!this.#hasRows) await Promise.race([clock.sleep(stateWaits_ms, signal), this.#woken()])
        const wait_ms = Math.max(rowsWait_ms, this.#stagingTook_ms * (STAGING_SHARE - 1))
        if (wait_ms > 0) await clock.sleep(wait_ms, signal)
        if (signal.aborted) return
        await this.commit()
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /** Resolves when all that there is now is safe. */
  commit(): Promise<void> {
    const mine = this.#committing.then(() => this.#commit())
    this.#committing = mine.catch(() => {})
    return mine
  }

  /** Commits an epoch, and does something before the next one begins. */
  apart<T>(before: () => Promise<void>, action: () => Promise<T>): Promise<T> {
    const mine = this.#committing.then(async () => {
      await before()
      await this.#commit()
      return await action()
    })
    this.#committing = mine.then(
      () => {},
      () => {},
    )
    return mine
  }

  async #commit(): Promise<void> {
    const { journal, stateful, header, onSafe, clock } = this.#options
    const members = [...this.#members]
    this.#hasChanged = false
    this.#hasRows = false
    const began = clock.monotonic_ms()
    journal.stage(header(), stateful())
    for (const member of members) member.staged()
    this.#stagingTook_ms = clock.monotonic_ms() - began
    await Promise.all(members.map(member => member.sync()))
    await journal.write()
    onSafe()
  }

  #woken(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }
}
