/**
 * What the console remembers for one panel: a little of the past, so that a page that is opened has something to show.
 *
 * `add` is called with lent batches, in order, and copies what it keeps. `changes` may be asked at any time, for each
 * client with the version that it was told last; the answer for one client does not depend on the others. Memory is
 * bounded whatever comes: by rows, by series or keys, and by the length of texts.
 */
import type { Batch } from '../../engine/batch.ts'
import type { Cell } from '../protocol.ts'

export interface PanelStore {
  /** Grows whenever there is something new to say; 0: nothing yet. */
  readonly version: number
  /** `now_us` is when the rows came. */
  add(batch: Batch, now_us: number): void
  /** What is new after a version, or after TOLD_NOTHING. `reset`: it is everything, and what was told before is forgotten. */
  changes(since: number): Slice
}

export interface Slice {
  readonly reset: boolean
  readonly length: number
  readonly columns: Readonly<Record<string, readonly Cell[]>>
}

/** In the place of a version: the client knows nothing of this panel. */
export const TOLD_NOTHING = -1

/** Rows that one panel keeps at most. */
export const ROWS_MAX = 20_000
/** Series, categories or lines that one panel tells apart; rows of further ones are left out until one is gone. */
export const SERIES_MAX = 200
/** A row further ahead of the clock than this is a sender's mistake: it would push everything else out of the span. */
export const AHEAD_US_MAX = 3_600_000_000
