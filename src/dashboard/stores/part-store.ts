/**
 * Sums of parts of a span, for numbers and bars: every row counts, however fast they come. A part is a sixtieth of the
 * span; the page adds up those that lie in it.
 *
 * A row of a changelog takes back what the earlier one of its key had added; the latest 20,000 keys are known for that.
 */
import type { Batch } from '../../engine/batch.ts'
import type { Cell } from '../protocol.ts'
import { cellReader, keyReader, numberReader, timeReader } from './cells.ts'
import { EventClock } from './event-clock.ts'
import { type PanelStore, ROWS_MAX, SERIES_MAX, type Slice, TOLD_NOTHING } from './store.ts'

const PARTS = 60

export interface PartStoreOptions {
  readonly time: string
  /** null: rows are counted. */
  readonly value: string | null
  /** null: one number, of all rows. */
  readonly category: string | null
  readonly span_us: number
  /** Key of a changelog; null: rows are only added. */
  readonly key: readonly string[] | null
}

interface Entry {
  readonly value: number
  readonly time: number
}

interface Sums {
  count: number
  sum: number
  min: number | null
  max: number | null
  last: number | null
  lastTime: number
}

interface Part {
  readonly category: Cell
  readonly start_us: number
  sums: Sums
  version: number
  /** Of a changelog: what can be taken back, by key, and the sums of what no longer can. */
  readonly entries: Map<string, Entry>
  readonly settled: Sums
}

export class PartStore implements PanelStore {
  readonly #options: PartStoreOptions
  readonly #part_us: number
  readonly #clock = new EventClock()
  /** By beginning, then by category. */
  readonly #parts = new Map<number, Map<Cell, Part>>()
  /** How many parts each category has. */
  readonly #categories = new Map<Cell, number>()
  /** Of a changelog, the part in which each key counts, the oldest first. */
  readonly #places = new Map<string, Part>()
  /** Parts whose entries were changed by the batch at hand. */
  readonly #changed = new Set<Part>()
  version = 0

  constructor(options: PartStoreOptions) {
    this.#options = options
    this.#part_us = Math.max(1_000, Math.ceil(options.span_us / PARTS))
  }

  add(batch: Batch, now_us: number): void {
    const { time, value, category, key, span_us } = this.#options
    const timeOf = timeReader(batch, time)
    const numberOf = numberReader(batch, value)
    const categoryOf = cellReader(batch, category)
    const keyOf = key === null ? null : keyReader(batch, key)
    for (let row = 0; row < batch.length; row++) {
      const at = timeOf(row)
      if (at === null || !this.#clock.sees(at, now_us)) continue
      const name = keyOf === null ? null : keyOf(row)
      if (name !== null) this.#takeBack(name)
      if (at < this.#clock.at(now_us) - span_us) continue
      const cell = value === null ? 1 : numberOf(row)
      if (typeof cell !== 'number') continue
      const part = this.#partAt(at, categoryOf(row))
      if (part === null) continue
      if (name === null) {
        count(part.sums, { value: cell, time: at })
        part.version = ++this.version
      } else this.#remember(name, part, { value: cell, time: at })
    }
    for (const part of this.#changed) {
      part.sums = { ...part.settled }
      for (const entry of part.entries.values()) count(part.sums, entry)
      part.version = ++this.version
    }
    this.#changed.clear()
    this.#expire(this.#clock.at(now_us) - span_us)
  }

  changes(since: number): Slice {
    const parts = [...this.#parts.values()].flatMap(group => [...group.values()])
    const told = parts.filter(({ version }) => version > since)
    const { category } = this.#options
    const columnOf = (name: 'count' | 'sum' | 'min' | 'max' | 'last') => told.map(({ sums }) => sums[name])
    return {
      reset: since === TOLD_NOTHING,
      length: told.length,
      columns: {
        time: told.map(({ start_us }) => start_us / 1000),
        count: columnOf('count'),
        sum: columnOf('sum'),
        ...(category === null
          ? { min: columnOf('min'), max: columnOf('max'), last: columnOf('last') }
          : { category: told.map(part => part.category) }),
      },
    }
  }

  #partAt(time: number, category: Cell): Part | null {
    const start_us = Math.floor(time / this.#part_us) * this.#part_us
    let group = this.#parts.get(start_us)
    const known = group?.get(category)
    if (known !== undefined) return known
    const used = this.#categories.get(category)
    if (used === undefined && this.#categories.size >= SERIES_MAX) return null
    this.#categories.set(category, (used ?? 0) + 1)
    if (group === undefined) {
      group = new Map()
      this.#parts.set(start_us, group)
    }
    const part: Part = { category, start_us, sums: empty(), version: 0, entries: new Map(), settled: empty() }
    group.set(category, part)
    return part
  }

  #remember(name: string, part: Part, entry: Entry): void {
    part.entries.set(name, entry)
    this.#places.set(name, part)
    this.#changed.add(part)
    if (this.#places.size <= ROWS_MAX) return
    const [oldest, place] = this.#places.entries().next().value!
    this.#places.delete(oldest)
    count(place.settled, place.entries.get(oldest)!)
    place.entries.delete(oldest)
  }

  #takeBack(name: string): void {
    const part = this.#places.get(name)
    if (part === undefined) return
    this.#places.delete(name)
    part.entries.delete(name)
    this.#changed.add(part)
  }

  #expire(from_us: number): void {
    for (const [start_us, group] of this.#parts) {
      if (start_us + this.#part_us > from_us) continue
      this.#parts.delete(start_us)
      for (const [category, part] of group) {
        for (const name of part.entries.keys()) this.#places.delete(name)
        const left = this.#categories.get(category)! - 1
        if (left === 0) this.#categories.delete(category)
        else this.#categories.set(category, left)
      }
    }
  }
}

function empty(): Sums {
  return { count: 0, sum: 0, min: null, max: null, last: null, lastTime: Number.NEGATIVE_INFINITY }
}

function count(sums: Sums, { value, time }: Entry): void {
  sums.count++
  sums.sum += value
  sums.min = sums.min === null ? value : Math.min(sums.min, value)
  sums.max = sums.max === null ? value : Math.max(sums.max, value)
  if (time < sums.lastTime) return
  sums.last = value
  sums.lastTime = time
}
