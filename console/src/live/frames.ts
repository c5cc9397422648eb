/**
 * When things are drawn: at most once a frame, only what changed and can be seen. Who draws slowly waits longer, so that
 * the page stays smooth whatever is on it. No frame is asked for while nothing changes.
 */
import { useEffect, useRef } from 'preact/hooks'

export interface Drawing {
  /** Differs from the last one when there is something new to draw. */
  version(): number | string
  draw(): void
  /** At most one drawing in this time. Default 0: each frame. */
  readonly every_ms?: number
  /** Also while it cannot be seen. */
  readonly always?: boolean
}

interface Entry {
  readonly drawing: Drawing
  readonly element: Element
  visible: boolean
  drawn: number | string | null
  next_ms: number
}

const IDLE_MS = 250
/** Of all time a drawing may take this share. */
const SHARE = 1 / 4

const entries = new Set<Entry>()
let once: (() => void)[] = []
let asked = false

const seen = new IntersectionObserver(
  changes => {
    for (const { target, isIntersecting } of changes) {
      for (const entry of entries) if (entry.element === target) entry.visible = isIntersecting
    }
    ask()
  },
  { rootMargin: '100px' },
)

// Time goes on without messages: charts that end at now move, ages grow.
setInterval(ask, IDLE_MS)
document.addEventListener('visibilitychange', ask)

/** Calls back in the next frame, before anything is drawn; the same function only once. */
export function onNextFrame(call: () => void): void {
  if (!once.includes(call)) once.push(call)
  ask()
}

/** Everything is drawn anew: the theme changed, the connection was lost. */
export function redrawAll(): void {
  for (const entry of entries) entry.drawn = null
  ask()
}

/** Draws as long as the component is there. `make` is called once; what it answers may close over the element. */
export function useDrawing<E extends Element>(make: (element: E) => Drawing & { close?(): void }) {
  const element = useRef<E>(null)
  useEffect(() => {
    const target = element.current
    if (target === null) return
    const drawing = make(target)
    const entry: Entry = { drawing, element: target, visible: true, drawn: null, next_ms: 0 }
    entries.add(entry)
    seen.observe(target)
    const sizes = new ResizeObserver(() => {
      entry.drawn = null
      ask()
    })
    sizes.observe(target)
    ask()
    return () => {
      entries.delete(entry)
      seen.unobserve(target)
      sizes.disconnect()
      drawing.close?.()
    }
  }, [])
  return element
}

/** Something may have changed: looks in the next frame. */
export function ask(): void {
  if (asked || document.hidden) return
  asked = true
  requestAnimationFrame(frame)
}

function frame(): void {
  asked = false
  const calls = once
  once = []
  for (const call of calls) call()
  let waiting = false
  for (const entry of entries) {
    if (!entry.visible && !entry.drawing.always) continue
    const started = performance.now()
    const version = entry.drawing.version()
    if (version === entry.drawn) continue
    if (started < entry.next_ms) {
      waiting = true
      continue
    }
    entry.drawn = version
    entry.drawing.draw()
    const ended = performance.now()
    entry.next_ms = Math.max(started + (entry.drawing.every_ms ?? 0), ended + (ended - started) * (1 / SHARE - 1)) - 2
  }
  if (waiting) ask()
}
