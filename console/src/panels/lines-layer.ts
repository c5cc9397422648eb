/**
 * The lines of a chart on a canvas of their own. What falls on one column of the screen becomes one stroke from its least
 * to its largest value. Columns stand at fixed times and the picture moves by whole columns, so nothing shimmers, and
 * what is drawn already is moved and not drawn again: only what is new is, however many series there are.
 */
import type { Series } from '../live/series.ts'
import { seriesColour } from '../palette.ts'
import { theme } from '../theme.ts'

/** From so many series on, each gets a thin line and wider columns: nobody can follow one among them by its width. */
const MANY = 24
const VERY_MANY = 80
const FAINT = 0.14
/** Lines are as wide as this beyond their points, at most. */
const MARGIN = 4

export interface Lines {
  readonly shown: readonly (readonly [string, Series])[]
  readonly columns: Columns
  readonly values: readonly [number, number]
  /** The series that stands out; null: all alike. */
  readonly focus: string | null
  /** The earliest time at which something changed since the last drawing. */
  readonly changedFrom_ms: number
}

/** Width of a column in device pixels. */
export function columnWidth(seriesCount: number): number {
  const ratio = devicePixelRatio || 1
  return ratio * (seriesCount > VERY_MANY ? 3 : seriesCount > MANY ? 2 : 1)
}

export interface Columns {
  readonly range: readonly [number, number]
  /** How much time one column is. The same to the last bit for as long as the span is: columns are counted from 1970. */
  readonly step_ms: number
  readonly width: number
}

/** The range moved to the next whole column, on so many device pixels. */
export function wholeColumns([from, to]: readonly [number, number], pixels: number, width: number): Columns {
  const span_ms = Math.round(to - from)
  const step_ms = (span_ms * width) / Math.max(1, pixels)
  const end = Math.ceil(to / step_ms) * step_ms
  return { range: [end - span_ms, end], step_ms, width }
}

export class LinesLayer {
  readonly canvas = document.createElement('canvas')
  readonly #context = this.canvas.getContext('2d')!
  #signature = ''
  #drawnTo_ms = 0

  draw(lines: Lines, width: number, height: number): void {
    const ratio = devicePixelRatio || 1
    const [pixels, rows] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))]
    if (this.canvas.width !== pixels || this.canvas.height !== rows) {
      Object.assign(this.canvas, { width: pixels, height: rows })
      this.#signature = ''
    }
    const { shown, columns, values, focus } = lines
    const [from, to] = columns.range
    const keys = shown.map(([key]) => key).join('\n')
    const signature = `${columns.step_ms} ${columns.width} ${values} ${focus} ${theme.value} ${keys}`
    const scale = columns.width / columns.step_ms
    const moved = Math.round((to - this.#drawnTo_ms) * scale)
    let left = 0
    if (signature === this.#signature && moved >= 0 && moved < pixels) {
      this.#move(moved)
      left = Math.min(pixels - moved, Math.floor((lines.changedFrom_ms - from) * scale)) - columns.width
    }
    this.#signature = signature
    this.#drawnTo_ms = to
    if (left < pixels) this.#strokeFrom(Math.max(0, left - MARGIN), lines)
  }

  #move(pixels: number): void {
    if (pixels === 0) return
    this.#context.globalCompositeOperation = 'copy'
    this.#context.drawImage(this.canvas, -pixels, 0)
    this.#context.globalCompositeOperation = 'source-over'
  }

  /** Draws anew what is right of a column. */
  #strokeFrom(left: number, { shown, columns, values, focus }: Lines): void {
    const context = this.#context
    const { width, height } = this.canvas
    const ratio = devicePixelRatio || 1
    const many = shown.length > MANY
    context.save()
    context.beginPath()
    context.rect(left, 0, width - left, height)
    context.clip()
    context.clearRect(left, 0, width - left, height)
    context.lineJoin = 'bevel'
    context.lineCap = 'square'
    const area = { left, height, columns, values }
    for (const [key, series] of shown) {
      const stands = focus === key
      context.globalAlpha = focus === null || stands ? 1 : FAINT
      context.strokeStyle = seriesColour(key)
      // One device pixel is drawn without outlines: several times as fast.
      context.lineWidth = stands ? 2.5 * ratio : many ? 1 : 1.75 * ratio
      stroke(context, series, area)
    }
    context.restore()
  }
}

interface Area {
  readonly left: number
  readonly height: number
  readonly columns: Columns
  readonly values: readonly [number, number]
}

function stroke(context: CanvasRenderingContext2D, series: Series, area: Area): void {
  const { left, height, columns, values } = area
  const { range, step_ms } = columns
  const { times, values: numbers, end, gap_ms } = series
  const scale = columns.width / step_ms
  const unit = height / (values[1] - values[0])
  const bottom = height + values[0] * unit
  // From the beginning of the column of the last point before, so that the line comes in from there.
  const before = Math.max(series.begin, series.indexFrom(range[0] + (left - MARGIN) / scale) - 1)
  let at = before < end ? series.indexFrom(Math.floor(times[before]! / step_ms) * step_ms) : end
  let previous_ms = Number.NEGATIVE_INFINITY
  context.beginPath()
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
    if (Number.isNaN(last) || Number.isNaN(least)) {
      previous_ms = Number.NEGATIVE_INFINITY
      continue
    }
    const x = (time - range[0]) * scale
    if (time - previous_ms > gap_ms) {
      context.moveTo(x, bottom - least * unit)
    }
    // After `moveTo` a line of no length: a point that is alone is a dot, see `lineCap`.
    context.lineTo(x, bottom - least * unit)
    if (largest !== least) {
      context.lineTo(x, bottom - largest * unit)
      context.lineTo(x, bottom - last * unit)
    }
    previous_ms = times[at - 1]!
  }
  context.stroke()
}
