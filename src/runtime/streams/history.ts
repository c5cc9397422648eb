/**
 * Where the rows of a stream are read that are no longer in memory: a log of its own (stored-log.ts), or, for a stream
 * that makes its rows of one record each, the records of its topic, read again (replayed.ts).
 */
import type { Rows } from './tail.ts'

export type HistoryRows =
  /** The batch is the reader's until its next step. */
  | ({ readonly kind: 'rows' } & Rows)
  /** Records of a topic can no longer be read: the rows that they made are left out. Told. */
  | {
      readonly kind: 'lost'
      readonly topic: string
      readonly fromOffset: number
      readonly toOffset: number
      readonly reason: string
    }
  /** The rows up to this position are not among those that were given. */
  | { readonly kind: 'skip'; readonly to: number }

export interface History {
  /** First row that can be read. */
  readonly start: number
  /**
   * The rows from one up to another (excluded), in order. Both are at `start` or behind it, and safe. Throws what reading
   * the source throws.
   */
  read(from: number, to: number): AsyncGenerator<HistoryRows, void, undefined>
  /** Rows from the one that is answered then are needed by somebody; those in front of it may go. */
  pin(position: () => number): void
}
