/**
 * Brings sinks back that have fallen behind, beside the run: nobody waits for it.
 *
 * Sinks of one outside system go together: of a warehouse that fails all tables are let go and the file is closed, so
 * that whoever has it open, or is to mend it, gets at it. After a while it is opened again, each sink says what it holds,
 * and is given the rest: first up to an epoch that is long safe, for that may take its time; then it joins the next one.
 */
import type { Clock } from '../../system/clock.ts'
import type { MillraceError } from '../../system/errors.ts'
import { FIRST_WAIT_MS, longerWait_ms } from '../retry.ts'
import type { Target } from './target.ts'

/** A sink that lacks no more rows than this joins: so many can wait for it. */
const JOINS_BELOW_ROWS = 50_000

export interface RevivalOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly targets: () => readonly Target[]
  /** Rows of the target's stream at the last safe epoch. */
  readonly safeRows: (target: Target) => number
  /** Gives the sink, which is open, what it lacks up to the last safe epoch. */
  readonly catchUp: (target: Target) => Promise<void>
  /** Lets go of the outside system of these sinks, when all of them are closed. */
  readonly letGo: (system: string) => Promise<void>
  /** Whether an error may pass; one that does not ends the attempt. */
  readonly mayPass: (error: unknown) => boolean
}

export class Revival {
  readonly #options: RevivalOptions
  readonly #working = new Map<string, Promise<void>>()

  constructor(options: RevivalOptions) {
    this.#options = options
  }

  /** A sink has fallen behind. */
  begin({ system }: Target): void {
    if (!this.#options.signal.aborted && !this.#working.has(system)) this.#working.set(system, this.#revive(system))
  }

  /** Resolves when nothing is being done any more; the signal has been given. */
  async ended(): Promise<void> {
    await Promise.all(this.#working.values())
  }

  #of(system: string): Target[] {
    return this.#options.targets().filter(target => target.system === system)
  }

  async #revive(system: string): Promise<void> {
    const { clock, signal, mayPass } = this.#options
    let wait_ms = FIRST_WAIT_MS
    for (;;) {
      const behind = this.#of(system).filter(({ delivery }) => !delivery.isLive)
      if (behind.length === 0 || signal.aborted) break
      try {
        const failed = behind.some(({ delivery }) => delivery.behind?.error != null)
        if (failed) await this.#letGo(system)
        await clock.sleep(failed ? wait_ms : 0, signal)
        if (signal.aborted) break
        await this.#bringBack(failed ? this.#of(system) : behind)
        wait_ms = FIRST_WAIT_MS
      } catch (error) {
        if (signal.aborted) break
        if (!mayPass(error)) {
          for (const { delivery } of behind) delivery.end(error)
          break
        }
        for (const { delivery } of behind) delivery.leave(error as MillraceError)
        wait_ms = longerWait_ms(wait_ms)
      }
    }
    this.#working.delete(system)
  }

  async #letGo(system: string): Promise<void> {
    for (const { delivery } of this.#of(system)) delivery.leave(null)
    for (const { delivery } of this.#of(system)) await delivery.close().catch(() => {})
    await this.#options.letGo(system)
  }

  async #bringBack(targets: readonly Target[]): Promise<void> {
    const { signal, safeRows, catchUp } = this.#options
    for (const target of targets) {
      const { delivery } = target
      await delivery.close()
      await target.open(delivery.rows)
      while (safeRows(target) - delivery.committed > JOINS_BELOW_ROWS && !signal.aborted) await catchUp(target)
    }
    if (signal.aborted) return
    // When the run ends, its last epoch is the one that they join.
    const ended = new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
    await Promise.race([ended, Promise.all(targets.map(({ delivery }) => delivery.join()))])
  }
}
