/**
 * The rows of the last while, as they came: for lines, states, maps, and tables without a key.
 *
 * With `span_us`, rows older than that before the panel's clock go. With `sampled`, a series keeps at most one row in each
 * two-thousandth of the span (the first of them), more than a screen has points: so a fast stream fills no more than its
 * share. Rows of a changelog are not sampled, because a later one corrects an earlier one.
 */
import type { Batch } from '../../engine/batch.ts'
import type { Cell } from '../protocol.ts'
import { cellReader, numberReader, timeReader } from './cells.ts'
import { EventClock } from './event-clock.ts'
import { type PanelStore, ROWS_MAX, SERIES_MAX, type Slice } from './store.ts'

const POINTS_OF_SPAN = 2_000
/** Rows at the front that are gone already, before the arrays are moved together. */
const SLACK_ROWS = 4_096

export interface RowStoreOptions {
  /** At least one. */
  readonly columns: readonly string[]
  /** Those of the columns that are drawn, as numbers: exact ones as the nearest double. */
  readonly numbers?: readonly string[]
  readonly rowsMax?: number
  readonly timed: {
    readonly time: string
    readonly by: string | null
    readonly span_us: number
    readonly sampled: boolean
  } | null
}

interface Series {
  readonly name: Cell
  rows: number
  /** The part of the span in which its last row lies. */
  slot: number
}

export class RowStore implements PanelStore {
  readonly #options: RowStoreOptions
  readonly #rowsMax: number
  readonly #cells: readonly Cell[][]
  /** Beside each row, when the store is timed. */
  readonly #times: number[] = []
  readonly #owners: Series[] = []
  readonly #series = new Map<Cell, Series>()
  readonly #clock = new EventClock()
  /** Index of the first row that counts, and the number of the row at index 0. */
  #start = 0
  #base = 0

  constructor(options: RowStoreOptions) {
    this.#options = options
    this.#rowsMax = Math.min(options.rowsMax ?? ROWS_MAX, ROWS_MAX)
    this.#cells = options.columns.map(() => [])
  }

  /** The number of the next row. */
  get version(): number {
    return this.#base + this.#length
  }

  /** Rows that it holds. */
  get rows(): number {
    return this.#length - this.#start
  }

  add(batch: Batch, now_us: number): void {
    const { columns, numbers = [] } = this.#options
    const readers = columns.map(name => (numbers.includes(name) ? numberReader(batch, name) : cellReader(batch, name)))
    const takes = this.#taker(batch, now_us)
    // Of a batch without times only its last rows can stay, and then none from before it: the others come and go at once.
    const first = this.#options.timed === null ? Math.max(0, batch.length - this.#rowsMax) : 0
    this.#base += first
    for (let row = first; row < batch.length; row++) {
      if (!takes(row)) continue
      for (let index = 0; index < readers.length; index++) this.#cells[index]!.push(readers[index]!(row))
      if (this.rows > this.#rowsMax) this.#drop()
    }
    this.#expire(now_us)
    if (this.#start > SLACK_ROWS) this.#compact()
  }

  changes(since: number): Slice {
    const first = this.#base + this.#start
    const reset = since < first
    const from = Math.max(since, first) - this.#base
    return {
      reset,
      length: this.#length - from,
      columns: Object.fromEntries(this.#options.columns.map((name, index) => [name, this.#cells[index]!.slice(from)])),
    }
  }

  get #length(): number {
    return this.#cells[0]!.length
  }

  /** Decides row by row, and notes time and series of those that it takes. */
  #taker(batch: Batch, now_us: number): (row: number) => boolean {
    const { timed } = this.#options
    if (timed === null) return () => true
    const timeOf = timeReader(batch, timed.time)
    const seriesOf = cellReader(batch, timed.by)
    const slot_us = timed.span_us / POINTS_OF_SPAN
    return row => {
      const time = timeOf(row)
      if (time === null || !this.#clock.sees(time, now_us)) return false
      if (time < this.#clock.at(now_us) - timed.span_us) return false
      const name = seriesOf(row)
      const slot = Math.floor(time / slot_us)
      const series = this.#series.get(name)
      if (series === undefined && this.#series.size >= SERIES_MAX) return false
      if (timed.sampled && series?.slot === slot) return false
      const owner = series ?? { name, rows: 0, slot }
      owner.rows++
      owner.slot = slot
      if (series === undefined) this.#series.set(name, owner)
      this.#times.push(time)
      this.#owners.push(owner)
      return true
    }
  }

  #expire(now_us: number): void {
    const { timed } = this.#options
    if (timed === null) return
    const from = this.#clock.at(now_us) - timed.span_us
    while (this.rows > 0 && this.#times[this.#start]! < from) this.#drop()
  }

  #drop(): void {
    const owner = this.#owners[this.#start]
    this.#start++
    if (owner !== undefined && --owner.rows === 0) this.#series.delete(owner.name)
  }

  #compact(): void {
    for (const cells of [...this.#cells, this.#times, this.#owners]) cells.splice(0, this.#start)
    this.#base += this.#start
    this.#start = 0
  }
}
