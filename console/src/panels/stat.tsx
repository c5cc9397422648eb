/** One number, with how it came about below. */
import type { StatPanel } from '../../../src/dashboard/protocol.ts'
import { durationText, numberText } from '../format.ts'
import { type Drawing, useDrawing } from '../live/frames.ts'
import { serverNow_ms } from '../live/model.ts'
import { aggregateOf, type PartsStore } from '../live/parts.ts'
import { canvasColours } from '../palette.ts'
import { prepared } from './canvas.ts'
import { useVersion } from './use-version.ts'

const HEIGHT = 44
const POINTS = 60
const SECOND = 1_000

const WORDS: Readonly<Record<StatPanel['aggregate'], string>> = {
  last: 'latest',
  count: 'rows in',
  sum: 'sum over',
  average: 'average over',
  min: 'least in',
  max: 'most in',
}

export function Stat({ panel, store }: { readonly panel: StatPanel; readonly store: PartsStore }) {
  const second = () => Math.floor(serverNow_ms() / SECOND)
  const host = useVersion<HTMLDivElement>(() => `${store.version} ${second()}`)
  const value = aggregateOf(store.partsOf('', serverNow_ms()), panel.aggregate)
  const line = useDrawing<HTMLDivElement>(element => new Spark(element, panel, store))
  const words = panel.aggregate === 'last' ? WORDS.last : `${WORDS[panel.aggregate]} ${durationText(panel.over_ms)}`
  return (
    <div class="stat" ref={host}>
      <p class="stat-value">
        {numberText(value)}
        {panel.unit !== null && <span class="stat-unit"> {panel.unit}</span>}
      </p>
      <p class="stat-words">{words}</p>
      <div class="spark" ref={line} aria-hidden="true">
        <canvas />
      </div>
    </div>
  )
}

class Spark implements Drawing {
  readonly every_ms = 250
  readonly #host: HTMLElement
  readonly #canvas: HTMLCanvasElement
  readonly #panel: StatPanel
  readonly #store: PartsStore

  constructor(host: HTMLElement, panel: StatPanel, store: PartsStore) {
    this.#host = host
    this.#canvas = host.querySelector('canvas')!
    this.#panel = panel
    this.#store = store
  }

  version(): string {
    return `${this.#store.version} ${Math.floor(serverNow_ms() / SECOND)}`
  }

  draw(): void {
    const width = this.#host.clientWidth
    const context = prepared(this.#canvas, width, HEIGHT)
    const points = this.#points()
    const numbers = points.filter(Number.isFinite)
    if (numbers.length < 2) return
    const largest = Math.max(...numbers)
    const least = Math.min(0, ...numbers)
    const x = (at: number) => (at / (POINTS - 1)) * width
    const y = (value: number) => HEIGHT - 3 - ((value - least) / (largest - least || 1)) * (HEIGHT - 8)
    const path = new Path2D()
    let first = Number.NaN
    let last = 0
    points.forEach((value, at) => {
      if (!Number.isFinite(value)) return
      if (Number.isNaN(first)) {
        first = at
        path.moveTo(x(at), y(value))
      } else path.lineTo(x(at), y(value))
      last = at
    })
    const { accent } = canvasColours()
    context.strokeStyle = accent
    context.lineWidth = 1.5
    context.lineJoin = 'round'
    context.stroke(path)
    path.lineTo(x(last), HEIGHT)
    path.lineTo(x(first), HEIGHT)
    context.globalAlpha = 0.14
    context.fillStyle = accent
    context.fill(path)
  }

  /** The same aggregate over each sixtieth of the time; the running one is left out, it would always dip. */
  #points(): number[] {
    const { over_ms, aggregate } = this.#panel
    const now = serverNow_ms()
    const size = over_ms / POINTS
    const end = Math.floor(this.#store.edge_ms(now) / size) * size
    const groups = Array.from({ length: POINTS }, () => [] as ReturnType<PartsStore['partsOf']>)
    for (const part of this.#store.partsOf('', now)) groups[POINTS + Math.floor((part.time - end) / size)]?.push(part)
    return groups.map(parts => (parts.length === 0 ? Number.NaN : aggregateOf(parts, aggregate)))
  }
}
