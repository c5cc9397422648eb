/** What the reader chose to look at; the same for all panels of the page. */
import { computed, signal } from '@preact/signals'
import { keep, keptText } from '../theme.ts'
import { ask, redrawAll } from './frames.ts'
import { serverNow_ms } from './model.ts'
import type { SeriesStore } from './stores.ts'

export interface Span {
  readonly title: string
  readonly name: string
  /** null: all that the panel holds. */
  readonly span_ms: number | null
}

const ALL: Span = { title: 'All', name: 'all that is kept', span_ms: null }
export const spans: readonly Span[] = [
  { title: '1 m', name: '1 minute', span_ms: 60_000 },
  { title: '5 m', name: '5 minutes', span_ms: 300_000 },
  { title: '15 m', name: '15 minutes', span_ms: 900_000 },
  ALL,
]

const NAME = 'millrace.span'
const chosen = signal(keptText(NAME) ?? ALL.title)
export const span = computed<Span>(() => spans.find(({ title }) => title === chosen.value) ?? ALL)

export function chooseSpan(title: string): void {
  chosen.value = title
  keep(NAME, title)
  redrawAll()
}

/** The time that the reader points at, in whichever panel; null: none. */
export const pointed_ms = signal<number | null>(null)
pointed_ms.subscribe(() => ask())

/** All shows at least this much, so that the first points do not fly past. */
const SHOWN_MS_MIN = 60_000
const GROWTH = 1.15

/** A little more than is there, in steps: what grows with each row would be drawn anew with each. */
function roomFor(past_ms: number): number {
  const steps = Math.ceil(Math.log(Math.max(1, past_ms / SHOWN_MS_MIN)) / Math.log(GROWTH))
  return Number.isFinite(steps) ? SHOWN_MS_MIN * GROWTH ** steps : SHOWN_MS_MIN
}

/** From when until when a panel shows now. */
export function shownRange(store: SeriesStore, span_ms: number): readonly [number, number] {
  const edge = store.edge_ms(serverNow_ms())
  store.sweep(edge)
  const wanted = span.value.span_ms ?? Math.min(span_ms, roomFor(edge - store.oldest_ms()))
  return [edge - wanted, edge]
}
