/** First and last value by event time; among equal times by partition, then by order in the log. */
import type { Cell, Column } from '../../plan/schema.ts'
import { type ColumnData, stateCellAt } from '../batch.ts'
import { type StateReader, type StateWriter, stateCell } from '../state/bytes.ts'
import { type Accumulator, longer, type RowSpan } from './accumulator.ts'

export class EndAccumulator implements Accumulator {
  readonly isSmall = true
  readonly #column: Column
  readonly #last: boolean
  #cells: (Cell | undefined)[] = [undefined]
  #times = new Float64Array(1)
  #partitions = new Float64Array(1)
  #offsets = new Float64Array(1)

  constructor(column: Column, last: boolean) {
    this.#column = column
    this.#last = last
  }

  grow(slots: number): void {
    while (this.#cells.length < slots) this.#cells.push(undefined)
    this.#times = longer(this.#times, slots)
    this.#partitions = longer(this.#partitions, slots)
    this.#offsets = longer(this.#offsets, slots)
  }

  clear(slot: number): void {
    this.#cells[slot] = undefined
  }

  add(data: ColumnData | null, { slots, from, to, time, origin, partition, firstOffset }: RowSpan): void {
    if (data === null || data.type === 'json') throw new TypeError('a column is needed')
    for (let row = from; row < to; row++) {
      const source = origin === null ? row : origin[row]!
      const slot = slots[row]!
      const offset = firstOffset + source
      if (!this.#comesOut(slot, time[source]!, partition, offset)) continue
      const cell = stateCellAt(data, row)
      if (cell !== null) this.#put(slot, cell, time[source]!, partition, offset)
    }
  }

  merge(into: number, from: number): void {
    const cell = this.#cells[from]
    const [time, partition, offset] = [this.#times[from]!, this.#partitions[from]!, this.#offsets[from]!]
    if (cell !== undefined && this.#comesOut(into, time, partition, offset))
      this.#put(into, cell, time, partition, offset)
  }

  result(slot: number): Cell {
    return this.#cells[slot] ?? null
  }

  /** No cell that counts is null: null says that there is none. */
  write(slot: number, to: StateWriter): void {
    const cell = this.#cells[slot]
    to.cell(cell ?? null)
    if (cell === undefined) return
    to.number(this.#times[slot]!)
    to.number(this.#partitions[slot]!)
    to.number(this.#offsets[slot]!)
  }

  read(slot: number, from: StateReader): void {
    const cell = stateCell(from.cell(), this.#column)
    this.#cells[slot] = cell ?? undefined
    if (cell !== null) this.#put(slot, cell, from.number(), from.number(), from.number())
  }

  /** Whether a row at this place in time and log stands before (or after) the one that is held. */
  #comesOut(slot: number, time: number, partition: number, offset: number): boolean {
    if (this.#cells[slot] === undefined) return true
    const order = time - this.#times[slot]! || partition - this.#partitions[slot]! || offset - this.#offsets[slot]!
    // Rows of one record (an array made into rows) stand in the order in which they come.
    return this.#last ? order >= 0 : order < 0
  }

  #put(slot: number, cell: Cell, time: number, partition: number, offset: number): void {
    this.#cells[slot] = cell
    this.#times[slot] = time
    this.#partitions[slot] = partition
    this.#offsets[slot] = offset
  }
}
