/** A panel: its title, and the picture of its kind, or what to say while there is none. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { Panel, PanelKind } from '../../../src/dashboard/protocol.ts'
import { useDrawing } from '../live/frames.ts'
import { hello, storeOf } from '../live/model.ts'
import type { PartsStore } from '../live/parts.ts'
import type { SeriesStore, Store } from '../live/stores.ts'
import type { TableStore } from '../live/table-store.ts'
import { Bars } from './bars.tsx'
import { PlaceMap } from './map.tsx'
import { Stat } from './stat.tsx'
import { StateTimeline } from './state-timeline.tsx'
import { Table } from './table.tsx'
import { TimeSeries } from './time-series.tsx'

/** Of twelve columns; rows are filled to the end, see `widths`. */
const WIDTHS: Readonly<Record<PanelKind, number>> = {
  stat: 3,
  bars: 4,
  table: 8,
  map: 6,
  'state-timeline': 6,
  'time-series': 6,
}
const COLUMNS = 12
const NARROW_TABLE = 4

const widthOf = (panel: Panel): number =>
  panel.kind === 'table' && panel.columns.length <= NARROW_TABLE ? 6 : WIDTHS[panel.kind]

/** Panels in their order, row by row; what is left over of a row goes to its widest panels. */
export function widths(panels: readonly Panel[]): number[] {
  const result: number[] = []
  let row: number[] = []
  const finish = () => {
    if (row.length === 0) return
    for (let left = COLUMNS - row.reduce((sum, width) => sum + width, 0); left > 0; left--) {
      row[row.indexOf(row.every(width => width === row[0]) ? Math.max(...row) : Math.min(...row))]! += 1
    }
    result.push(...row)
    row = []
  }
  for (const panel of panels) {
    if (row.reduce((sum, width) => sum + width, 0) + widthOf(panel) > COLUMNS) finish()
    row.push(widthOf(panel))
  }
  finish()
  return result
}

type State = 'loading' | 'empty' | 'shown'

export function PanelFrame({ panel, width }: { readonly panel: Panel; readonly width: number }) {
  const [state, setState] = useState<State>('loading')
  const stateNow = (): State => {
    const store = storeOf(panel.id)
    return !store?.received ? 'loading' : store.isEmpty ? 'empty' : 'shown'
  }
  const host = useDrawing<HTMLElement>(() => ({ version: stateNow, draw: () => setState(stateNow()), always: true }))
  const store = storeOf(panel.id)
  // What is drawn belongs to one connection's store.
  const started = `${panel.id} ${connectionNumber()}`
  return (
    <section
      class={`panel panel-${panel.kind} w${width}`}
      ref={host}
      aria-labelledby={`title-${panel.id}`}
      data-panel={panel.id}
    >
      <h2 id={`title-${panel.id}`}>
        {panel.title}
        {panel.unit !== null && panel.kind !== 'stat' && <span class="unit">{panel.unit}</span>}
      </h2>
      {state === 'loading' || store === undefined ? (
        <Skeleton kind={panel.kind} />
      ) : state === 'empty' ? (
        <p class="empty">Nothing yet. Rows appear here as they come.</p>
      ) : (
        <Picture key={started} panel={panel} store={store} />
      )}
    </section>
  )
}

function Picture({ panel, store }: { readonly panel: Panel; readonly store: Store }): ComponentChildren {
  switch (panel.kind) {
    case 'time-series':
      return <TimeSeries panel={panel} store={store as SeriesStore} />
    case 'state-timeline':
      return <StateTimeline panel={panel} store={store as SeriesStore} />
    case 'map':
      return <PlaceMap panel={panel} store={store as SeriesStore} />
    case 'stat':
      return <Stat panel={panel} store={store as PartsStore} />
    case 'bars':
      return <Bars panel={panel} store={store as PartsStore} />
    case 'table':
      return <Table panel={panel} store={store as TableStore} />
  }
}

export function Skeleton({ kind }: { readonly kind: PanelKind }) {
  return (
    <div class={`skeleton skeleton-${kind}`} role="status">
      <span class="unseen">Loading</span>
      <span class="bone" />
      <span class="bone" />
      <span class="bone" />
    </div>
  )
}

const numbers = new WeakMap<object, number>()
let connections = 0

/** Each `hello` begins anew. */
function connectionNumber(): number {
  const said = hello.value
  if (said === null) return 0
  if (!numbers.has(said)) numbers.set(said, ++connections)
  return numbers.get(said)!
}
