/**
 * Up to when a panel shows: the newest time of its rows, going on with the wall clock. So what was recorded years ago is
 * shown when it is played, and passes by as live rows do. It never runs ahead of the wall clock: a sender whose clock is
 * fast pushes nobody else out.
 */
import { AHEAD_US_MAX } from './store.ts'

export class EventClock {
  #newest_us = Number.NEGATIVE_INFINITY
  #cameAt_us = 0

  /** false: the time is so far ahead that the row is to be left out. */
  sees(time_us: number, now_us: number): boolean {
    if (time_us > now_us + AHEAD_US_MAX) return false
    const time = Math.min(time_us, now_us)
    if (time <= this.at(now_us)) return true
    this.#newest_us = time
    this.#cameAt_us = now_us
    return true
  }

  at(now_us: number): number {
    return this.#newest_us + Math.max(0, now_us - this.#cameAt_us)
  }
}
