/** The panels of a plan: what the page is told of each, and what is remembered for it. */
import type { PanelNode, Plan, TableNode } from '../plan/nodes.ts'
import type { ColumnType } from '../plan/schema.ts'
import type { CellType, Dashboard, Panel } from './protocol.ts'
import { LatestStore } from './stores/latest-store.ts'
import { PartStore } from './stores/part-store.ts'
import { RowStore } from './stores/row-store.ts'
import type { PanelStore } from './stores/store.ts'

const CELL_TYPES: Readonly<Record<ColumnType, CellType>> = {
  number: 'number',
  int64: 'number',
  decimal: 'number',
  text: 'string',
  boolean: 'boolean',
  timestamp: 'timestamp',
  json: 'other',
}

export function dashboardsOf(plan: Plan): readonly Dashboard[] {
  return plan.dashboards.map(({ title, panels }) => ({ title, panels: panels.map(describe) }))
}

function describe(panel: PanelNode): Panel {
  const base = { id: panel.identity, title: panel.title, unit: 'unit' in panel ? panel.unit : null }
  switch (panel.kind) {
    case 'time-series': {
      const { kind, time, value, by } = panel
      return { ...base, kind, time, value, by, span_ms: panel.span_us / 1000 }
    }
    case 'state-timeline': {
      const { kind, time, state, by } = panel
      return { ...base, kind, time, state, by, span_ms: panel.span_us / 1000 }
    }
    case 'stat':
      return { ...base, kind: 'stat', value: panel.value, aggregate: panel.aggregate, over_ms: panel.span_us / 1000 }
    case 'bars':
      return { ...base, kind: 'bars', category: panel.category, value: panel.value, over_ms: panel.span_us / 1000 }
    case 'map': {
      const { kind, time, latitude, longitude, by, label } = panel
      return { ...base, kind, time, latitude, longitude, by, label, span_ms: panel.span_us / 1000 }
    }
    case 'table': {
      const typeOf = (name: string) => panel.stream.columns.find(column => column.name === name)?.type ?? 'json'
      const columns = panel.shown.map(name => ({ name, type: CELL_TYPES[typeOf(name)] }))
      return { ...base, kind: 'table', columns, latestBy: keyOf(panel), limit: panel.limit }
    }
  }
}

export function storeOf(panel: PanelNode): PanelStore {
  const { stream } = panel.stream
  const isRevised = stream.kind === 'changelog'
  const rowStore = (
    by: string | null,
    { time, span_us }: { time: string; span_us: number },
    columns: string[],
    numbers: string[] = [],
  ) =>
    new RowStore({
      columns: [...new Set([...columns, ...numbers])],
      numbers,
      timed: { time, by, span_us, sampled: !isRevised },
    })
  switch (panel.kind) {
    case 'time-series':
      return rowStore(panel.by, panel, [panel.time, ...some(panel.by)], [panel.value])
    case 'state-timeline':
      return rowStore(panel.by, panel, [panel.time, panel.state, panel.by])
    case 'map': {
      const { latitude, longitude, by, label } = panel
      return rowStore(by, panel, [panel.time, ...some(by), ...some(label)], [latitude, longitude])
    }
    case 'stat':
    case 'bars':
      return new PartStore({
        time: panel.time,
        value: panel.value,
        category: panel.kind === 'bars' ? panel.category : null,
        span_us: panel.span_us,
        key: stream.kind === 'changelog' ? stream.key : null,
      })
    case 'table': {
      const { limit, time } = panel
      const key = keyOf(panel)
      const columns = [...new Set([...panel.shown, ...key])]
      if (key.length === 0) return new RowStore({ columns, rowsMax: limit, timed: null })
      return new LatestStore({ columns, key, limit, time })
    }
  }
}

/** A table of a changelog has one row a key, even when it does not say so. */
function keyOf({ latestBy, stream: { stream } }: TableNode): readonly string[] {
  return latestBy.length === 0 && stream.kind === 'changelog' ? stream.key : latestBy
}

function some(name: string | null): string[] {
  return name === null ? [] : [name]
}
