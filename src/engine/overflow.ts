/** Rows that are refused because a result does not fit its column of 64-bit integers or decimals. */
import type { Column } from '../plan/schema.ts'
import type { Batch } from './batch.ts'

export interface Overflow {
  readonly column: Column
  /** The result; of a decimal the whole number of its last digit. */
  readonly value: bigint
  /** The one row: of a lambda what it was given, of a window what it would have given out. Lent. */
  readonly row: Batch
}

export type OnOverflow = (overflow: Overflow) => void
