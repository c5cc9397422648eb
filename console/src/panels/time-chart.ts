/**
 * The lines of a time series panel: uPlot draws axes, grid and cursor, this file the lines, straight from the series' own
 * arrays. What falls on one column of the screen becomes one stroke from its least to its largest value; columns stand at
 * fixed times, so that lines do not shimmer while they move.
 */
import uPlot from 'uplot'
import type { TimeSeriesPanel } from '../../../src/serve/protocol.ts'
import { numberText, tickText } from '../format.ts'
import type { Drawing } from '../live/frames.ts'
import type { Series } from '../live/series.ts'
import type { SeriesStore } from '../live/stores.ts'
import { pointed_ms, shownRange } from '../live/view.ts'
import { canvasColours, seriesColour, seriesDash } from '../palette.ts'
import { TIME_STEPS_MS } from './canvas.ts'

const HEIGHT = 232
/** From so many series on, each gets a thin line and wider columns: nobody can follow one among them by its width. */
const MANY = 24
const VERY_MANY = 80
const FAINT = 0.14

export class TimeChart implements Drawing {
  /** The series that stands out; null: all alike. */
  focus: string | null = null
  /** Only this series; null: all. */
  only: string | null = null
  readonly #plot: uPlot
  readonly #host: HTMLElement
  readonly #store: SeriesStore
  readonly #panel: TimeSeriesPanel
  #range: readonly [number, number] = [0, 1]
  #values: [number, number] = [0, 1]
  #pointing = false

  constructor(host: HTMLElement, store: SeriesStore, panel: TimeSeriesPanel) {
    this.#host = host
    this.#store = store
    this.#panel = panel
    this.#plot = new uPlot(
      this.#options(),
      [
        [0, 1],
        [null, null],
      ],
      host,
    )
    const over = this.#plot.over
    over.addEventListener('mouseenter', () => {
      this.#pointing = true
    })
    over.addEventListener('mouseleave', () => {
      this.#pointing = false
      pointed_ms.value = null
    })
  }

  version(): string {
    const [from, to] = shownRange(this.#store, this.#panel.span_ms)
    const step = (to - from) / Math.max(1, this.#plot.bbox.width)
    return `${this.#store.version} ${Math.floor(to / step)} ${Math.floor((to - from) / step)} ${this.focus} ${this.only} ${pointed_ms.value}`
  }

  draw(): void {
    const width = this.#host.clientWidth
    if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT })
    this.#range = shownRange(this.#store, this.#panel.span_ms)
    this.#values = valuesRange(this.#shown(), this.#range[0])
    this.#plot.setData([[...this.#range], [null, null]])
    this.#placeCursor()
  }

  close(): void {
    this.#plot.destroy()
  }

  /** The chart's share of the time that all panels point at. */
  #placeCursor(): void {
    if (this.#pointing) return
    const left = pointed_ms.value === null ? -10 : this.#plot.valToPos(pointed_ms.value, 'x')
    this.#plot.setCursor({ left, top: left < 0 ? -10 : 0 }, false)
  }

  #shown(): [string, Series][] {
    const only = this.only
    return [...this.#store.series].filter(([key]) => only === null || key === only)
  }

  #lines(plot: uPlot): void {
    const { ctx, bbox } = plot
    const shown = this.#shown()
    const ratio = devicePixelRatio || 1
    const many = shown.length > MANY
    ctx.save()
    ctx.beginPath()
    ctx.rect(bbox.left, bbox.top - ratio, bbox.width, bbox.height + 2 * ratio)
    ctx.clip()
    ctx.lineJoin = 'bevel'
    const column = ratio * (shown.length > VERY_MANY ? 3 : many ? 2 : 1)
    for (const [key, series] of shown) {
      const stands = this.focus === key
      ctx.globalAlpha = this.focus === null || stands ? 1 : FAINT
      ctx.strokeStyle = seriesColour(key)
      // One device pixel is drawn without outlines: several times as fast.
      ctx.lineWidth = stands ? 2.5 * ratio : many ? 1 : 1.75 * ratio
      ctx.setLineDash(many ? [] : seriesDash(key).map(length => length * ratio))
      strokeSeries(ctx, series, { bbox, range: this.#range, values: this.#values, column })
    }
    ctx.restore()
  }

  #options(): uPlot.Options {
    const colours = canvasColours
    const font = `11px ${getComputedStyle(this.#host).fontFamily}`
    const grid = { stroke: () => colours().grid, width: 1 }
    const axis = { stroke: () => colours().text, font, grid, ticks: { show: false } }
    return {
      width: Math.max(200, this.#host.clientWidth),
      height: HEIGHT,
      ms: 1,
      padding: [10, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: { x: { range: () => [...this.#range] }, y: { range: () => this.#values } },
      series: [{}, { points: { show: false }, paths: () => null }],
      axes: [
        {
          ...axis,
          space: 78,
          size: 26,
          incrs: [...TIME_STEPS_MS],
          values: (_, marks, __, ___, distance) => marks.map(mark => tickText(mark, distance)),
        },
        {
          ...axis,
          size: (_, texts) => 16 + 6.4 * Math.max(3, ...(texts ?? []).map(text => text.length)),
          values: (_, marks) => marks.map(mark => markText(mark, marks)),
        },
      ],
      hooks: {
        draw: [plot => this.#lines(plot)],
        setCursor: [
          plot => {
            if (this.#pointing && plot.cursor.left !== undefined && plot.cursor.left >= 0) {
              pointed_ms.value = plot.posToVal(plot.cursor.left, 'x')
            }
          },
        ],
      },
    }
  }
}

interface Area {
  readonly bbox: uPlot.BBox
  readonly range: readonly [number, number]
  readonly values: readonly [number, number]
  /** Width of a column in pixels of the canvas. */
  readonly column: number
}

function strokeSeries(ctx: CanvasRenderingContext2D, series: Series, { bbox, range, values, column }: Area): void {
  const { times, values: numbers, end, gap_ms } = series
  const scale = bbox.width / (range[1] - range[0])
  const step_ms = column / scale
  const height = bbox.height / (values[1] - values[0])
  const bottom = bbox.top + bbox.height + values[0] * height
  // One point left of the edge, so that the line comes in from outside.
  let at = Math.max(series.begin, series.indexFrom(range[0]) - 1)
  let previous_ms = Number.NEGATIVE_INFINITY
  ctx.beginPath()
  while (at < end) {
    const time = times[at]!
    const columnEnd = (Math.floor(time / step_ms) + 1) * step_ms
    let least = numbers[at]!
    let largest = least
    let last = least
    for (at++; at < end && times[at]! < columnEnd; at++) {
      last = numbers[at]!
      if (last < least) least = last
      else if (last > largest) largest = last
    }
    if (last !== last || least !== least) {
      previous_ms = Number.NEGATIVE_INFINITY
      continue
    }
    const x = bbox.left + (time - range[0]) * scale
    if (time - previous_ms > gap_ms) {
      ctx.moveTo(x, bottom - least * height)
      // A point alone would be nothing.
      ctx.lineTo(x + 1, bottom - least * height)
    } else ctx.lineTo(x, bottom - least * height)
    if (largest !== least) {
      ctx.lineTo(x, bottom - largest * height)
      ctx.lineTo(x, bottom - last * height)
    }
    previous_ms = times[at - 1]!
  }
  ctx.stroke()
}

/** Least and largest value shown, with room; from zero when that is not far off. */
function valuesRange(shown: readonly (readonly [string, Series])[], from_ms: number): [number, number] {
  let least = Number.POSITIVE_INFINITY
  let largest = Number.NEGATIVE_INFINITY
  for (const [, series] of shown) {
    const { values, end } = series
    for (let at = Math.max(series.begin, series.indexFrom(from_ms) - 1); at < end; at++) {
      const value = values[at]!
      if (value < least) least = value
      if (value > largest) largest = value
    }
  }
  if (least > largest) return [0, 1]
  if (least >= 0 && least < largest * 0.6) least = 0
  else if (largest <= 0 && largest > least * 0.6) largest = 0
  if (least === largest) return least === 0 ? [0, 1] : [least - Math.abs(least) * 0.1, least + Math.abs(least) * 0.1]
  // The room is rounded to steps, so that the axis stands still while values change a little.
  const step = 10 ** Math.floor(Math.log10(largest - least)) / 4
  return [Math.floor((least * 1.0001) / step) * step, Math.ceil((largest + step / 4) / step) * step]
}

function markText(mark: number, marks: readonly number[]): string {
  const distance = Math.abs((marks[1] ?? 1) - (marks[0] ?? 0))
  if (Math.max(...marks.map(Math.abs)) >= 10_000) return numberText(mark)
  return mark.toFixed(distance >= 1 ? 0 : Math.min(6, Math.ceil(-Math.log10(distance))))
}

/** The value of a series at a time: that of its last point before it, when that still holds. */
export function valueAt(series: Series, time_ms: number): number {
  const at = series.indexFrom(time_ms + 1) - 1
  if (at < series.begin || time_ms - series.times[at]! > series.gap_ms) return Number.NaN
  return series.values[at]!
}
