/** The latest row of each key, for tables. With more keys than its limit, those that were silent longest go. */
import type { Batch } from '../../engine/batch.ts'
import type { Cell } from '../protocol.ts'
import { cellReader, keyReader, timeReader } from './cells.ts'
import { AHEAD_US_MAX, type PanelStore, type Slice } from './store.ts'

export interface LatestStoreOptions {
  readonly columns: readonly string[]
  readonly key: readonly string[]
  readonly limit: number
  /** A row with an earlier time than the one of its key that is held is left out; null: the last to come counts. */
  readonly time: string | null
}

interface Latest {
  readonly cells: readonly Cell[]
  readonly time: number
  readonly version: number
}

export class LatestStore implements PanelStore {
  readonly #options: LatestStoreOptions
  /** In the order in which they were renewed. */
  readonly #rows = new Map<string, Latest>()
  version = 0
  /** A client that was told less than this is told everything again: too many of the keys it knows are gone. */
  #resetBelow = 0
  #evicted = 0

  constructor(options: LatestStoreOptions) {
    this.#options = options
  }

  add(batch: Batch, now_us: number): void {
    const { columns, key, limit, time } = this.#options
    const readers = columns.map(name => cellReader(batch, name))
    const keyOf = keyReader(batch, key)
    const timeOf = time === null ? () => null : timeReader(batch, time)
    for (let row = 0; row < batch.length; row++) {
      const at = timeOf(row) ?? Number.NEGATIVE_INFINITY
      if (at > now_us + AHEAD_US_MAX) continue
      const name = keyOf(row)
      const held = this.#rows.get(name)
      if (held !== undefined && at < held.time) continue
      this.#rows.delete(name)
      this.#rows.set(name, { cells: readers.map(read => read(row)), time: at, version: ++this.version })
      if (this.#rows.size > limit) this.#evict()
    }
  }

  changes(since: number): Slice {
    const reset = since < this.#resetBelow
    const rows = [...this.#rows.values()].filter(({ version }) => reset || version > since)
    return {
      reset,
      length: rows.length,
      columns: Object.fromEntries(
        this.#options.columns.map((name, index) => [name, rows.map(({ cells }) => cells[index]!)]),
      ),
    }
  }

  #evict(): void {
    this.#rows.delete(this.#rows.keys().next().value!)
    // Not at each one: a page may hold twice the limit before it is told everything anew.
    if (++this.#evicted < this.#options.limit) return
    this.#evicted = 0
    this.#resetBelow = this.version
  }
}
