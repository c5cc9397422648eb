/** Windows of event time, and what becomes of rows that come too late for theirs. */
import { type Duration, formatDuration, microsecondsOf } from '../plan/duration.ts'
import { MillraceError } from '../system/errors.ts'

/** Windows [start, start + size) that begin at multiples of `every` since 1970. */
export interface Window {
  readonly size_us: number
  readonly every_us: number
}

/** Windows one after the other: each row is in just one. */
export function tumbling(size: Duration): Window {
  const size_us = microsecondsOf(size, 'tumbling')
  return Object.freeze({ size_us, every_us: size_us })
}

/** Windows of one size that begin `every` so often, so that they overlap. */
export function hopping(window: { readonly size: Duration; readonly every: Duration }): Window {
  const size_us = microsecondsOf(window.size, 'hopping size')
  const every_us = microsecondsOf(window.every, 'hopping every')
  if (every_us > size_us) {
    throw new MillraceError('WINDOW_INVALID', `hopping: every '${window.every}' is longer than size '${window.size}'`, {
      next: 'Rows between two windows would belong to none: make every at most the size.',
    })
  }
  const pane_us = greatestCommonDivisor(size_us, every_us)
  if (size_us / pane_us > MAXIMUM_PANES) {
    const message = `hopping: size '${window.size}' and every '${window.every}' have no common part longer than ${formatDuration(pane_us)}`
    throw new MillraceError('WINDOW_INVALID', `${message}, which makes ${size_us / pane_us} panes a window`, {
      next: `Choose them so that a window has at most ${MAXIMUM_PANES} panes: a size that is a multiple of every is best.`,
    })
  }
  return Object.freeze({ size_us, every_us })
}

/** A window is put together from panes as long as the greatest common part of its size and its step. */
const MAXIMUM_PANES = 100_000

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

/**
 * `late`: what becomes of a row whose window has closed. `drop` (default): it is counted and forgotten. `quarantine`: it
 * is kept in a side topic with the reason. `restate`: the window is given again with the next `revision`, until
 * `allowedLateness` after its end. `early`: also give the window's state so far each time this much event time has
 * passed. Early and restated windows make the stream a changelog, with `revision` and `is_final`.
 */
export type WindowOptions =
  | { readonly late?: 'drop' | 'quarantine'; readonly allowedLateness?: never; readonly early?: Duration }
  | { readonly late: 'restate'; readonly allowedLateness: Duration; readonly early?: Duration }
