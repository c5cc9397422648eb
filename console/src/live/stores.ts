/** What the page holds of each panel: rows are put in as they come; the panel reads when it draws. */
import type {
  Cell,
  MapPanel,
  Panel,
  PanelRows,
  StateTimelinePanel,
  TimeSeriesPanel,
} from '../../../src/dashboard/protocol.ts'
import { meetStates } from '../palette.ts'
import { PartsStore } from './parts.ts'
import { Series } from './series.ts'
import { TableStore } from './table-store.ts'

export interface Store {
  /** Rows came, or it is known that there are none. */
  readonly received: boolean
  /** Goes up with each change. */
  readonly version: number
  readonly isEmpty: boolean
  take(rows: PanelRows): void
}

const SERIES_MAX = 1_000
const nameOf = (cell: Cell | undefined): string => (cell == null ? '(none)' : String(cell))
const numberOf = (cell: Cell | undefined): number => (typeof cell === 'number' ? cell : Number.NaN)

/** Series by their key, for time series, state timelines (values are numbers of states) and maps. */
export class SeriesStore implements Store {
  received = false
  version = 0
  readonly series = new Map<string, Series>()
  /** Names of states, by number. */
  readonly states: string[] = []
  readonly #stateNumbers = new Map<string, number>()
  /** Only maps: longitudes, beside `series` which holds latitudes; and the latest label. */
  readonly longitudes = new Map<string, Series>()
  readonly labels = new Map<string, string>()
  readonly #panel: TimeSeriesPanel | StateTimelinePanel | MapPanel
  #changedFrom_ms = Number.NEGATIVE_INFINITY

  constructor(panel: TimeSeriesPanel | StateTimelinePanel | MapPanel) {
    this.#panel = panel
  }

  get isEmpty(): boolean {
    return this.series.size === 0
  }

  take({ reset, length, columns }: PanelRows): void {
    const panel = this.#panel
    if (reset) {
      this.series.clear()
      this.#changedFrom_ms = Number.NEGATIVE_INFINITY
      this.longitudes.clear()
    }
    const keys = panel.by === null ? null : columns[panel.by]
    const times = columns[panel.time] ?? []
    for (let row = 0; row < length; row++) {
      const time = times[row]
      if (typeof time !== 'number') continue
      const key = keys === null ? panel.title : nameOf(keys?.[row])
      const series = seriesOf(this.series, key)
      if (series === null) continue
      if (panel.kind === 'map') {
        series.put(time, numberOf(columns[panel.latitude]?.[row]))
        seriesOf(this.longitudes, key)?.put(time, numberOf(columns[panel.longitude]?.[row]))
        if (panel.label !== null) this.labels.set(key, nameOf(columns[panel.label]?.[row]))
      } else if (panel.kind === 'time-series') {
        const from_ms = series.put(time, numberOf(columns[panel.value]?.[row]))
        if (from_ms < this.#changedFrom_ms) this.#changedFrom_ms = from_ms
      } else series.put(time, this.#stateNumber(columns[panel.state]?.[row]))
    }
    if (panel.kind === 'state-timeline') meetStates(this.states)
    this.received = true
    this.version++
  }

  /** The earliest time at which something changed since this was asked last. */
  takeChangedFrom(): number {
    const from = this.#changedFrom_ms
    this.#changedFrom_ms = Number.POSITIVE_INFINITY
    return from
  }

  /** Series whose newest point is older than the panel reaches back are forgotten: devices come and go. */
  sweep(edge_ms: number): void {
    const oldest = edge_ms - this.#panel.span_ms
    for (const [key, series] of this.series) {
      if (series.newest_ms >= oldest) continue
      this.series.delete(key)
      this.longitudes.delete(key)
      this.labels.delete(key)
    }
  }

  /**
   * The right edge of what is shown. Live data is shown up to now, so that silence is seen; what was recorded earlier is
   * shown up to its newest row. A device whose clock is ahead moves nobody else out of sight.
   */
  edge_ms(now_ms: number): number {
    let live = Number.NEGATIVE_INFINITY
    let newest = Number.NEGATIVE_INFINITY
    for (const series of this.series.values()) {
      const time = series.newest_ms
      if (time > newest) newest = time
      if (time <= now_ms + CLOCKS_DIFFER_MS && time > live) live = time
    }
    if (newest === Number.NEGATIVE_INFINITY || live >= now_ms - this.#panel.span_ms) return Math.max(now_ms, live)
    return newest
  }

  oldest_ms(): number {
    let oldest = Number.POSITIVE_INFINITY
    for (const series of this.series.values()) oldest = Math.min(oldest, series.oldest_ms)
    return oldest
  }

  #stateNumber(cell: Cell | undefined): number {
    if (cell == null) return Number.NaN
    const name = String(cell)
    const known = this.#stateNumbers.get(name)
    if (known !== undefined) return known
    this.#stateNumbers.set(name, this.states.length)
    return this.states.push(name) - 1
  }
}

const CLOCKS_DIFFER_MS = 5_000

function seriesOf(all: Map<string, Series>, key: string): Series | null {
  const known = all.get(key)
  if (known !== undefined) return known
  if (all.size >= SERIES_MAX) return null
  const made = new Series()
  all.set(key, made)
  return made
}

export function storeFor(panel: Panel): Store {
  if (panel.kind === 'table') return new TableStore(panel)
  if (panel.kind === 'stat' || panel.kind === 'bars') return new PartsStore(panel)
  return new SeriesStore(panel)
}
