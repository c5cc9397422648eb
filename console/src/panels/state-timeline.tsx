/** A lane for each series, filled with the colour of the state that it was in, and the state's name where there is room. */
import type { StateTimelinePanel } from '../../../src/dashboard/protocol.ts'
import { ON_FILL } from '../colours.ts'
import { NOTHING, tickText, timeText } from '../format.ts'
import { ask, type Drawing, useDrawing } from '../live/frames.ts'
import { serverNow_ms } from '../live/model.ts'
import type { Series } from '../live/series.ts'
import type { SeriesStore } from '../live/stores.ts'
import { pointed_ms, shownRange } from '../live/view.ts'
import { canvasColours } from '../palette.ts'
import { fitting, prepared, timeMarks, timeStep_ms } from './canvas.ts'
import { moveByKeys, valueAt } from './pointing.ts'
import { drawState } from './state-box.ts'
import { StateSwatch } from './swatch.tsx'
import { useVersion } from './use-version.ts'

/** Lanes share this height while they are few. */
const HEIGHT = 208
const LANE_MIN = 26
const LANE_MAX = 42
const BETWEEN = 7
const AXIS = 24
const LANES_HEIGHT_MAX = 396
const NAMES_SHARE = 0.24
const NAMES_MAX = 130

export function StateTimeline({ panel, store }: { readonly panel: StateTimelinePanel; readonly store: SeriesStore }) {
  const host = useDrawing<HTMLDivElement>(element => new Lanes(element, store, panel))
  const label = `${panel.title}: ${panel.state} of each ${panel.by} over time. Arrow keys move the cursor.`
  return (
    <>
      <div
        class="chart lanes"
        ref={host}
        role="slider"
        tabIndex={0}
        aria-valuenow={0}
        aria-label={label}
        onKeyDown={event => moveByKeys(event, store, panel.span_ms, state => store.states[state] ?? NOTHING)}
      >
        <canvas />
        <div class="lanes-room" />
      </div>
      <States store={store} panel={panel} />
    </>
  )
}

/** The states by colour, with how many series are in each now or at the time that is pointed at. */
function States({ panel, store }: { readonly panel: StateTimelinePanel; readonly store: SeriesStore }) {
  const list = useVersion<HTMLDivElement>(() => `${store.version} ${pointed_ms.value}`)
  const time = pointed_ms.value ?? shownRange(store, panel.span_ms)[1]
  const counts = new Map<string, number>(store.states.map(name => [name, 0]))
  for (const series of store.series.values()) {
    const name = store.states[pointed_ms.value === null ? series.latest : valueAt(series, time)]
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return (
    <div class="legend" ref={list}>
      {[...counts].sort().map(([name, count]) => (
        <span class="series" key={name}>
          <StateSwatch name={name} />
          <span class="series-name">{name}</span>
          <span class="series-value">{count}</span>
        </span>
      ))}
      {pointed_ms.value !== null && (
        <span class="series series-time">{timeText(pointed_ms.value, serverNow_ms())}</span>
      )}
    </div>
  )
}

class Lanes implements Drawing {
  readonly #host: HTMLElement
  readonly #canvas: HTMLCanvasElement
  /** As high as all lanes; the canvas stands over the part of it that is seen. */
  readonly #room: HTMLElement
  readonly #store: SeriesStore
  readonly #panel: StateTimelinePanel
  readonly #font: string
  #left = 0
  #width = 1
  #laneHeight = LANE_MIN
  #range: readonly [number, number] = [0, 1]

  constructor(host: HTMLElement, store: SeriesStore, panel: StateTimelinePanel) {
    this.#host = host
    this.#canvas = host.querySelector('canvas')!
    this.#room = host.querySelector<HTMLElement>('.lanes-room')!
    this.#store = store
    this.#panel = panel
    this.#font = `11px ${getComputedStyle(host).fontFamily}`
    this.#canvas.addEventListener('pointermove', ({ offsetX }) => {
      const share = (offsetX - this.#left) / this.#width
      pointed_ms.value = share < 0 ? null : this.#range[0] + share * (this.#range[1] - this.#range[0])
    })
    host.addEventListener('scroll', ask, { passive: true })
    this.#canvas.addEventListener('pointerleave', () => {
      pointed_ms.value = null
    })
  }

  version(): string {
    const [from, to] = shownRange(this.#store, this.#panel.span_ms)
    const step = (to - from) / (this.#width * (devicePixelRatio || 1))
    return `${this.#store.version} ${Math.floor(to / step)} ${Math.floor((to - from) / step)} ${pointed_ms.value} ${this.#host.scrollTop}`
  }

  draw(): void {
    const store = this.#store
    const keys = [...store.series.keys()].sort(order.compare)
    const width = this.#host.clientWidth
    this.#laneHeight = Math.min(LANE_MAX, Math.max(LANE_MIN, Math.floor(HEIGHT / keys.length)))
    const all = keys.length * this.#laneHeight
    const bottom = Math.min(all, LANES_HEIGHT_MAX)
    // The canvas is not moved by the scrolling: it takes no room, and what it shows is.
    const context = prepared(this.#canvas, width, bottom + AXIS)
    this.#canvas.style.marginBottom = `${-bottom - AXIS}px`
    this.#room.style.height = `${all + AXIS}px`
    const scrolled = Math.min(this.#host.scrollTop, all - bottom)
    this.#left = Math.min(NAMES_MAX, Math.round(width * NAMES_SHARE))
    this.#width = width - this.#left
    this.#range = shownRange(store, this.#panel.span_ms)
    context.font = this.#font
    context.textBaseline = 'middle'
    this.#axis(context, bottom)
    context.save()
    context.beginPath()
    context.rect(0, 0, width, bottom)
    context.clip()
    keys.forEach((key, lane) => {
      const top = lane * this.#laneHeight - scrolled
      if (top + this.#laneHeight > 0 && top < bottom) this.#lane(context, key, store.series.get(key)!, top)
    })
    this.#cursor(context, bottom)
    context.restore()
  }

  #x(time_ms: number): number {
    const [from, to] = this.#range
    return this.#left + ((time_ms - from) / (to - from)) * this.#width
  }

  #axis(context: CanvasRenderingContext2D, bottom: number): void {
    const [from, to] = this.#range
    const colours = canvasColours()
    const step = timeStep_ms(((to - from) / this.#width) * 78)
    context.textAlign = 'center'
    for (const mark of timeMarks(from, to, step)) {
      const x = Math.round(this.#x(mark)) + 0.5
      context.fillStyle = colours.grid
      context.fillRect(x - 0.5, 0, 1, bottom)
      const text = tickText(mark, step)
      const half = context.measureText(text).width / 2
      context.fillStyle = colours.text
      if (x + half < this.#left + this.#width)
        context.fillText(text, Math.max(x, this.#left + half), bottom + AXIS / 2 + 1)
    }
  }

  #lane(context: CanvasRenderingContext2D, key: string, series: Series, top: number): void {
    const colours = canvasColours()
    const middle = top + this.#laneHeight / 2
    context.textAlign = 'left'
    context.fillStyle = colours.strong
    context.fillText(fitting(context, key, this.#left - 14), 0, middle)
    context.fillStyle = colours.grid
    context.fillRect(this.#left, middle - 0.5, this.#width, 1)
    const { times, values, end, gap_ms } = series
    const now = this.#range[1]
    for (let at = Math.max(series.begin, series.indexFrom(this.#range[0]) - 1); at < end; ) {
      const begin = times[at]!
      const state = values[at]!
      let holds = begin + gap_ms
      for (at++; at < end && values[at] === state && times[at]! <= holds; at++) holds = times[at]! + gap_ms
      const until = Math.min(holds, at < end ? times[at]! : now)
      if (!Number.isNaN(state)) this.#bar(context, state, Math.max(this.#left, this.#x(begin)), this.#x(until), middle)
    }
  }

  #bar(context: CanvasRenderingContext2D, state: number, from: number, to: number, middle: number): void {
    const width = to - from
    if (width <= 0) return
    const name = this.#store.states[state] ?? NOTHING
    const bar = this.#laneHeight - BETWEEN
    // A hair between bars, so that they are told apart without their colours.
    drawState(context, name, { left: from, top: middle - bar / 2, width: Math.max(1, width - 1), height: bar })
    const text = width < 28 ? '' : fitting(context, name, width - 14)
    if (text === '') return
    context.fillStyle = ON_FILL
    context.fillText(text, from + 7, middle + 0.5)
  }

  #cursor(context: CanvasRenderingContext2D, bottom: number): void {
    const time = pointed_ms.value
    if (time === null || time < this.#range[0] || time > this.#range[1]) return
    context.fillStyle = canvasColours().strong
    context.fillRect(Math.round(this.#x(time)), 0, 1, bottom)
  }
}

const order = new Intl.Collator('en', { numeric: true })
