/**
 * One series of a panel: times ascending, a number at each, in typed arrays that are used again as old points go.
 * NaN is a missing value.
 */
const FIRST_CAPACITY = 64
const CAPACITY_MAX = 8_192
const INTERVALS = 32
/** A pause of this many usual intervals is a gap. */
const GAP_INTERVALS = 3
const GAP_MS_MIN = 1_500

export class Series {
  times = new Float64Array(FIRST_CAPACITY)
  values = new Float64Array(FIRST_CAPACITY)
  /** The points are those from `begin` to before `end`. */
  begin = 0
  end = 0
  #gap_ms = Number.POSITIVE_INFINITY
  #changesSinceGap = INTERVALS

  get length(): number {
    return this.end - this.begin
  }

  get newest_ms(): number {
    return this.end > this.begin ? this.times[this.end - 1]! : Number.NEGATIVE_INFINITY
  }

  get oldest_ms(): number {
    return this.end > this.begin ? this.times[this.begin]! : Number.POSITIVE_INFINITY
  }

  get latest(): number {
    return this.end > this.begin ? this.values[this.end - 1]! : Number.NaN
  }

  /**
   * A point of the same time takes the place of the earlier one; one that comes late goes where it belongs. Answers from
   * when on a line through the points is another one: from the point before.
   */
  put(time_ms: number, value: number): number {
    let at = time_ms > this.newest_ms ? this.end : this.indexFrom(time_ms)
    if (at < this.end && this.times[at] === time_ms) {
      this.values[at] = value
      return at > this.begin ? this.times[at - 1]! : time_ms
    }
    if (this.end === this.times.length) at += this.#makeRoom()
    if (at < this.begin) return time_ms
    this.times.copyWithin(at + 1, at, this.end)
    this.values.copyWithin(at + 1, at, this.end)
    this.times[at] = time_ms
    this.values[at] = value
    this.end++
    this.#changesSinceGap++
    return at > this.begin ? this.times[at - 1]! : time_ms
  }

  forgetBefore(time_ms: number): void {
    this.begin = this.indexFrom(time_ms)
  }

  /** Index of the first point at or after a time; `end` when there is none. */
  indexFrom(time_ms: number): number {
    let low = this.begin
    let high = this.end
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.times[middle]! < time_ms) low = middle + 1
      else high = middle
    }
    return low
  }

  /** How long after a point its value still holds: three usual intervals, at least 1.5 s. */
  get gap_ms(): number {
    if (this.#changesSinceGap < INTERVALS && this.length > INTERVALS) return this.#gap_ms
    this.#changesSinceGap = 0
    const intervals: number[] = []
    for (let at = Math.max(this.begin + 1, this.end - INTERVALS); at < this.end; at++) {
      intervals.push(this.times[at]! - this.times[at - 1]!)
    }
    intervals.sort((a, b) => a - b)
    const usual = intervals[intervals.length >> 1]
    this.#gap_ms = usual === undefined ? 10_000 : Math.max(usual * GAP_INTERVALS, GAP_MS_MIN)
    return this.#gap_ms
  }

  /** Answers how far the points were moved. */
  #makeRoom(): number {
    const capacity = this.times.length
    if (this.begin < capacity / 2 && capacity < CAPACITY_MAX) {
      const [times, values] = [new Float64Array(capacity * 2), new Float64Array(capacity * 2)]
      times.set(this.times)
      values.set(this.values)
      this.times = times
      this.values = values
      return 0
    }
    // At the limit the oldest eighth goes.
    if (this.begin < capacity / 8) this.begin = capacity / 8
    const moved = this.begin
    this.times.copyWithin(0, moved, this.end)
    this.values.copyWithin(0, moved, this.end)
    this.begin = 0
    this.end -= moved
    return -moved
  }
}
