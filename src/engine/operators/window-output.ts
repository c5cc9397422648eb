/** The rows that a window operator gives out, gathered in columns until they are handed on. */
import { fitsInt64 } from '../../plan/exact.ts'
import type { Cell, Column } from '../../plan/schema.ts'
import type { Batch, ColumnData } from '../batch.ts'
import type { OnOverflow } from '../overflow.ts'
import type { StateReader, StateWriter } from '../state/bytes.ts'
import { grown } from '../state/key-table.ts'
import type { Times } from '../times.ts'
import { pick } from './pick.ts'
import type { WindowChanges } from './window-changes.ts'

/** A dictionary with more texts than this is left to its batches and a new one is begun. */
const TEXTS_MAX = 1 << 16
const ROOM_MIN = 16

class OutputColumn {
  readonly #column: Column
  #room = 256
  #values = new Float64Array(256)
  #integers = new BigInt64Array(0)
  readonly #isInteger: boolean
  #validity = new Uint8Array(256)
  #codes = new Int32Array(256)
  #hasNull = false
  #texts: string[] = []
  #dictionary = { values: this.#texts }
  #codeOf = new Map<string, number>()

  constructor(column: Column) {
    this.#column = column
    this.#isInteger = column.type === 'int64' || column.type === 'decimal'
    if (this.#isInteger) this.#integers = new BigInt64Array(this.#room)
  }

  /** Whether the column can hold a cell: a sum can be beyond its 64 bits or digits. */
  holds(cell: Cell): boolean {
    if (typeof cell !== 'bigint') return true
    if (this.#column.type !== 'decimal') return fitsInt64(cell)
    const limit = 10n ** BigInt(this.#column.decimal!.precision)
    return cell < limit && cell > -limit
  }

  put(row: number, cell: Cell): void {
    if (row >= this.#room) this.#grow()
    if (this.#column.type === 'text') {
      let code = -1
      if (cell !== null) {
        const text = cell as string
        code = this.#codeOf.get(text) ?? -1
        if (code < 0) {
          code = this.#texts.push(text) - 1
          this.#codeOf.set(text, code)
        }
      }
      this.#codes[row] = code
      return
    }
    if (this.#isInteger) this.#integers[row] = (cell as bigint | null) ?? 0n
    else this.#values[row] = cell === null ? 0 : Number(cell)
    this.#validity[row] = cell === null ? 0 : 1
    if (cell === null) this.#hasNull = true
  }

  take(length: number): ColumnData {
    const validity = this.#hasNull ? this.#validity.subarray(0, length) : null
    switch (this.#column.type) {
      case 'text':
        return { type: 'text', codes: this.#codes.subarray(0, length), dictionary: this.#dictionary }
      case 'boolean':
        return { type: 'boolean', values: Uint8Array.from(this.#values.subarray(0, length)), validity }
      case 'number':
      case 'timestamp':
        return { type: this.#column.type, values: this.#values.subarray(0, length), validity }
      case 'int64':
        return { type: 'int64', values: this.#integers.subarray(0, length), validity }
      case 'decimal':
        return {
          type: 'decimal',
          scale: this.#column.decimal!.scale,
          values: this.#integers.subarray(0, length),
          validity,
        }
      case 'json':
        throw new TypeError('a window gives out no json column')
    }
  }

  /** Leaves the cells to whom they were handed, who may not be done with them yet, and begins anew. */
  reset(rows: number): void {
    this.#hasNull = false
    // Windows that silence closes come out one by one: much room for each would cost more than the rest.
    this.#room = Math.max(ROOM_MIN, rows)
    if (this.#column.type === 'text') this.#codes = new Int32Array(this.#room)
    else {
      if (this.#isInteger) this.#integers = new BigInt64Array(this.#room)
      else this.#values = new Float64Array(this.#room)
      this.#validity = new Uint8Array(this.#room)
    }
    if (this.#texts.length < TEXTS_MAX) return
    this.#texts = []
    this.#dictionary = { values: this.#texts }
    this.#codeOf = new Map()
  }

  #grow(): void {
    this.#room *= 2
    if (this.#column.type === 'text') this.#codes = grown(this.#codes, new Int32Array(this.#room))
    else {
      if (this.#isInteger) this.#integers = grown(this.#integers, new BigInt64Array(this.#room))
      else this.#values = grown(this.#values, new Float64Array(this.#room))
      this.#validity = grown(this.#validity, new Uint8Array(this.#room))
    }
  }
}

export class WindowOutput {
  readonly #changes: WindowChanges
  readonly #columns: readonly Column[]
  readonly #output: OutputColumn[]
  #times = new Float64Array(256)
  #keys = new Int32Array(256)
  #frontier = new Float64Array(0)
  #length = 0
  #given = 0
  /** The columns of the row that cannot hold their cells. */
  #overflowing: { readonly column: Column; readonly value: bigint }[] = []
  readonly #onOverflow: OnOverflow

  constructor(columns: readonly Column[], changes: WindowChanges, onOverflow: OnOverflow) {
    this.#onOverflow = onOverflow
    this.#changes = changes
    this.#columns = columns
    this.#output = columns.map(column => new OutputColumn(column))
  }

  /** Rows handed on so far: the next stage numbers them, as a topic does its records. */
  get given(): number {
    return this.#given
  }

  /** Begins a row: the event time of a result is the last microsecond of its window. */
  begin(windowEnd: number, key: number): void {
    if (this.#length >= this.#times.length) {
      const times = new Float64Array(this.#length * 2)
      times.set(this.#times)
      this.#times = times
      const keys = new Int32Array(this.#length * 2)
      keys.set(this.#keys)
      this.#keys = keys
    }
    this.#times[this.#length] = windowEnd - 1
    this.#keys[this.#length] = key
  }

  put(column: number, cell: Cell): void {
    const output = this.#output[column]!
    if (!output.holds(cell)) this.#overflowing.push({ column: this.#columns[column]!, value: cell as bigint })
    output.put(this.#length, cell)
  }

  /** A row with a sum that its column cannot hold is refused, not given out. */
  finish(): void {
    if (this.#overflowing.length === 0) {
      this.#length++
      return
    }
    const [{ column, value }] = this.#overflowing as [{ column: Column; value: bigint }]
    const refused = new Set(this.#overflowing.map(each => each.column))
    this.#overflowing = []
    const data = this.#output.map((output, index) =>
      refused.has(this.#columns[index]!) ? null : output.take(this.#length + 1),
    )
    const all = { length: this.#length + 1, columns: this.#columns, data, origin: null }
    this.#onOverflow({ column, value, row: pick(all, Int32Array.of(this.#length)) })
  }

  /** Hands the rows on; they are never late for the next stage, whose time moves by `advance` alone. */
  flush(push: (batch: Batch, times: Times) => void, byKey: boolean): void {
    const rows = this.#length
    if (rows === 0) return
    if (this.#frontier.length < rows) this.#frontier = new Float64Array(rows * 2).fill(Number.NEGATIVE_INFINITY)
    const times = {
      rows,
      time: this.#times,
      frontier: this.#frontier,
      joint: this.#frontier,
      keys: byKey ? this.#keys : null,
      othersOfKey: null,
      partition: 0,
      firstOffset: this.#given,
      others: Number.NEGATIVE_INFINITY,
      othersClosed: Number.NEGATIVE_INFINITY,
    }
    this.#given += rows
    this.#changes.operator.mark(0)
    push(
      { length: rows, columns: this.#columns, data: this.#output.map(column => column.take(rows)), origin: null },
      times,
    )
    this.#length = 0
    for (const column of this.#output) column.reset(rows)
  }

  /** Between batches nothing is gathered: only the number of rows is state. */
  writeOperator(to: StateWriter): void {
    to.number(this.#given)
  }

  readOperator(from: StateReader): void {
    this.#given = from.number()
  }
}
