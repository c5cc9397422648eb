/**
 * The cursor of charts by keys: arrows move it, with Shift by larger steps; Home and End go to the edges; Escape ends it.
 * For those who do not see the picture the chart is a slider over time that says the values there.
 */
import { NOTHING, timeText } from '../format.ts'
import { serverNow_ms } from '../live/model.ts'
import type { Series } from '../live/series.ts'
import type { SeriesStore } from '../live/stores.ts'
import { pointed_ms, shownRange } from '../live/view.ts'

const STEPS = 120
const SPOKEN_MAX = 12

/** `textOf` says a value of a series in words. */
export function moveByKeys(
  event: KeyboardEvent,
  store: SeriesStore,
  span_ms: number,
  textOf: (value: number) => string,
): void {
  const [from, to] = shownRange(store, span_ms)
  const step = ((to - from) / STEPS) * (event.shiftKey ? 10 : 1)
  const now = pointed_ms.value ?? to
  const targets: Record<string, number | null> = {
    ArrowLeft: Math.max(from, now - step),
    ArrowRight: Math.min(to, now + step),
    Home: from,
    End: to,
    Escape: null,
  }
  if (!(event.key in targets)) return
  event.preventDefault()
  const time = targets[event.key] ?? null
  pointed_ms.value = time
  const chart = event.currentTarget as HTMLElement
  chart.setAttribute('aria-valuenow', time === null ? '100' : String(Math.round(((time - from) / (to - from)) * 100)))
  chart.setAttribute('aria-valuetext', time === null ? 'now' : spoken(store, time, textOf))
}

function spoken(store: SeriesStore, time_ms: number, textOf: (value: number) => string): string {
  const values = [...store.series].slice(0, SPOKEN_MAX).map(([key, series]) => {
    const value = valueAt(series, time_ms)
    return `${key} ${Number.isNaN(value) ? NOTHING : textOf(value)}`
  })
  return `${timeText(time_ms, serverNow_ms())}: ${values.join(', ')}`
}

/** The value of a series at a time: that of its last point before it, when that still holds. */
export function valueAt(series: Series, time_ms: number): number {
  const at = series.indexFrom(time_ms + 1) - 1
  if (at < series.begin || time_ms - series.times[at]! > series.gap_ms) return Number.NaN
  return series.values[at]!
}
