/** Calls to an external system that may never answer: each has a deadline. */
import { MillraceError } from '../../system/errors.ts'

interface Call {
  readonly name: string
  left_ms: number
  readonly expire: (error: MillraceError) => void
}

/**
 * The call that a sink is at. One timer serves all: `look` is called at an interval, and is given that interval, not what
 * the clock says. So the time in which the whole machine sleeps does not count.
 */
export class Deadline {
  readonly #system: string
  #call: Call | null = null

  /** `system` names who is called. */
  constructor(system: string) {
    this.#system = system
  }

  /**
   * What the call answers. Rejects with SINK_TIMEOUT when it takes longer: whether it has done its work is not known then,
   * and what it answers later is not heard.
   */
  async within<T>(name: string, duration_ms: number, action: () => Promise<T>): Promise<T> {
    const expired = Promise.withResolvers<never>()
    const call: Call = { name, left_ms: duration_ms, expire: expired.reject }
    this.#call = call
    try {
      return await Promise.race([action(), expired.promise])
    } finally {
      if (this.#call === call) this.#call = null
    }
  }

  /** Ends the call that is over its time; after `Infinity` whichever is under way. */
  look(passed_ms: number): void {
    const call = this.#call
    if (call === null) return
    call.left_ms -= passed_ms
    if (call.left_ms >= 0) return
    this.#call = null
    call.expire(new MillraceError('SINK_TIMEOUT', `${this.#system} did not answer in time (${call.name}).`))
  }
}
