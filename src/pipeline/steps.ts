/** Builds the node of each step from what the user wrote, checking it against the columns that come in. */
import { type Duration, microsecondsOf } from '../plan/duration.ts'
import type { Lambda } from '../plan/expression/lambda.ts'
import { readLambda } from '../plan/expression/read.ts'
import type {
  DedupeNode,
  DeriveNode,
  ExplodeNode,
  FilterNode,
  ProjectNode,
  RequireNode,
  StreamNode,
  TopicNode,
} from '../plan/nodes.ts'
import type { Column, Location } from '../plan/schema.ts'
import { keptByChangelog, refuseChangelog, refuseChangelogFilter } from './changelog.ts'
import { checkNewName, columnNamed, refusal, refuseTaken } from './refuse.ts'
import { ALL, APPEND, base, COMPARABLE, typedColumn } from './step.ts'
import type { ParameterValues } from './types.ts'

type UserFunction = (row: never, parameters: never) => unknown

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

function project(
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

const sameDecimal = (a: Column, b: Column) =>
  a.type !== 'decimal' || (a.decimal!.precision <= b.decimal!.precision && a.decimal!.scale === b.decimal!.scale)

const typeName = ({ type, decimal }: Column) => (decimal ? `decimal(${decimal.precision}, ${decimal.scale})` : type)

/** The stream with just the columns that a topic declares, in its order. */
export function conform(input: StreamNode, topic: TopicNode, location: Location | null): StreamNode {
  const step = `to topic '${topic.name}'`
  for (const wanted of topic.columns) {
    const found = typedColumn(input, wanted.name, step, location, wanted.type === 'json' ? undefined : ALL)
    if (found.type !== wanted.type || !sameDecimal(found, wanted)) {
      throw refusal(
        'COLUMN_TYPE',
        `${step}: column '${wanted.name}' is ${typeName(found)}, the topic declares ${typeName(wanted)}`,
        location,
        wanted.type === 'decimal' || found.type === 'decimal'
          ? 'Declare the same type: nothing is rounded on the way.'
          : undefined,
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
