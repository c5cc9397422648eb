/** A clock that stands still until it is told to go on. */
import type { Clock } from '../system/clock.ts'

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

export class VirtualClock implements Clock {
  #now: number
  #sleepers: Sleeper[] = []

  /** `start`: microseconds since the epoch. */
  constructor(start: number) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  monotonic_ms(): number {
    return this.#now / 1000
  }

  sleep(duration_ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || duration_ms <= 0) return Promise.resolve()
    return new Promise(resolve => {
      const sleeper = { until: this.#now + duration_ms * 1000, wake: resolve }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', () => this.#wake([sleeper]), { once: true })
    })
  }

  /** Lets time pass; who sleeps until then wakes, in the order of their times. */
  advance(duration_us: number): void {
    this.#now += duration_us
    this.#wake(this.#sleepers.filter(({ until }) => until <= this.#now).sort((a, b) => a.until - b.until))
  }

  #wake(woken: readonly Sleeper[]): void {
    this.#sleepers = this.#sleepers.filter(sleeper => !woken.includes(sleeper))
    for (const { wake } of woken) wake()
  }
}
