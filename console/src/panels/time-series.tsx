/** Lines over time, with a legend of the latest values or of those at the time that is pointed at. */
import { useRef, useState } from 'preact/hooks'
import type { TimeSeriesPanel } from '../../../src/dashboard/protocol.ts'
import { numberText } from '../format.ts'
import { ask, useDrawing } from '../live/frames.ts'
import type { SeriesStore } from '../live/stores.ts'
import { pointed_ms, shownRange } from '../live/view.ts'
import { moveByKeys, valueAt } from './pointing.ts'
import { SeriesSwatch } from './swatch.tsx'
import { TimeChart } from './time-chart.ts'
import { useVersion } from './use-version.ts'

/** More series than this are folded away until they are asked for. */
const LEGEND_MAX = 12

export function TimeSeries({ panel, store }: { readonly panel: TimeSeriesPanel; readonly store: SeriesStore }) {
  const chart = useRef<TimeChart | null>(null)
  const host = useDrawing<HTMLDivElement>(element => {
    chart.current = new TimeChart(element, store, panel)
    return chart.current
  })
  const point = (key: string | null, only: boolean) => {
    if (chart.current === null) return
    if (only) chart.current.only = key
    else chart.current.focus = key
    ask()
  }
  const label = `${panel.title}${panel.unit === null ? '' : ` in ${panel.unit}`}, ${panel.value} over time. Arrow keys move the cursor.`
  return (
    <>
      <div
        class="chart"
        ref={host}
        role="slider"
        tabIndex={0}
        aria-valuenow={0}
        aria-label={label}
        onKeyDown={event => moveByKeys(event, store, panel.span_ms, numberText)}
      />
      {panel.by !== null && <Legend panel={panel} store={store} point={point} />}
    </>
  )
}

interface LegendProps {
  readonly panel: TimeSeriesPanel
  readonly store: SeriesStore
  readonly point: (key: string | null, only: boolean) => void
}

function Legend({ panel, store, point }: LegendProps) {
  const [open, setOpen] = useState(false)
  const [only, setOnly] = useState<string | null>(null)
  const list = useVersion<HTMLDivElement>(() => `${store.version} ${pointed_ms.value}`)
  const time = pointed_ms.value ?? shownRange(store, panel.span_ms)[1]
  const keys = [...store.series.keys()].sort(order.compare)
  const shown = open ? keys : keys.slice(0, LEGEND_MAX)
  return (
    <div class={open ? 'legend legend-open' : 'legend'} ref={list}>
      {shown.map(key => {
        const series = store.series.get(key)!
        const value = pointed_ms.value === null ? series.latest : valueAt(series, time)
        return (
          <button
            type="button"
            key={key}
            class={only !== null && only !== key ? 'series series-off' : 'series'}
            aria-pressed={only === key}
            title={only === key ? 'Show all' : `Show only ${key}`}
            onMouseEnter={() => point(key, false)}
            onMouseLeave={() => point(null, false)}
            onFocus={() => point(key, false)}
            onBlur={() => point(null, false)}
            onClick={() => {
              const next = only === key ? null : key
              setOnly(next)
              point(next, true)
            }}
          >
            <SeriesSwatch name={key} among={keys.length} />
            <span class="series-name">{key}</span>
            <span class="series-value">{numberText(value)}</span>
          </button>
        )
      })}
      {keys.length > LEGEND_MAX && (
        <button type="button" class="series series-more" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? 'fewer' : `${keys.length - LEGEND_MAX} more`}
        </button>
      )}
    </div>
  )
}

const order = new Intl.Collator('en', { numeric: true })
