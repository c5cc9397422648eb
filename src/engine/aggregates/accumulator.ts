/**
 * What an aggregate function owes the window operator: state for many slots, in columns.
 *
 * A slot is one pane of one group (or a merge of panes). The operator hands out slots, calls `grow` before it uses higher
 * ones and `clear` before it uses a slot anew; `add` puts rows into slots, `merge` one slot into another, `result` gives
 * what came of it. `write` says all that a slot holds, `read` has a slot hold it again, bit for bit, and is called before
 * any row comes. Slot 0 is never read: rows that count nowhere are put there, so that `add` needs no branch.
 */
import { type ColumnData, cellAt } from '../batch.ts'
import type { StateReader, StateWriter } from '../state/bytes.ts'

export interface RowSpan {
  /** Row -> slot. */
  readonly slots: Int32Array
  readonly from: number
  readonly to: number
  /** Event time and log order of each row, for aggregates that go by them. */
  readonly time: Float64Array
  readonly origin: Int32Array | null
  readonly partition: number
  /** Number of the first row of the batch in its partition. */
  readonly firstOffset: number
}

export interface Accumulator {
  grow(slots: number): void
  clear(slot: number): void
  add(data: ColumnData | null, span: RowSpan): void
  merge(into: number, from: number): void
  /** The result of a slot, null where there is none. */
  result(slot: number): unknown
  write(slot: number, to: StateWriter): void
  read(slot: number, from: StateReader): void
  /** Whether `merge` costs the same however much a slot holds; only such states are merged ahead of time. */
  readonly isSmall: boolean
}

/** Calls `put` with slot and value of each row that has a value; of exact numbers with the nearest double. */
export function eachNumber(data: ColumnData | null, span: RowSpan, put: (slot: number, value: number) => void): void {
  if (data === null || data.type === 'text' || data.type === 'boolean' || data.type === 'json')
    throw new TypeError('a number column is needed')
  const { slots, from, to } = span
  if (data.type === 'int64' || data.type === 'decimal') {
    for (let row = from; row < to; row++) {
      const value = cellAt(data, row) as number | bigint | null
      if (value !== null) put(slots[row]!, Number(value))
    }
    return
  }
  const { values, validity } = data
  for (let row = from; row < to; row++) {
    if (validity === null || validity[row] !== 0) put(slots[row]!, values[row]!)
  }
}

/** A longer copy of a column of state. */
export function longer(values: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(length)
  larger.set(values)
  return larger
}
