/** Calls to an external system that may never answer: each has a deadline. */
import type { Clock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'

interface Call {
  readonly name: string
  readonly until_ms: number
  readonly expire: (error: MillraceError) => void
}

/** The call that a sink is at. One timer for all of its calls: `look` is called now and then. */
export class Deadline {
  readonly #clock: Clock
  readonly #system: string
  #call: Call | null = null

  /** `system` names who is called. */
  constructor(clock: Clock, system: string) {
    this.#clock = clock
    this.#system = system
  }

  /**
   * What the call answers. Rejects with SINK_TIMEOUT when it takes longer: whether it has done its work is not known then,
   * and what it answers later is not heard.
   */
  async within<T>(name: string, duration_ms: number, action: () => Promise<T>): Promise<T> {
    const expired = Promise.withResolvers<never>()
    const call: Call = { name, until_ms: this.#clock.monotonic_ms() + duration_ms, expire: expired.reject }
    this.#call = call
    try {
      return await Promise.race([action(), expired.promise])
    } finally {
      if (this.#call === call) this.#call = null
    }
  }

  /** Ends the call that is over its time; with `now` whichever is under way. */
  look(now = false): void {
    const call = this.#call
    if (call === null || !(now || this.#clock.monotonic_ms() >= call.until_ms)) return
    this.#call = null
    call.expire(new MillraceError('SINK_TIMEOUT', `${this.#system} did not answer in time (${call.name}).`))
  }
}
