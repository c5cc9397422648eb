/** Smallest and largest value, as JavaScript orders them: a NaN among the numbers is the result, -0 is below 0. */
import type { ColumnData } from '../batch.ts'
import type { StateReader, StateWriter } from '../state/bytes.ts'
import { type Accumulator, longer, type RowSpan } from './accumulator.ts'

export class NumberExtremeAccumulator implements Accumulator {
  readonly isSmall = true
  readonly #largest: boolean
  readonly #none: number
  #values = new Float64Array(1)
  #counts = new Float64Array(1)

  constructor(largest: boolean) {
    this.#largest = largest
    this.#none = largest ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }

  grow(slots: number): void {
    this.#values = longer(this.#values, slots)
    this.#counts = longer(this.#counts, slots)
  }

  clear(slot: number): void {
    this.#values[slot] = this.#none
    this.#counts[slot] = 0
  }

  /** Plain form: values[slot] = Math.min (or max) of values[slot] and the row's value. */
  add(data: ColumnData | null, { slots, from, to }: RowSpan): void {
    if (data === null || (data.type !== 'number' && data.type !== 'timestamp'))
      throw new TypeError('a number is needed')
    const best = this.#values
    const counts = this.#counts
    const { values, validity } = data
    if (this.#largest) {
      for (let row = from; row < to; row++) {
        if (validity !== null && validity[row] === 0) continue
        const slot = slots[row]!
        best[slot] = Math.max(best[slot]!, values[row]!)
        counts[slot] = 1
      }
    } else {
      for (let row = from; row < to; row++) {
        if (validity !== null && validity[row] === 0) continue
        const slot = slots[row]!
        best[slot] = Math.min(best[slot]!, values[row]!)
        counts[slot] = 1
      }
    }
  }

  merge(into: number, from: number): void {
    if (this.#counts[from] === 0) return
    const pick = this.#largest ? Math.max : Math.min
    this.#values[into] = pick(this.#values[into]!, this.#values[from]!)
    this.#counts[into] = 1
  }

  result(slot: number): number | null {
    return this.#counts[slot] === 0 ? null : this.#values[slot]!
  }

  write(slot: number, to: StateWriter): void {
    to.cell(this.result(slot))
  }

  read(slot: number, from: StateReader): void {
    const value = from.cell()
    this.#values[slot] = value === null ? this.#none : Number(value)
    this.#counts[slot] = value === null ? 0 : 1
  }
}

/** Texts (by UTF-16 units, as `<` compares) and booleans (false before true). */
export class CellExtremeAccumulator implements Accumulator {
  readonly isSmall = true
  readonly #largest: boolean
  #cells: (string | boolean | null)[] = [null]

  constructor(largest: boolean) {
    this.#largest = largest
  }

  grow(slots: number): void {
    while (this.#cells.length < slots) this.#cells.push(null)
  }

  clear(slot: number): void {
    this.#cells[slot] = null
  }

  add(data: ColumnData | null, { slots, from, to }: RowSpan): void {
    for (let row = from; row < to; row++) {
      if (data?.type === 'text') {
        const code = data.codes[row]!
        if (code >= 0) this.#put(slots[row]!, data.dictionary.values[code]!)
      } else if (data?.type === 'boolean') {
        if (data.validity === null || data.validity[row] !== 0) this.#put(slots[row]!, data.values[row] === 1)
      }
    }
  }

  merge(into: number, from: number): void {
    const cell = this.#cells[from]!
    if (cell !== null) this.#put(into, cell)
  }

  result(slot: number): string | boolean | null {
    return this.#cells[slot]!
  }

  write(slot: number, to: StateWriter): void {
    to.cell(this.#cells[slot]!)
  }

  read(slot: number, from: StateReader): void {
    this.#cells[slot] = from.cell() as string | boolean | null
  }

  #put(slot: number, cell: string | boolean): void {
    const best = this.#cells[slot]!
    if (best === null || (this.#largest ? cell > best : cell < best)) this.#cells[slot] = cell
  }
}
