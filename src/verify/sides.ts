/** The two sides of a comparison, and where the verdict on each of their rows stands. */
import type { ComparedColumn } from './cells.ts'

export interface Sides {
  /** A table with the columns and ROW_COLUMNS. */
  readonly oracle: string
  /** A table with the columns. */
  readonly delivered: string
  /** The columns that are compared. */
  readonly columns: readonly ComparedColumn[]
}

/**
 * The table of verdicts: `o` and `d` are the rowid of either side, `verdict` is `agreed`, `different`, `missing`,
 * `unexpected` or `open`, `columns` names the columns that differ. It stays until the next comparison.
 */
export const VERDICTS = 'verdicts'
