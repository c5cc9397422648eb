/**
 * Windows, and their last words.
 *
 * A record counts in each window that holds its event time and that ends (with `restate`, ends and its allowed lateness
 * is over) after the record's frontier. A result's event time is the last microsecond of its window, and it is never late
 * for a window over results.
 */
import { hasOwnTime } from '../../plan/event-time.ts'
import type { FinalsNode, WindowNode } from '../../plan/nodes.ts'
import { aggregateSql, isExact, sumFits } from './aggregate.ts'
import { type Built, last, nextStep, type OracleColumn, type OracleSource, Refusal, refuseUnknown } from './built.ts'
import { holdsKey } from './dedupe.ts'
import { frontierBy } from './frontier.ts'
import { HIDDEN, quoted } from './text.ts'

const LONG_AGO = '-9000000000000000000::BIGINT'

/** Said of `revision`: how many rows of a window came before its last one. */
export const REVISION_UNKNOWN = 'how often a window was given out before its last row depends on silence'

export function window(node: WindowNode, input: Built, source: OracleSource): Built {
  refuseUnknown(node.keys, input, node.location)
  if (input.timeless !== null) throw new Refusal(input.timeless, node.location)
  const { size_us: size, every_us: every } = node
  const { time } = HIDDEN
  const frontier = frontierBy(node.input, node.keys)
  const latest = `(${time} - (${time} % ${every} + ${every}) % ${every})`
  const each = Math.ceil(size / every)
  const start = each === 1 ? latest : `(${latest} - "#back" * ${every})`
  const allowed = node.late === 'restate' ? node.allowedLateness_us : 0
  const counts = `${start} + ${size} > ${time} AND ${start} + ${size + allowed} > ${frontier}`
  const rows = `SELECT *, ${start} AS "#start" FROM ${last(input)}${each === 1 ? '' : `, range(${each}) AS o("#back")`} WHERE ${counts}`
  const columns = columnsOf(node, input, source)
  const order = `row(${[time, ...input.order].join(', ')})`
  const cells = columns.map(column => {
    const name = quoted(column.name)
    if (node.keys.includes(column.name)) return name
    if (column.name === 'window_start') return `"#start"::DOUBLE AS ${name}`
    if (column.name === 'window_end') return `("#start" + ${size})::DOUBLE AS ${name}`
    if (column.unknown !== null) return `NULL AS ${name}`
    if (column.name === 'is_final') return `${isFinal(node, input, size + allowed)} AS ${name}`
    const aggregate = node.aggregates.find(candidate => candidate.name === column.name)!
    const type = input.columns.find(({ name }) => name === aggregate.column)?.type ?? 'number'
    return `${aggregateSql(aggregate, type, order, column)} AS ${name}`
  })
  const hidden = [
    `"#start" + ${size - 1} AS ${time}`,
    ...[HIDDEN.frontier, HIDDEN.joint].map(name => `${LONG_AGO} AS ${name}`),
    `"#start" + ${size} AS ${HIDDEN.end}`,
    `count(*) AS ${HIDDEN.records}`,
    ...limits(node, input),
  ]
  const groups = [...node.keys.map(quoted), '"#start"'].join(', ')
  return nextStep(
    input,
    `SELECT ${[...cells, ...hidden].join(', ')} FROM (${rows}) GROUP BY ${groups}${fitting(node, input)}`,
    {
      columns,
      hidden: [time, HIDDEN.frontier, HIDDEN.joint, HIDDEN.end, HIDDEN.records, ...limitNames(input)],
      order: [HIDDEN.end, ...node.keys.map(quoted)],
      window: {
        identity: new Map([...node.keys, 'window_start'].map(name => [name, name])),
        restates: node.late === 'restate',
        allowed_us: allowed,
        delay_us: 0,
        early: node.early_us !== null,
        reopens: input.window === null,
      },
    },
  )
}

/** The last row of each window, which comes when the window can no longer be corrected. */
export function finals(node: FinalsNode, input: Built): Built {
  const names = new Set(node.columns.map(({ name }) => name))
  const columns = input.columns.filter(({ name }) => names.has(name))
  const window = input.window && { ...input.window, delay_us: input.window.allowed_us, early: false, reopens: false }
  const selected = [...columns.map(({ name }) => quoted(name)), ...input.hidden]
  return nextStep(input, `SELECT ${selected.join(', ')} FROM ${last(input)}`, { columns, window })
}

function columnsOf(node: WindowNode, input: Built, source: OracleSource): readonly OracleColumn[] {
  const known = new Map(input.columns.map(column => [column.name, column]))
  // Results of several groups may end at the same time; their order then is not a function of the records.
  const isOrdered = input.window === null || holdsKey(input.window.identity, node.keys)
  return node.columns.map((column): OracleColumn => {
    if (node.keys.includes(column.name)) return known.get(column.name)!
    const plain = { ...column, exact: true, unknown: null }
    if (column.name === 'revision' && node.stream.kind === 'changelog') return { ...plain, unknown: REVISION_UNKNOWN }
    if (column.name === 'is_final' && node.stream.kind === 'changelog') {
      const isSure = source.ended || input.relation.partitions < 2
      return isSure ? plain : { ...plain, unknown: 'when a window is closed depends on how the partitions were read' }
    }
    const aggregate = node.aggregates.find(({ name }) => name === column.name)
    if (aggregate === undefined) return plain
    const of = aggregate.column === null ? null : known.get(aggregate.column)!
    const isEnd = aggregate.function === 'first' || aggregate.function === 'last'
    return {
      ...plain,
      exact: isExact(aggregate, of?.type ?? null) && (of === null || of.exact),
      unknown:
        isEnd && !isOrdered
          ? `windows of several keys end together, and which of them is the ${aggregate.function} is not a function of the records`
          : (of?.unknown ?? null),
    }
  })
}

/** Windows with a sum that does not fit its column are refused. */
function fitting(node: WindowNode, input: Built): string {
  const tests = node.aggregates.flatMap(aggregate => {
    const type = input.columns.find(({ name }) => name === aggregate.column)?.type ?? 'number'
    return sumFits(aggregate, type, node.columns.find(({ name }) => name === aggregate.name)!) ?? []
  })
  return tests.length === 0 ? '' : ` HAVING ${tests.join(' AND ')}`
}

/** Both limits go on to windows over these results: theirs is the time of the records below. */
function limits(node: WindowNode, input: Built): readonly string[] {
  if (!input.hidden.includes(HIDDEN.all)) return []
  const both = [HIDDEN.own, HIDDEN.all].map(name => `min(${name}) AS ${name}`)
  return [...both, `${limitOf(node)} AS ${HIDDEN.limit}`]
}

const limitOf = (node: WindowNode) => `min(${hasOwnTime(node.input, node.keys) ? HIDDEN.own : HIDDEN.all})`

const limitNames = (input: Built) => (input.hidden.includes(HIDDEN.all) ? [HIDDEN.own, HIDDEN.all, HIDDEN.limit] : [])

function isFinal(node: WindowNode, input: Built, after_us: number): string {
  if (!input.hidden.includes(HIDDEN.all)) return 'true'
  return `coalesce("#start" + ${after_us} <= ${limitOf(node)}, false)`
}
