/**
 * Variance and deviation of a sample (divisor n - 1).
 *
 * Source: Welford (1962) for one value at a time, Chan, Golub and LeVeque (1979) for the merge of two parts.
 */
import type { ColumnData } from '../batch.ts'
import type { StateReader, StateWriter } from '../state/bytes.ts'
import { type Accumulator, eachNumber, longer, type RowSpan } from './accumulator.ts'

export class VarianceAccumulator implements Accumulator {
  readonly isSmall = true
  readonly #root: boolean
  #counts = new Float64Array(1)
  #means = new Float64Array(1)
  #squares = new Float64Array(1)

  /** `root`: the result is the deviation, in the unit of the column. */
  constructor(root: boolean) {
    this.#root = root
  }

  grow(slots: number): void {
    this.#counts = longer(this.#counts, slots)
    this.#means = longer(this.#means, slots)
    this.#squares = longer(this.#squares, slots)
  }

  clear(slot: number): void {
    this.#counts[slot] = 0
    this.#means[slot] = 0
    this.#squares[slot] = 0
  }

  add(data: ColumnData | null, span: RowSpan): void {
    eachNumber(data, span, (slot, value) => {
      const count = this.#counts[slot]! + 1
      const difference = value - this.#means[slot]!
      this.#counts[slot] = count
      this.#means[slot]! += difference / count
      this.#squares[slot]! += difference * (value - this.#means[slot]!)
    })
  }

  merge(into: number, from: number): void {
    const other = this.#counts[from]!
    if (other === 0) return
    const own = this.#counts[into]!
    const both = own + other
    const difference = this.#means[from]! - this.#means[into]!
    this.#means[into]! += (difference * other) / both
    this.#squares[into]! += this.#squares[from]! + (difference * difference * own * other) / both
    this.#counts[into] = both
  }

  write(slot: number, to: StateWriter): void {
    to.number(this.#counts[slot]!)
    to.number(this.#means[slot]!)
    to.number(this.#squares[slot]!)
  }

  read(slot: number, from: StateReader): void {
    this.#counts[slot] = from.number()
    this.#means[slot] = from.number()
    this.#squares[slot] = from.number()
  }

  result(slot: number): number | null {
    const count = this.#counts[slot]!
    if (count < 2) return null
    const variance = this.#squares[slot]! / (count - 1)
    return this.#root ? Math.sqrt(variance) : variance
  }
}
