/** Components that draw themselves as HTML: drawn again when what they show changed, a few times a second at most. */
import { useState } from 'preact/hooks'
import { useDrawing } from '../live/frames.ts'
import { theme } from '../theme.ts'

const EVERY_MS = 200

/** The element that must be in sight for it. */
export function useVersion<E extends Element>(version: () => string | number, every_ms = EVERY_MS) {
  const [, redraw] = useState({})
  return useDrawing<E>(() => ({
    version: () => `${version()} ${theme.value}`,
    draw: () => redraw({}),
    every_ms,
  }))
}
