/** Count, sum and average. Sums carry what rounding lost (Neumaier), so that the order of rows does not show. */
import type { ColumnData } from '../batch.ts'
import type { StateReader, StateWriter } from '../state/bytes.ts'
import { type Accumulator, longer, type RowSpan } from './accumulator.ts'

export class CountAccumulator implements Accumulator {
  readonly isSmall = true
  #counts = new Float64Array(1)

  grow(slots: number): void {
    this.#counts = longer(this.#counts, slots)
  }

  clear(slot: number): void {
    this.#counts[slot] = 0
  }

  add(data: ColumnData | null, { slots, from, to }: RowSpan): void {
    const counts = this.#counts
    if (data === null) {
      for (let row = from; row < to; row++) counts[slots[row]!]!++
    } else if (data.type === 'text') {
      for (let row = from; row < to; row++) if (data.codes[row]! >= 0) counts[slots[row]!]!++
    } else if (data.type === 'json') {
      for (let row = from; row < to; row++) if ((data.values[row] ?? null) !== null) counts[slots[row]!]!++
    } else {
      const { validity } = data
      for (let row = from; row < to; row++) if (validity === null || validity[row] !== 0) counts[slots[row]!]!++
    }
  }

  merge(into: number, from: number): void {
    this.#counts[into]! += this.#counts[from]!
  }

  result(slot: number): number {
    return this.#counts[slot]!
  }

  write(slot: number, to: StateWriter): void {
    to.number(this.#counts[slot]!)
  }

  read(slot: number, from: StateReader): void {
    this.#counts[slot] = from.number()
  }
}

abstract class CompensatedSum implements Accumulator {
  readonly isSmall = true
  protected sums = new Float64Array(1)
  protected lost = new Float64Array(1)
  protected counts = new Float64Array(1)

  grow(slots: number): void {
    this.sums = longer(this.sums, slots)
    this.lost = longer(this.lost, slots)
    this.counts = longer(this.counts, slots)
  }

  clear(slot: number): void {
    this.sums[slot] = 0
    this.lost[slot] = 0
    this.counts[slot] = 0
  }

  /** Plain form: for each row with a value, count += 1, sum += value, lost += what the addition rounded away. */
  add(data: ColumnData | null, { slots, from, to }: RowSpan): void {
    if (data === null || data.type !== 'number') throw new TypeError('a sum needs a number column')
    const { sums, lost, counts } = this
    const { values, validity } = data
    for (let row = from; row < to; row++) {
      if (validity !== null && validity[row] === 0) continue
      const slot = slots[row]!
      const value = values[row]!
      const sum = sums[slot]!
      const next = sum + value
      lost[slot]! += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
      sums[slot] = next
      counts[slot]!++
    }
  }

  merge(into: number, from: number): void {
    const sum = this.sums[into]!
    const value = this.sums[from]!
    const next = sum + value
    this.lost[into]! += this.lost[from]! + (Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum)
    this.sums[into] = next
    this.counts[into]! += this.counts[from]!
  }

  write(slot: number, to: StateWriter): void {
    to.number(this.sums[slot]!)
    to.number(this.lost[slot]!)
    to.number(this.counts[slot]!)
  }

  read(slot: number, from: StateReader): void {
    this.sums[slot] = from.number()
    this.lost[slot] = from.number()
    this.counts[slot] = from.number()
  }

  /** An infinity makes the lost part NaN; the plain sum is right then. */
  protected total(slot: number): number {
    const sum = this.sums[slot]!
    return Number.isFinite(sum) ? sum + this.lost[slot]! : sum
  }

  abstract result(slot: number): number | null
}

export class SumAccumulator extends CompensatedSum {
  override result(slot: number): number | null {
    return this.counts[slot] === 0 ? null : this.total(slot)
  }
}

export class AverageAccumulator extends CompensatedSum {
  override result(slot: number): number | null {
    const count = this.counts[slot]!
    return count === 0 ? null : this.total(slot) / count
  }
}
