/** Where things are and were, on a grid of degrees fitted to the points; nothing is fetched, so there are no tiles. */
import type { MapPanel } from '../../../src/dashboard/protocol.ts'
import { DASHES, PATTERNED_MAX } from '../colours.ts'
import { type Drawing, useDrawing } from '../live/frames.ts'
import type { SeriesStore } from '../live/stores.ts'
import { shownRange } from '../live/view.ts'
import { canvasColours, seriesColour, seriesPattern } from '../palette.ts'
import { fitting, prepared, roundStep } from './canvas.ts'

const MARGIN = 34
const MARKS_APART = 90
const SCALE_BAR_MAX = 200
const METRES_A_DEGREE = 111_320
/** Points that stand still are not magnified beyond this. */
const DEGREES_MIN = 0.002
/** Dashes begin anew so often, so that they stay where they are as the end of the trail goes. */
const DASHED_MS = 20_000

export function PlaceMap({ panel, store }: { readonly panel: MapPanel; readonly store: SeriesStore }) {
  const host = useDrawing<HTMLDivElement>(element => new Places(element, store, panel))
  return (
    <div class="chart places" ref={host} role="img" aria-label={`${panel.title}: places on a grid of degrees`}>
      <canvas />
    </div>
  )
}

interface View {
  readonly x: (longitude: number) => number
  readonly y: (latitude: number) => number
  readonly west: number
  readonly east: number
  readonly south: number
  readonly north: number
  /** CSS pixels a degree of latitude. */
  readonly scale: number
}

class Places implements Drawing {
  readonly #host: HTMLElement
  readonly #canvas: HTMLCanvasElement
  readonly #store: SeriesStore
  readonly #panel: MapPanel
  readonly #font: string

  constructor(host: HTMLElement, store: SeriesStore, panel: MapPanel) {
    this.#host = host
    this.#canvas = host.querySelector('canvas')!
    this.#store = store
    this.#panel = panel
    this.#font = getComputedStyle(host).fontFamily
  }

  version(): string {
    return `${this.#store.version} ${Math.floor(shownRange(this.#store, this.#panel.span_ms)[1] / 1_000)}`
  }

  draw(): void {
    const width = this.#host.clientWidth
    const height = this.#host.clientHeight
    const context = prepared(this.#canvas, width, height)
    context.font = `11px ${this.#font}`
    const [from] = shownRange(this.#store, this.#panel.span_ms)
    const view = this.#view(width, height, from)
    if (view === null) return
    drawGrid(context, view, width, height)
    for (const key of this.#store.series.keys()) this.#trail(context, view, key, from)
    for (const key of this.#store.series.keys()) this.#head(context, view, key, width)
    drawScale(context, view, width)
  }

  #points(key: string, from_ms: number): readonly [latitudes: Float64Array, longitudes: Float64Array] {
    const latitudes = this.#store.series.get(key)!
    const longitudes = this.#store.longitudes.get(key)!
    return [
      latitudes.values.subarray(latitudes.indexFrom(from_ms), latitudes.end),
      longitudes.values.subarray(longitudes.indexFrom(from_ms), longitudes.end),
    ]
  }

  /** Everything fits, and a kilometre is as long to the north as to the east. */
  #view(width: number, height: number, from_ms: number): View | null {
    let [west, east, south, north] = [180, -180, 90, -90]
    for (const key of this.#store.series.keys()) {
      const [latitudes, longitudes] = this.#points(key, from_ms)
      for (const latitude of latitudes) [south, north] = [Math.min(south, latitude), Math.max(north, latitude)]
      for (const longitude of longitudes) [west, east] = [Math.min(west, longitude), Math.max(east, longitude)]
    }
    if (!(south <= north && west <= east)) return null
    const [middleX, middleY] = [(west + east) / 2, (south + north) / 2]
    const narrow = Math.max(0.05, Math.cos((middleY * Math.PI) / 180))
    const high = Math.max(north - south, DEGREES_MIN)
    const wide = Math.max(east - west, DEGREES_MIN)
    const scale = Math.min((height - 2 * MARGIN) / high, (width - 2 * MARGIN) / (wide * narrow))
    const [halfX, halfY] = [width / 2 / (scale * narrow), height / 2 / scale]
    return {
      x: longitude => width / 2 + (longitude - middleX) * narrow * scale,
      y: latitude => height / 2 - (latitude - middleY) * scale,
      west: middleX - halfX,
      east: middleX + halfX,
      south: middleY - halfY,
      north: middleY + halfY,
      scale,
    }
  }

  #trail(context: CanvasRenderingContext2D, view: View, key: string, from_ms: number): void {
    const [latitudes, longitudes] = this.#points(key, from_ms)
    const { times, end } = this.#store.series.get(key)!
    const dashes = this.#store.series.size > PATTERNED_MAX ? [] : DASHES[seriesPattern(key)]!
    context.beginPath()
    let stretch = Number.NaN
    for (let at = 0; at < latitudes.length; at++) {
      const [x, y] = [view.x(longitudes[at]!), view.y(latitudes[at]!)]
      context.lineTo(x, y)
      const of = Math.floor(times[end - latitudes.length + at]! / DASHED_MS)
      if (dashes.length > 0 && of !== stretch) context.moveTo(x, y)
      stretch = of
    }
    context.setLineDash(dashes.map(length => length * 1.5))
    context.strokeStyle = seriesColour(key)
    context.globalAlpha = 0.5
    context.lineWidth = 2
    context.lineJoin = 'round'
    context.stroke()
    context.setLineDash([])
    context.globalAlpha = 1
  }

  #head(context: CanvasRenderingContext2D, view: View, key: string, width: number): void {
    const x = view.x(this.#store.longitudes.get(key)!.latest)
    const y = view.y(this.#store.series.get(key)!.latest)
    if (!Number.isFinite(x + y)) return
    const { panel, strong } = canvasColours()
    context.beginPath()
    context.arc(x, y, 5, 0, 2 * Math.PI)
    context.fillStyle = seriesColour(key)
    context.fill()
    context.lineWidth = 2
    context.strokeStyle = panel
    context.stroke()
    const text = fitting(context, this.#store.labels.get(key) ?? key, 110)
    const onLeft = x > width - 120
    context.textAlign = onLeft ? 'right' : 'left'
    context.textBaseline = 'middle'
    context.lineWidth = 3
    context.strokeText(text, x + (onLeft ? -9 : 9), y)
    context.fillStyle = strong
    context.fillText(text, x + (onLeft ? -9 : 9), y)
  }
}

function drawGrid(context: CanvasRenderingContext2D, view: View, width: number, height: number): void {
  const { grid, text } = canvasColours()
  const pixels = width / (view.east - view.west)
  const step = roundStep(MARKS_APART / pixels)
  const digits = Math.max(0, Math.ceil(-Math.log10(step)))
  context.fillStyle = text
  context.strokeStyle = grid
  context.lineWidth = 1
  context.beginPath()
  context.textAlign = 'center'
  context.textBaseline = 'bottom'
  for (let mark = Math.ceil(view.west / step) * step; mark <= view.east; mark += step) {
    const x = Math.round(view.x(mark)) + 0.5
    context.moveTo(x, 0)
    context.lineTo(x, height - 18)
    if (x > 40 && x < width - 30)
      context.fillText(`${Math.abs(mark).toFixed(digits)}° ${mark < 0 ? 'W' : 'E'}`, x, height - 2)
  }
  context.textAlign = 'left'
  for (let mark = Math.ceil(view.south / step) * step; mark <= view.north; mark += step) {
    const y = Math.round(view.y(mark)) + 0.5
    if (y > height - 24) continue
    context.moveTo(0, y)
    context.lineTo(width, y)
    if (y > 14) context.fillText(`${Math.abs(mark).toFixed(digits)}° ${mark < 0 ? 'S' : 'N'}`, 2, y - 2)
  }
  context.stroke()
}

/** A round length, so that distances can be guessed. */
function drawScale(context: CanvasRenderingContext2D, view: View, width: number): void {
  const most_m = (Math.min(width / 3, SCALE_BAR_MAX) / view.scale) * METRES_A_DEGREE
  // Half of the next larger one is never too long.
  const metres = roundStep(most_m / 2)
  const length = (metres / METRES_A_DEGREE) * view.scale
  const { strong } = canvasColours()
  const [x, y] = [width - length - 10, 16]
  context.strokeStyle = strong
  context.fillStyle = strong
  context.lineWidth = 1.5
  context.beginPath()
  context.moveTo(x, y - 4)
  context.lineTo(x, y)
  context.lineTo(x + length, y)
  context.lineTo(x + length, y - 4)
  context.stroke()
  context.textAlign = 'right'
  context.textBaseline = 'top'
  context.fillText(metres >= 1_000 ? `${metres / 1_000} km` : `${metres} m`, x + length, y + 4)
}
