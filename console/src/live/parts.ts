/** Parts of time that the server has counted already, for a stat and for bars: by category, then by the part's time. */
import type { BarsPanel, PanelRows, StatAggregate, StatPanel } from '../../../src/dashboard/protocol.ts'
import { meetStates } from '../palette.ts'

export interface Part {
  readonly time: number
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
  readonly last: number
}

const CATEGORIES_MAX = 1_000

export class PartsStore {
  received = false
  version = 0
  readonly categories = new Map<string, Map<number, Part>>()
  #newest_ms = Number.NEGATIVE_INFINITY
  readonly #over_ms: number

  constructor(panel: StatPanel | BarsPanel) {
    this.#over_ms = panel.over_ms
  }

  get isEmpty(): boolean {
    return this.categories.size === 0
  }

  take({ reset, length, columns }: PanelRows): void {
    if (reset) {
      this.categories.clear()
      this.#newest_ms = Number.NEGATIVE_INFINITY
    }
    const cell = (name: string, row: number) => {
      const value = columns[name]?.[row]
      return typeof value === 'number' ? value : Number.NaN
    }
    for (let row = 0; row < length; row++) {
      const time = cell('time', row)
      const name = columns.category === undefined ? '' : String(columns.category[row] ?? '(none)')
      let parts = this.categories.get(name)
      if (parts === undefined) {
        if (this.categories.size >= CATEGORIES_MAX) continue
        parts = new Map()
        this.categories.set(name, parts)
      }
      const [count, sum, min, max, last] = ['count', 'sum', 'min', 'max', 'last'].map(column => cell(column, row))
      parts.set(time, { time, count: count!, sum: sum!, min: min!, max: max!, last: last! })
      if (time > this.#newest_ms) this.#newest_ms = time
    }
    if (columns.category !== undefined) meetStates([...this.categories.keys()])
    this.received = true
    this.version++
  }

  /** Now for live data, the newest part for what was recorded earlier. */
  edge_ms(now_ms: number): number {
    return Math.abs(now_ms - this.#newest_ms) <= this.#over_ms ? now_ms : this.#newest_ms
  }

  /** The parts of a category that count at this moment, oldest first; older ones are forgotten. */
  partsOf(category: string, now_ms: number): Part[] {
    const parts = this.categories.get(category)
    if (parts === undefined) return []
    const oldest = this.edge_ms(now_ms) - this.#over_ms
    for (const time of parts.keys()) if (time < oldest) parts.delete(time)
    if (parts.size === 0) this.categories.delete(category)
    return [...parts.values()].sort((a, b) => a.time - b.time)
  }
}

/** The aggregate over parts, oldest first; NaN when nothing was counted. */
export function aggregateOf(parts: readonly Part[], aggregate: StatAggregate): number {
  const counted = parts.filter(({ count }) => count > 0)
  const total = (pick: (part: Part) => number) => counted.reduce((sum, part) => sum + pick(part), 0)
  if (aggregate === 'count') return total(({ count }) => count)
  const newest = counted.at(-1)
  if (newest === undefined) return Number.NaN
  switch (aggregate) {
    case 'last':
      return newest.last
    case 'sum':
      return total(({ sum }) => sum)
    case 'average':
      return total(({ sum }) => sum) / total(({ count }) => count)
    case 'min':
      return Math.min(...counted.map(({ min }) => min))
    case 'max':
      return Math.max(...counted.map(({ max }) => max))
  }
}
