/** Aggregate functions of windows. Null cells are skipped, as in SQL; see AggregateNode for what each one means. */
import type { AggregateFunction } from '../plan/nodes.ts'
import { MillraceError } from '../system/errors.ts'
import type { At, KeyColumn, NumberColumn, Path } from './types.ts'

declare const row: unique symbol

/** An aggregate over rows R that gives a V. */
export interface Aggregate<R, V> {
  readonly function: AggregateFunction
  readonly column: string | null
  readonly fraction: number | null
  readonly [row]?: (row: R) => V
}

type NullOf<R, C> = Extract<At<R, C>, null>

/** Counts rows, or those in which a column is not null. */
export function count<R>(column?: Path<R>): Aggregate<R, number> {
  return aggregate('count', column ?? null)
}

type SumOf<R, C> = (bigint extends At<R, C> ? bigint : number) | NullOf<R, C>

/**
 * The sum of a column of numbers: exact for 64-bit integers and decimals, compensated for doubles, so that the order of
 * rows does not matter.
 */
export function sum<R, const C extends NumberColumn<R>>(column: C): Aggregate<R, SumOf<R, C>> {
  return aggregate('sum', column)
}

/** The mean of a column of numbers. */
export function average<R, const C extends NumberColumn<R>>(column: C): Aggregate<R, number | NullOf<R, C>> {
  return aggregate('average', column)
}

/** The least value of a column. */
export function min<R, const C extends KeyColumn<R>>(column: C): Aggregate<R, At<R, C>> {
  return aggregate('min', column)
}

/** The greatest value of a column. */
export function max<R, const C extends KeyColumn<R>>(column: C): Aggregate<R, At<R, C>> {
  return aggregate('max', column)
}

/** The value of the earliest row by event time. */
export function first<R, const C extends KeyColumn<R>>(column: C): Aggregate<R, At<R, C>> {
  return aggregate('first', column)
}

/** The value of the latest row by event time. */
export function last<R, const C extends KeyColumn<R>>(column: C): Aggregate<R, At<R, C>> {
  return aggregate('last', column)
}

/** The variance of a sample (n - 1); null below two values. */
export function variance<R>(column: NumberColumn<R>): Aggregate<R, number | null> {
  return aggregate('variance', column)
}

/** The standard deviation of a sample (n - 1); null below two values. */
export function deviation<R>(column: NumberColumn<R>): Aggregate<R, number | null> {
  return aggregate('deviation', column)
}

/** The number of different values. */
export function distinct<R>(column: KeyColumn<R>): Aggregate<R, number> {
  return aggregate('distinct', column)
}

/** The value below which a fraction (0..1) of the values lies, interpolated; `quantile(column, 0.5)` is the median. */
export function quantile<R, const C extends NumberColumn<R>>(
  column: C,
  fraction: number,
): Aggregate<R, number | NullOf<R, C>> {
  if (!(fraction >= 0 && fraction <= 1)) {
    throw new MillraceError(
      'WINDOW_INVALID',
      `quantile('${column}', ${fraction}): the fraction is not between 0 and 1`,
      {
        next: 'Write 0.95 for the 95th percentile.',
      },
    )
  }
  return aggregate('quantile', column, fraction)
}

function aggregate<R, V>(name: AggregateFunction, column: unknown, fraction: number | null = null): Aggregate<R, V> {
  return Object.freeze({ function: name, column: column as string | null, fraction })
}
