/** The cursor of charts by keys: arrows move it, with Shift by larger steps; Home and End go to the edges; Escape ends it. */
import type { SeriesStore } from '../live/stores.ts'
import { pointed_ms, shownRange } from '../live/view.ts'

const STEPS = 120

export function moveByKeys(event: KeyboardEvent, store: SeriesStore, span_ms: number): void {
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
  pointed_ms.value = targets[event.key] ?? null
}
