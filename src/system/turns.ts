/** Long work in short turns, so that nobody else waits for it. */
import type { Clock } from './clock.ts'

/** As long as a client that asks for something small may wait for a piece of something large. */
const TURN_MS = 10

export class Turns {
  readonly #clock: Clock
  #began_ms: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#began_ms = clock.monotonic_ms()
  }

  /** To be called between two pieces of work: what it answers is awaited; null where the turn may go on. */
  next(): Promise<void> | null {
    if (this.#clock.monotonic_ms() - this.#began_ms < TURN_MS) return null
    return this.#clock.sleep(0).then(() => {
      this.#began_ms = this.#clock.monotonic_ms()
    })
  }
}
