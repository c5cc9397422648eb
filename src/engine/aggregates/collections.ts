/** Aggregates that must keep the values themselves: exact distinct counts and exact quantiles. */
import type { Cell, Column } from '../../plan/schema.ts'
import { type ColumnData, stateCellAt } from '../batch.ts'
import { type StateReader, type StateWriter, stateCell } from '../state/bytes.ts'
import { type Accumulator, eachNumber, type RowSpan } from './accumulator.ts'

export class DistinctAccumulator implements Accumulator {
  readonly isSmall = false
  readonly #column: Column
  #sets: (Set<Cell> | undefined)[] = []

  constructor(column: Column) {
    this.#column = column
  }

  grow(slots: number): void {
    while (this.#sets.length < slots) this.#sets.push(undefined)
  }

  clear(slot: number): void {
    this.#sets[slot] = undefined
  }

  add(data: ColumnData | null, { slots, from, to }: RowSpan): void {
    if (data === null || data.type === 'json') throw new TypeError('a column is needed')
    for (let row = from; row < to; row++) {
      const slot = slots[row]!
      if (slot === 0) continue
      const cell = stateCellAt(data, row)
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

  write(slot: number, to: StateWriter): void {
    const set = this.#sets[slot]
    to.whole(set?.size ?? 0)
    for (const cell of set ?? []) to.cell(cell)
  }

  read(slot: number, from: StateReader): void {
    const size = from.whole()
    const set = new Set<Cell>()
    for (let index = 0; index < size; index++) set.add(stateCell(from.cell(), this.#column))
    this.#sets[slot] = size === 0 ? undefined : set
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

  grow(slots: number): void {
    while (this.#values.length < slots) this.#values.push(undefined)
  }

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

  write(slot: number, to: StateWriter): void {
    const values = this.#values[slot] ?? []
    to.whole(values.length)
    for (const value of values) to.number(value)
  }

  read(slot: number, from: StateReader): void {
    const length = from.whole()
    const values: number[] = []
    for (let index = 0; index < length; index++) values.push(from.number())
    this.#values[slot] = length === 0 ? undefined : values
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
    // Between two infinities lies no other value.
    return place === below || low === high ? low : low + (high - low) * (place - below)
  }
}
