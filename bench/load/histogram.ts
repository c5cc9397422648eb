/** Waits with three digits each, however many there are. */
import { createHistogram } from 'node:perf_hooks'

export interface Quantiles {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export class Waits {
  readonly #histogram = createHistogram({ figures: 3, lowest: 1, highest: 3_600_000_000 })

  add_ms(wait_ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(wait_ms * 1000)))
  }

  /** In milliseconds. */
  get quantiles(): Quantiles {
    const at = (percentile: number) => this.#histogram.percentile(percentile) / 1000
    const { count } = this.#histogram
    if (count === 0) return { count, p50: 0, p90: 0, p99: 0, max: 0 }
    return { count, p50: at(50), p90: at(90), p99: at(99), max: this.#histogram.max / 1000 }
  }
}
