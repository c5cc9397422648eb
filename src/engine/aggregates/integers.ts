/**
 * Sum, average, least and greatest of 64-bit integers and decimals, exactly. A sum is kept as long as it is; one that its
 * column cannot hold is for the window's output to refuse.
 */
import { decimalOfDigits } from '../../plan/exact.ts'
import type { Column } from '../../plan/schema.ts'
import type { ColumnData } from '../batch.ts'
import { type StateReader, type StateWriter, stateCell } from '../state/bytes.ts'
import { type Accumulator, longer, type RowSpan } from './accumulator.ts'

/** Calls `put` with slot and value of each row that has a value. */
function eachInteger(data: ColumnData | null, span: RowSpan, put: (slot: number, value: bigint) => void): void {
  if (data?.type !== 'int64' && data?.type !== 'decimal') throw new TypeError('an integer or decimal column is needed')
  const { values, validity } = data
  const { slots, from, to } = span
  for (let row = from; row < to; row++) {
    if (validity === null || validity[row] !== 0) put(slots[row]!, values[row]!)
  }
}

const HALF = 64n

abstract class IntegerSum implements Accumulator {
  readonly isSmall = true
  protected readonly column: Column
  protected sums: bigint[] = [0n]
  protected counts = new Float64Array(1)

  constructor(column: Column) {
    this.column = column
  }

  grow(slots: number): void {
    while (this.sums.length < slots) this.sums.push(0n)
    this.counts = longer(this.counts, slots)
  }

  clear(slot: number): void {
    this.sums[slot] = 0n
    this.counts[slot] = 0
  }

  add(data: ColumnData | null, span: RowSpan): void {
    const { sums, counts } = this
    eachInteger(data, span, (slot, value) => {
      sums[slot]! += value
      counts[slot]!++
    })
  }

  merge(into: number, from: number): void {
    this.sums[into]! += this.sums[from]!
    this.counts[into]! += this.counts[from]!
  }

  /** A NaN, which no sum of decimals had when it was a double; 128 bits of the sum, and the count. */
  write(slot: number, to: StateWriter): void {
    const sum = this.sums[slot]!
    to.number(Number.NaN)
    to.integer(sum)
    to.integer(sum >> HALF)
    to.number(this.counts[slot]!)
  }

  read(slot: number, from: StateReader): void {
    const first = from.number()
    if (Number.isNaN(first)) {
      const low = BigInt.asUintN(64, from.integer())
      this.sums[slot] = (from.integer() << HALF) | low
    } else this.sums[slot] = this.#nearest(first + from.number())
    this.counts[slot] = from.number()
  }

  #nearest(sum: number): bigint {
    const scale = this.column.decimal?.scale ?? 0
    return decimalOfDigits(sum.toFixed(scale), { precision: 38, scale }) ?? BigInt(Math.round(sum * 10 ** scale))
  }

  abstract result(slot: number): bigint | number | null
}

export class IntegerSumAccumulator extends IntegerSum {
  override result(slot: number): bigint | null {
    return this.counts[slot] === 0 ? null : this.sums[slot]!
  }
}

export class IntegerAverageAccumulator extends IntegerSum {
  override result(slot: number): number | null {
    const count = this.counts[slot]!
    return count === 0 ? null : Number(this.sums[slot]!) / 10 ** (this.column.decimal?.scale ?? 0) / count
  }
}

export class IntegerExtremeAccumulator implements Accumulator {
  readonly isSmall = true
  readonly #column: Column
  readonly #largest: boolean
  #cells: (bigint | null)[] = [null]

  constructor(column: Column, largest: boolean) {
    this.#column = column
    this.#largest = largest
  }

  grow(slots: number): void {
    while (this.#cells.length < slots) this.#cells.push(null)
  }

  clear(slot: number): void {
    this.#cells[slot] = null
  }

  add(data: ColumnData | null, span: RowSpan): void {
    eachInteger(data, span, (slot, value) => this.#put(slot, value))
  }

  merge(into: number, from: number): void {
    const cell = this.#cells[from]!
    if (cell !== null) this.#put(into, cell)
  }

  result(slot: number): bigint | null {
    return this.#cells[slot]!
  }

  write(slot: number, to: StateWriter): void {
    to.cell(this.#cells[slot]!)
  }

  read(slot: number, from: StateReader): void {
    this.#cells[slot] = stateCell(from.cell(), this.#column) as bigint | null
  }

  #put(slot: number, cell: bigint): void {
    const best = this.#cells[slot]!
    if (best === null || (this.#largest ? cell > best : cell < best)) this.#cells[slot] = cell
  }
}
