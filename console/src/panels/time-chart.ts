/** A time series panel: uPlot draws axes, grid and cursor; the lines come from the series' own arrays, see lines-layer.ts. */
import uPlot from 'uplot'
import type { TimeSeriesPanel } from '../../../src/dashboard/protocol.ts'
import { PATTERNED_MAX } from '../colours.ts'
import { numberText, tickText } from '../format.ts'
import type { Drawing } from '../live/frames.ts'
import type { Series } from '../live/series.ts'
import type { SeriesStore } from '../live/stores.ts'
import { pointed_ms, shownRange } from '../live/view.ts'
import { canvasColours } from '../palette.ts'
import { TIME_STEPS_MS, timeMarks } from './canvas.ts'
import { type Columns, columnWidth, LinesLayer, wholeColumns } from './lines-layer.ts'

const HEIGHT = 232

export class TimeChart implements Drawing {
  /** The series that stands out; null: all alike. */
  focus: string | null = null
  /** Only this series; null: all. */
  only: string | null = null
  readonly #plot: uPlot
  readonly #layer = new LinesLayer()
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
    over.prepend(this.#layer.canvas)
    over.addEventListener('mouseenter', () => {
      this.#pointing = true
    })
    over.addEventListener('mouseleave', () => {
      this.#pointing = false
      pointed_ms.value = null
    })
  }

  version(): string {
    const { range, step_ms } = this.#columns()
    return `${this.#store.version} ${range[1]} ${step_ms} ${this.focus} ${this.only} ${pointed_ms.value}`
  }

  draw(): void {
    const width = this.#host.clientWidth
    if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT })
    const shown = this.#shown()
    const columns = this.#columns()
    this.#range = columns.range
    this.#values = valuesRange(shown, this.#range[0])
    this.#plot.setData([[...this.#range], [null, null]])
    const { over } = this.#plot
    const changedFrom_ms = this.#store.takeChangedFrom()
    const patterned = this.#store.series.size <= PATTERNED_MAX
    const lines = { shown, columns, values: this.#values, focus: this.focus, patterned, changedFrom_ms }
    this.#layer.draw(lines, over.clientWidth, over.clientHeight)
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

  #columns(): Columns {
    const range = shownRange(this.#store, this.#panel.span_ms)
    const count = this.only === null ? this.#store.series.size : 1
    return wholeColumns(range, this.#plot.bbox.width, columnWidth(count))
  }

  #shown(): [string, Series][] {
    const only = this.only
    return [...this.#store.series].filter(([key]) => only === null || key === only)
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
      padding: [10, 28, 0, 0],
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
          splits: (_, __, from, to, step) => timeMarks(from, to, step),
          values: (_, marks, __, ___, distance) => marks.map(mark => tickText(mark, distance)),
        },
        {
          ...axis,
          size: (_, texts) => 16 + 6.4 * Math.max(3, ...(texts ?? []).map(text => text.length)),
          values: (_, marks) => marks.map(mark => markText(mark, marks)),
        },
      ],
      hooks: {
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
