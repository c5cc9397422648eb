/**
 * Whether kept state still means what a step means: one digest of the step and of all that decides which rows, and which
 * of their values, reach it.
 *
 * It changes with expressions, the values of their parameters, windows, keys, aggregates, event time and the types of the
 * columns used. It does not with layout, names of variables, derived columns that the step does not use, locations,
 * outputs, or the step's identity. A lambda that could not be read counts with its text, blanks left out: the same text
 * may mean something else when what it captures has changed, so such a step is not verifiable.
 */
import { createHash } from 'node:crypto'
import type { Lambda } from './expression/lambda.ts'
import { normalise } from './expression/normalise.ts'
import type { StreamNode } from './nodes.ts'
import type { Column } from './schema.ts'

/** A SHA-256 in hexadecimal digits. */
export function fingerprint(node: StreamNode): string {
  return createHash('sha256')
    .update(JSON.stringify(allOf(node), bigintsAsText))
    .digest('hex')
}

/** What one step contributes to a fingerprint: its kind, then what it says. */
export type FingerprintPart = readonly [kind: string, ...said: unknown[]]

/** What the fingerprint is made of, from the topic to the step. */
export function partsOf(node: StreamNode): readonly FingerprintPart[] {
  const parts = allOf(node)
  const topic = parts.slice(0, TOPIC_PARTS)
  return [topic, ...parts.slice(TOPIC_PARTS)] as unknown as FingerprintPart[]
}

/** The topic's own parts stand first, each by itself; then a part for each step. */
const TOPIC_PARTS = 6

function allOf(node: StreamNode): Parts {
  return describe(node, new Set(node.columns.map(({ name }) => name)), () => {})
}

/** The lambdas that decide what reaches a step and could not be read: with none, its fingerprint says all. */
export function opaqueLambdas(node: StreamNode): readonly Lambda[] {
  const found: Lambda[] = []
  describe(node, new Set(node.columns.map(({ name }) => name)), lambda => found.push(lambda))
  return found
}

const bigintsAsText = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)

type Parts = readonly unknown[]

/** What decides the values of the columns needed of a step's rows; `onOpaque` is told of lambdas that could not be read. */
function describe(node: StreamNode, needed: ReadonlySet<string>, onOpaque: (lambda: Lambda) => void): Parts {
  const after = (input: StreamNode, used: ReadonlySet<string>, own: Parts | null): Parts => {
    const known = new Set(input.columns.map(({ name }) => name))
    const before = describe(input, new Set([...used].filter(name => known.has(name))), onOpaque)
    return own === null ? before : [...before, own]
  }
  const meaning = (lambda: Lambda): string | Parts => {
    if (lambda.expression !== null) return normalise(lambda.expression)
    onOpaque(lambda)
    return ['opaque', lambda.text.replaceAll(/\s+/g, ''), lambda.parameters]
  }
  switch (node.kind) {
    case 'read': {
      const { eventTime, key, name } = node.topic
      const time = eventTime && [
        eventTime.column,
        eventTime.unit,
        eventTime.disorder_us,
        eventTime.progress,
        eventTime.maxAhead_us,
      ]
      const keyOfProgress = eventTime?.progress === 'key' ? key : []
      return ['read', name, time, keyOfProgress, node.stream, typesOf(node.columns, needed)]
    }
    case 'filter':
      return after(node.input, union(needed, node.predicate.reads), ['filter', meaning(node.predicate)])
    case 'require':
      return after(node.input, union(needed, node.required), ['require', [...node.required].sort()])
    case 'derive': {
      const used = node.derived.filter(({ name }) => needed.has(name))
      const own = new Set(used.map(({ name }) => name))
      const below = union(
        [...needed].filter(name => !own.has(name)),
        used.flatMap(({ lambda }) => lambda.reads),
      )
      const meanings = used.map(({ name, lambda }) => [name, meaning(lambda)] as const).sort(byName)
      return after(node.input, below, used.length === 0 ? null : ['derive', meanings])
    }
    case 'project': {
      const used = node.projected.filter(({ name }) => needed.has(name))
      const renamed = used.filter(({ name, from }) => name !== from).map(({ name, from }) => [name, from] as const)
      const below = new Set(used.map(({ from }) => from))
      return after(node.input, below, renamed.length === 0 ? null : ['rename', renamed.sort(byName)])
    }
    case 'explode': {
      const element = node.input.columns.find(({ name }) => name === node.array)?.element ?? []
      const used = typesOf(element, needed)
      return after(node.input, union(needed, [node.array]), ['explode', node.array, used])
    }
    case 'dedupe':
      return after(node.input, union(needed, node.key), ['dedupe', node.key, node.within_us])
    case 'window': {
      const { keys, size_us, every_us, late, allowedLateness_us, early_us } = node
      const used = node.aggregates.flatMap(({ column }) => column ?? [])
      const aggregates = node.aggregates.map(aggregate => [
        aggregate.name,
        aggregate.function,
        aggregate.column,
        aggregate.fraction,
      ])
      const own = ['window', keys, size_us, every_us, late, allowedLateness_us, early_us, aggregates]
      return after(node.input, union(keys, used), own)
    }
    case 'finals':
      return after(node.input, union(needed, ['revision', 'is_final']), ['finals'])
  }
}

function typesOf(columns: readonly Column[], needed: ReadonlySet<string>): Parts {
  return (
    columns
      .filter(({ name }) => needed.has(name))
      // A decimal has the fingerprint that it had as a double: its state is read either way.
      .map(({ name, type, nullable }) => [name, type === 'decimal' ? 'number' : type, nullable] as const)
      .sort(byName)
  )
}

function byName([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function union(a: Iterable<string>, b: Iterable<string>): ReadonlySet<string> {
  return new Set([...a, ...b])
}
