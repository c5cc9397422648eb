/** The accumulator of each aggregate function. */
import type { AggregateFunction } from '../../plan/nodes.ts'
import type { Column } from '../../plan/schema.ts'
import type { Accumulator } from './accumulator.ts'
import { DistinctAccumulator, QuantileAccumulator } from './collections.ts'
import { EndAccumulator } from './ends.ts'
import { CellExtremeAccumulator, NumberExtremeAccumulator } from './extremes.ts'
import { IntegerAverageAccumulator, IntegerExtremeAccumulator, IntegerSumAccumulator } from './integers.ts'
import { AverageAccumulator, CountAccumulator, SumAccumulator } from './sums.ts'
import { VarianceAccumulator } from './variance.ts'

const integersOf = (column: Column | null) => (column?.type === 'int64' || column?.type === 'decimal' ? column : null)

const extreme = (column: Column | null, largest: boolean): Accumulator => {
  const integers = integersOf(column)
  if (integers !== null) return new IntegerExtremeAccumulator(integers, largest)
  return column?.type === 'number' || column?.type === 'timestamp'
    ? new NumberExtremeAccumulator(largest)
    : new CellExtremeAccumulator(largest)
}

const MAKERS: Record<AggregateFunction, (column: Column | null, fraction: number | null) => Accumulator> = {
  count: () => new CountAccumulator(),
  sum: column => (integersOf(column) ? new IntegerSumAccumulator(column!) : new SumAccumulator()),
  average: column => (integersOf(column) ? new IntegerAverageAccumulator(column!) : new AverageAccumulator()),
  min: column => extreme(column, false),
  max: column => extreme(column, true),
  first: column => new EndAccumulator(column!, false),
  last: column => new EndAccumulator(column!, true),
  variance: () => new VarianceAccumulator(false),
  deviation: () => new VarianceAccumulator(true),
  distinct: column => new DistinctAccumulator(column!),
  quantile: (_, fraction) => new QuantileAccumulator(fraction!),
}

/** State for one aggregate over a column (null: over rows). */
export function accumulatorOf(
  aggregate: { readonly function: AggregateFunction; readonly fraction: number | null },
  column: Column | null,
): Accumulator {
  return MAKERS[aggregate.function](column, aggregate.fraction)
}
