/**
 * The lines of a chart on a canvas of their own. What falls on one column of the screen becomes one stroke from its least
 * to its largest value. Columns stand at fixed times and the picture moves by whole columns, so nothing shimmers, and
 * what is drawn already is moved and not drawn again: only what is new is, however many series there are.
 */

import { DASHES, DASHES_PERIOD } from '../colours.ts'
import type { Series } from '../live/series.ts'
import { seriesColour, seriesPattern } from '../palette.ts'
import { theme } from '../theme.ts'

/** From so many series on, each gets a thin line and wider columns: nobody can follow one among them by its width. */
const MANY = 24
const VERY_MANY = 80
const FAINT = 0.14
/** Lines are as wide as this beyond their points, at most. */
const MARGIN = 4
const HAIR = 0.01

export interface Lines {
  readonly shown: readonly (readonly [string, Series])[]
  readonly columns: Columns
  readonly values: readonly [number, number]
  /** The series that stands out; null: all alike. */
  readonly focus: string | null
  /** Lines of the same colour differ in their dashes. */
  readonly patterned: boolean
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
    const { shown, columns, values, focus, patterned } = lines
    const [from, to] = columns.range
    const keys = shown.map(([key]) => key).join('\n')
    const signature = `${columns.step_ms} ${columns.width} ${values} ${focus} ${patterned} ${theme.value} ${keys}`
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
  #strokeFrom(left: number, { shown, columns, values, focus, patterned }: Lines): void {
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
      const dashes = patterned ? DASHES[seriesPattern(key)]! : []
      context.setLineDash(dashes.map(length => length * ratio))
      stroke(context, series, area, dashes.length > 0 ? Math.round((DASHES_PERIOD * ratio) / columns.width) : null)
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

/**
 * `stretch`: after so many columns dashes begin anew, so that they stand where they stood however much of the line is
 * drawn; null: no dashes.
 */
function stroke(context: CanvasRenderingContext2D, series: Series, area: Area, stretch: number | null): void {
  const { left, height, columns, values } = area
  const { range, step_ms } = columns
  const { times, values: numbers, end, gap_ms } = series
  const scale = columns.width / step_ms
  const unit = height / (values[1] - values[0])
  const bottom = height + values[0] * unit
  const stretch_ms = step_ms * (stretch ?? Number.POSITIVE_INFINITY)
  let at = firstOf(series, range[0] + (left - MARGIN) / scale, step_ms, stretch_ms)
  let previous_ms = Number.NEGATIVE_INFINITY
  let [previousX, previousY] = [0, 0]
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
    const y = bottom - least * unit
    if (time - previous_ms > gap_ms) {
      // From a hair before, so that a point that is alone is a dot: a line of no length is not drawn at all.
      context.moveTo(x - HAIR, y)
    } else if (stretch !== null) {
      const begin_ms = Math.floor(time / stretch_ms) * stretch_ms
      if (begin_ms > previous_ms) {
        const beginX = (begin_ms - range[0]) * scale
        const beginY = previousY + ((beginX - previousX) / (x - previousX)) * (y - previousY)
        context.lineTo(beginX, beginY)
        context.moveTo(beginX, beginY)
      }
    }
    context.lineTo(x, y)
    if (largest !== least) {
      context.lineTo(x, bottom - largest * unit)
      context.lineTo(x, bottom - last * unit)
    }
    previous_ms = times[at - 1]!
    previousX = x
    previousY = bottom - last * unit
  }
  context.stroke()
}

/**
 * The point from which on a line is drawn that is to be seen from a time on: the first of the column of the last point
 * before, so that the line comes in from there, and where it has dashes of the last point before their stretch.
 */
function firstOf(series: Series, from_ms: number, step_ms: number, stretch_ms: number): number {
  const { times, begin, end } = series
  let before = Math.max(begin, series.indexFrom(from_ms) - 1)
  if (before >= end) return end
  if (stretch_ms < Number.POSITIVE_INFINITY) {
    before = Math.max(begin, series.indexFrom(Math.floor(times[before]! / stretch_ms) * stretch_ms) - 1)
  }
  const time = times[before]!
  return series.indexFrom(Math.min(time, Math.floor(time / step_ms) * step_ms))
}
