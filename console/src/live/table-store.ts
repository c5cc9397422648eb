/** Rows of a table: the latest of each key, or the newest of all. */
import type { Cell, PanelRows, TablePanel } from '../../../src/dashboard/protocol.ts'

export interface TableRow {
  readonly key: string
  readonly cells: readonly Cell[]
  /** `version` of the store when this row came. */
  readonly version: number
}

const KEYS_MAX = 1_000

export class TableStore {
  received = false
  version = 0
  #rows = new Map<string, TableRow>()
  #count = 0
  readonly #panel: TablePanel

  constructor(panel: TablePanel) {
    this.#panel = panel
  }

  get isEmpty(): boolean {
    return this.#rows.size === 0
  }

  take({ reset, length, columns }: PanelRows): void {
    if (reset) this.#rows.clear()
    this.version++
    const { latestBy, columns: shown, limit } = this.#panel
    const most = latestBy.length === 0 ? limit : KEYS_MAX
    for (let row = 0; row < length; row++) {
      const key =
        latestBy.length === 0
          ? String(this.#count++)
          : JSON.stringify(latestBy.map(name => columns[name]?.[row] ?? null))
      const cells = shown.map(({ name }) => columns[name]?.[row] ?? null)
      // Taken out first, so that the order of the map is that of arrival.
      this.#rows.delete(key)
      this.#rows.set(key, { key, cells, version: reset ? 0 : this.version })
      if (this.#rows.size > most) this.#rows.delete(this.#rows.keys().next().value!)
    }
    this.received = true
  }

  /** By key when there is one, so that a row stays in its place; else the newest first. */
  rows(): TableRow[] {
    const rows = [...this.#rows.values()]
    const { latestBy, limit } = this.#panel
    if (latestBy.length === 0) return rows.reverse()
    return rows.sort((a, b) => compare.compare(a.key, b.key)).slice(0, limit)
  }
}

const compare = new Intl.Collator('en', { numeric: true })
