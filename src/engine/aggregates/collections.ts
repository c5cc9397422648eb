/** Aggregates that must keep the values themselves: exact distinct counts and exact quantiles. */
import type { Cell } from '../../plan/schema.ts'
import { type ColumnData, cellAt } from '../batch.ts'
import { type Accumulator, eachNumber, type RowSpan } from './accumulator.ts'

export class DistinctAccumulator implements Accumulator {
  readonly isSmall = false
  #sets: (Set<Cell> | undefined)[] = []

  grow(): void {}

  clear(slot: number): void {
    this.#sets[slot] = undefined
  }

  add(data: ColumnData | null, { slots, from, to }: RowSpan): void {
    if (data === null) throw new TypeError('a column is needed')
    for (let row = from; row < to; row++) {
      const slot = slots[row]!
      if (slot === 0) continue
      const cell = cellAt(data, row) as Cell
      if (cell === null) continue
      let set = this.#sets[slot]
      if (set === undefined) {
        set = new Set()
        this.#sets[slot] = set
      }
      set.add(cell)
    }
  }

  merge(into: number, from: number): void {
    const other = this.#sets[from]
    if (other === undefined) return
    const set = this.#sets[into] ?? new Set()
    for (const cell of other) set.add(cell)
    this.#sets[into] = set
  }

  result(slot: number): number {
    return this.#sets[slot]?.size ?? 0
  }
}

/** The value below which a fraction of the values lies, interpolated linearly between the two nearest. */
export class QuantileAccumulator implements Accumulator {
  readonly isSmall = false
  readonly #fraction: number
  #values: (number[] | undefined)[] = []

  constructor(fraction: number) {
    this.#fraction = fraction
  }

  grow(): void {}

  clear(slot: number): void {
    this.#values[slot] = undefined
  }

  add(data: ColumnData | null, span: RowSpan): void {
    eachNumber(data, span, (slot, value) => {
      if (slot === 0) return
      const values = this.#values[slot]
      if (values === undefined) this.#values[slot] = [value]
      else values.push(value)
    })
  }

  merge(into: number, from: number): void {
    const other = this.#values[from]
    if (other === undefined) return
    const values = this.#values[into] ?? []
    for (const value of other) values.push(value)
    this.#values[into] = values
  }

  result(slot: number): number | null {
    const values = this.#values[slot]
    if (values === undefined) return null
    // NaN stands last, as in the warehouse's order of doubles.
    const sorted = Float64Array.from(values).sort()
    const place = (sorted.length - 1) * this.#fraction
    const below = Math.floor(place)
    const low = sorted[below]!
    const high = sorted[Math.min(below + 1, sorted.length - 1)]!
    return place === below ? low : low + (high - low) * (place - below)
  }
}
