/** Builds the node of each step from what the user wrote, checking it against the columns that come in. */
import { type Duration, microsecondsOf } from '../plan/duration.ts'
import type { Lambda } from '../plan/expression/lambda.ts'
import { readLambda } from '../plan/expression/read.ts'
import type {
  AggregateNode,
  DedupeNode,
  DeriveNode,
  ExplodeNode,
  FilterNode,
  FinalsNode,
  ProjectNode,
  RequireNode,
  StreamKind,
  StreamNode,
  TopicNode,
  WindowNode,
} from '../plan/nodes.ts'
import type { Column, ColumnType, Location } from '../plan/schema.ts'
import type { Aggregate } from './aggregates.ts'
import { checkNewName, columnNamed, refusal, refuseTaken } from './refuse.ts'
import type { ParameterValues } from './types.ts'
import type { Window, WindowOptions } from './windows.ts'

type UserFunction = (row: never, parameters: never) => unknown

/** Types that have an order and can be keys. */
const COMPARABLE: readonly ColumnType[] = ['number', 'text', 'boolean', 'timestamp']

const ALL: readonly ColumnType[] = ['number', 'text', 'boolean', 'timestamp', 'json']

/** What the row of a changelog says about itself. */
const REVISION: readonly Column[] = [
  { name: 'revision', type: 'number', nullable: false },
  { name: 'is_final', type: 'boolean', nullable: false },
]

const APPEND: StreamKind = Object.freeze({ kind: 'append' })

/** Identities are given when the pipeline is complete; a name given by `.named()` stands here before. */
const base = (columns: readonly Column[], stream: StreamKind, location: Location | null) => ({
  columns: Object.freeze([...columns]),
  stream,
  identity: '',
  location,
})

function lambdaOf(
  name: string | null,
  input: StreamNode,
  fn: unknown,
  parameters: ParameterValues | undefined,
  location: Location | null,
): Lambda {
  if (typeof fn !== 'function') {
    const step = name === null ? 'filter' : `derive '${name}'`
    throw refusal('PIPELINE_INVALID', `${step}: expected a function of the row, got ${typeof fn}`, location)
  }
  return readLambda(fn as UserFunction, {
    columns: input.columns,
    parameters: parameters ?? {},
    location,
    ...(name === null ? { use: 'filter' } : { use: 'derive', name }),
  })
}

export function filter(
  input: StreamNode,
  fn: unknown,
  parameters: ParameterValues | undefined,
  location: Location | null,
): FilterNode {
  const predicate = lambdaOf(null, input, fn, parameters, location)
  refuseChangelogFilter(input, 'filter', predicate.reads, location)
  return { kind: 'filter', input, predicate, ...base(input.columns, input.stream, location) }
}

export function require(input: StreamNode, paths: readonly string[], location: Location | null): RequireNode {
  const required = paths.map(path => columnNamed(input.columns, path, 'require', location).name)
  refuseChangelogFilter(input, 'require', required, location)
  const columns = input.columns.map(column =>
    required.includes(column.name) ? { ...column, nullable: false } : column,
  )
  return { kind: 'require', input, required, ...base(columns, input.stream, location) }
}

/** A later revision that a filter drops would leave the earlier one standing where it was delivered. */
function refuseChangelogFilter(
  input: StreamNode,
  step: string,
  reads: readonly string[],
  location: Location | null,
): void {
  if (input.stream.kind === 'append') return
  const { key } = input.stream
  const other = reads.find(name => !key.includes(name))
  if (other === undefined) return
  const message = `${step}: this stream revises its windows, and '${other}' may differ between two revisions of a row`
  throw refusal(
    'PIPELINE_INVALID',
    message,
    location,
    `Put .finals() before .${step}(), or read only the key: ${key.join(', ')}.`,
  )
}

export function derive(
  input: StreamNode,
  lambdas: Readonly<Record<string, unknown>>,
  parameters: ParameterValues | undefined,
  location: Location | null,
): DeriveNode {
  const derived = Object.entries(lambdas).map(([name, fn]) => {
    checkNewName(name, 'derive', location)
    return { name, lambda: lambdaOf(name, input, fn, parameters, location) }
  })
  if (input.stream.kind === 'changelog') {
    const taken = derived.find(({ name }) => keptByChangelog(input).includes(name))
    if (taken) throw refusal('COLUMN_TAKEN', `derive: '${taken.name}' identifies the rows of this stream`, location)
  }
  const made = new Map(derived.map(({ name, lambda }) => [name, { name, ...lambda.result } as Column]))
  const kept = input.columns.filter(({ name }) => ![...made.keys()].some(other => name.startsWith(`${other}.`)))
  const columns = kept.map(column => made.get(column.name) ?? column)
  const added = [...made.values()].filter(({ name }) => !kept.some(column => column.name === name))
  return { kind: 'derive', input, derived, ...base([...columns, ...added], input.stream, location) }
}

function keptByChangelog(input: StreamNode): readonly string[] {
  return input.stream.kind === 'append' ? [] : [...input.stream.key, ...REVISION.map(({ name }) => name)]
}

export function project(
  step: string,
  input: StreamNode,
  projected: readonly { readonly name: string; readonly from: string }[],
  location: Location | null,
): ProjectNode {
  const columns = projected.map(({ name, from }) => ({ ...columnNamed(input.columns, from, step, location), name }))
  refuseTaken(columns, step, location)
  if (input.stream.kind === 'append') return { kind: 'project', input, projected, ...base(columns, APPEND, location) }
  const key = input.stream.key.map(from => {
    const kept = projected.find(column => column.from === from)
    if (kept) return kept.name
    throw refusal('PIPELINE_INVALID', `${step}: '${from}' identifies the rows of this stream and must stay`, location)
  })
  return { kind: 'project', input, projected, ...base(columns, { kind: 'changelog', key }, location) }
}

/** Each path names a column, or an object of which all columns are kept. */
export function select(input: StreamNode, paths: readonly string[], location: Location | null): ProjectNode {
  const projected = paths.map(path => ({ name: path, from: path }))
  return project('select', input, projected, location)
}

export function rename(
  input: StreamNode,
  names: Readonly<Record<string, string>>,
  location: Location | null,
): ProjectNode {
  for (const [from, name] of Object.entries(names)) {
    columnNamed(input.columns, from, 'rename', location)
    checkNewName(name, 'rename', location)
  }
  const projected = input.columns.map(({ name }) => ({
    name: Object.hasOwn(names, name) ? names[name]! : name,
    from: name,
  }))
  return project('rename', input, projected, location)
}

export function explode(input: StreamNode, array: string, location: Location | null): ExplodeNode {
  const { element } = columnNamed(input.columns, array, 'explode', location)
  if (element === undefined) {
    const usable = input.columns.filter(column => column.element).map(({ name }) => name)
    const next =
      usable.length === 0 ? 'Declare it as z.array(z.object({ ... })).' : `Use one of these: ${usable.join(', ')}.`
    throw refusal('COLUMN_TYPE', `explode: '${array}' is not an array of objects`, location, next)
  }
  refuseChangelog(input, 'explode', location)
  const columns = [...input.columns.filter(({ name }) => name !== array), ...element]
  return { kind: 'explode', input, array, ...base(refuseTaken(columns, 'explode', location), APPEND, location) }
}

export function dedupe(
  input: StreamNode,
  options: { readonly key: string | readonly string[]; readonly within: Duration },
  location: Location | null,
): DedupeNode {
  const key = [options.key].flat().map(name => typedColumn(input, name, 'dedupe', location, COMPARABLE).name)
  if (key.length === 0) throw refusal('PIPELINE_INVALID', 'dedupe: the key names no column', location)
  refuseChangelog(input, 'dedupe', location)
  const within_us = microsecondsOf(options.within, 'dedupe within')
  return { kind: 'dedupe', input, key, within_us, ...base(input.columns, APPEND, location) }
}

export function refuseChangelog(input: StreamNode, step: string, location: Location | null): void {
  if (input.stream.kind === 'append') return
  const message = `${step}: this stream revises its windows (early results or late: 'restate'), and ${step} would count a row twice`
  throw refusal(
    'PIPELINE_INVALID',
    message,
    location,
    `Put .finals() before .${step}(): only the last word on each window.`,
  )
}

const NUMERIC: ReadonlySet<string> = new Set(['sum', 'average', 'variance', 'deviation', 'quantile'])

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
    allowedLateness_us: late === 'restate' ? microsecondsOf(options.allowedLateness!, 'window allowedLateness') : 0,
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
  if (path === null) return { node, column: { name, type: 'number', nullable: false } }
  const types: readonly ColumnType[] | undefined = NUMERIC.has(kind)
    ? ['number']
    : kind === 'count'
      ? undefined
      : COMPARABLE
  const source = typedColumn(input, path, step, location, types)
  switch (kind) {
    case 'count':
    case 'distinct':
      return { node, column: { name, type: 'number', nullable: false } }
    case 'variance':
    case 'deviation':
      return { node, column: { name, type: 'number', nullable: true } }
    case 'min':
    case 'max':
    case 'first':
    case 'last':
      return { node, column: { ...source, name } }
    default:
      return { node, column: { name, type: 'number', nullable: source.nullable } }
  }
}

export function finals(input: StreamNode, location: Location | null): FinalsNode {
  const columns = input.columns.filter(
    column => input.stream.kind === 'append' || !REVISION.some(({ name }) => name === column.name),
  )
  return { kind: 'finals', input, ...base(columns, APPEND, location) }
}

/** The stream with just the columns that a topic declares, in its order. */
export function conform(input: StreamNode, topic: TopicNode, location: Location | null): StreamNode {
  const step = `to topic '${topic.name}'`
  for (const wanted of topic.columns) {
    const found = typedColumn(input, wanted.name, step, location, wanted.type === 'json' ? undefined : ALL)
    if (found.type !== wanted.type) {
      throw refusal(
        'COLUMN_TYPE',
        `${step}: column '${wanted.name}' is ${found.type}, the topic declares ${wanted.type}`,
        location,
      )
    }
    if (found.nullable && !wanted.nullable) {
      const next = `Put .require('${wanted.name}') before it, or declare it .nullable().`
      throw refusal(
        'COLUMN_TYPE',
        `${step}: column '${wanted.name}' can be null, the topic declares that it cannot`,
        location,
        next,
      )
    }
  }
  const same =
    topic.columns.length === input.columns.length &&
    topic.columns.every(({ name }, i) => input.columns[i]!.name === name)
  return same
    ? input
    : select(
        input,
        topic.columns.map(({ name }) => name),
        location,
      )
}

/** The column, for a step that must know its type: an opaque lambda hides it. */
function typedColumn(
  input: StreamNode,
  name: string,
  step: string,
  location: Location | null,
  types?: readonly ColumnType[],
): Column {
  if (types !== undefined && isOpaque(input, name)) {
    const message = `${step}: the type of '${name}' is not known, because its lambda could not be read`
    const next = `Say it in the lambda: Number(...), String(...) or Boolean(...) around its result.`
    throw refusal('COLUMN_TYPE', message, location, next)
  }
  return columnNamed(input.columns, name, step, location, types)
}

function isOpaque(input: StreamNode, name: string): boolean {
  for (
    let node = input;
    node.kind === 'filter' || node.kind === 'require' || node.kind === 'derive';
    node = node.input
  ) {
    const lambda = node.kind === 'derive' && node.derived.find(derived => derived.name === name)?.lambda
    if (lambda) return lambda.expression === null && lambda.result.type === 'json'
  }
  return false
}

/** A changelog may be kept row by row only where each row says which revision it is. */
export function refuseWithoutRevision(input: StreamNode, step: string, location: Location | null): void {
  if (input.stream.kind === 'append') return
  const lost = REVISION.find(({ name }) => !input.columns.some(column => column.name === name))
  if (lost === undefined) return
  const message = `${step}: this stream revises its windows, and its rows no longer say '${lost.name}'`
  throw refusal(
    'PIPELINE_INVALID',
    message,
    location,
    `Keep 'revision' and 'is_final', or put .finals() before ${step}.`,
  )
}
