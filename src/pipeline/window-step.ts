/** Builds the nodes of windows and of their last words. */
import { microsecondsOf } from '../plan/duration.ts'
import { EXACT_DIGITS_MAX } from '../plan/exact.ts'
import type { AggregateNode, StreamKind, StreamNode, WindowNode } from '../plan/nodes.ts'
import type { Column, ColumnType, Location } from '../plan/schema.ts'
import type { Aggregate } from './aggregates.ts'
import { REVISION, refuseChangelog, refuseWithoutRevision } from './changelog.ts'
import { checkNewName, refusal, refuseTaken, refuseUnknown } from './refuse.ts'
import { APPEND, base, COMPARABLE, NUMERIC, typedColumn } from './step.ts'
import type { Window, WindowOptions } from './windows.ts'

const CALCULATED: ReadonlySet<string> = new Set(['sum', 'average', 'variance', 'deviation', 'quantile'])

export function window(
  input: StreamNode,
  keyPaths: readonly string[],
  { size_us, every_us }: Window,
  options: WindowOptions,
  aggregates: Readonly<Record<string, Aggregate<never, unknown>>>,
  location: Location | null,
): WindowNode {
  refuseChangelog(input, 'window', location)
  const keys = keyPaths.map(path => typedColumn(input, path, 'groupBy', location, COMPARABLE))
  const entries = Object.entries(aggregates).map(([name, aggregate]) => {
    checkNewName(name, 'aggregate', location)
    return aggregateOf(input, name, aggregate, location)
  })
  refuseUnknown(options, ['late', 'allowedLateness', 'early'], 'window', location)
  const { late = 'drop', early } = options
  if (late !== 'drop' && late !== 'quarantine' && late !== 'restate') {
    throw refusal(
      'WINDOW_INVALID',
      `window: late is ${JSON.stringify(late)}`,
      location,
      "Use 'drop', 'quarantine' or 'restate'.",
    )
  }
  if ((late === 'restate') !== (options.allowedLateness !== undefined)) {
    const message = "window: late 'restate' and allowedLateness go together"
    throw refusal('WINDOW_INVALID', message, location, "Write { late: 'restate', allowedLateness: '1 h' }.")
  }
  const revised = late === 'restate' || early !== undefined
  const columns = [
    ...keys,
    ...entries.map(({ column }) => column),
    { name: 'window_start', type: 'timestamp' as const, nullable: false },
    { name: 'window_end', type: 'timestamp' as const, nullable: false },
    ...(revised ? REVISION : []),
  ]
  const names = keys.map(({ name }) => name)
  const stream: StreamKind = revised ? { kind: 'changelog', key: [...names, 'window_start'] } : APPEND
  return {
    kind: 'window',
    input,
    keys: names,
    size_us,
    every_us,
    aggregates: entries.map(({ node }) => node),
    late,
    allowedLateness_us:
      late === 'restate' ? microsecondsOf(options.allowedLateness!, 'window allowedLateness', 'zero') : 0,
    early_us: early === undefined ? null : microsecondsOf(early, 'window early'),
    ...base(refuseTaken(columns, 'aggregate', location), stream, location),
  }
}

function aggregateOf(
  input: StreamNode,
  name: string,
  aggregate: Aggregate<never, unknown>,
  location: Location | null,
): { node: AggregateNode; column: Column } {
  const { function: kind, column: path, fraction } = aggregate
  const node = { name, function: kind, column: path, fraction }
  const step = `${kind}('${path}')`
  if (path === null) return { node, column: { name, type: 'number', nullable: false, integer: true } }
  const types: readonly ColumnType[] | undefined = CALCULATED.has(kind)
    ? NUMERIC
    : kind === 'count'
      ? undefined
      : COMPARABLE
  const source = typedColumn(input, path, step, location, types)
  switch (kind) {
    case 'count':
    case 'distinct':
      return { node, column: { name, type: 'number', nullable: false, integer: true } }
    case 'variance':
    case 'deviation':
      return { node, column: { name, type: 'number', nullable: true } }
    case 'min':
    case 'max':
    case 'first':
    case 'last':
      return { node, column: { ...source, name } }
    case 'sum': {
      const { nullable, type } = source
      if (type === 'int64') return { node, column: { name, type, nullable } }
      if (type !== 'decimal') return { node, column: { name, type: 'number', nullable } }
      const decimal = { precision: EXACT_DIGITS_MAX, scale: source.decimal!.scale }
      return { node, column: { name, type, nullable, decimal } }
    }
    default:
      return { node, column: { name, type: 'number', nullable: source.nullable } }
  }
}

/** A stream that revises nothing has only last words already. */
export function finals(input: StreamNode, location: Location | null): StreamNode {
  if (input.stream.kind === 'append') return input
  refuseWithoutRevision(input, 'finals', location)
  const columns = input.columns.filter(column => !REVISION.some(({ name }) => name === column.name))
  return { kind: 'finals', input, ...base(columns, APPEND, location) }
}
