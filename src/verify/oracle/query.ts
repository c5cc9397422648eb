/**
 * The oracle: the rows of a stream, recomputed by one DuckDB query from all the records of its topic at once.
 *
 * It shares no code with the engine beside the plan itself. Whoever runs it makes a table (or view) of the topic's
 * records: its columns by their names (numbers DOUBLE, timestamps BIGINT or DOUBLE microseconds, texts VARCHAR, json JSON
 * with times in microseconds too), and the hidden `#partition` and `#position` (HIDDEN in text.ts). What the topic refused
 * is not in it. A stream that reads a topic of the pipeline's own reads the recomputed rows of that topic, in the order in
 * which the log holds them.
 *
 * What it computes:
 * - The frontier of a record is the largest event time among the records of its partition (`progress: 'key'`: those of
 *   its partition with its key) up to and with itself, in the order of the log, whatever any filter keeps; less the
 *   disorder (frontier.ts says how a key starts that is new).
 * - Windows are in window.ts, `dedupe` in dedupe.ts, steps of one row in rows.ts.
 * - A changelog's rows are its last revisions.
 */
import type { EventTime, ReadNode, StreamNode, TopicNode } from '../../plan/nodes.ts'
import type { Location } from '../../plan/schema.ts'
import {
  type Built,
  type Doubt,
  last,
  nextStep,
  type OracleColumn,
  type OracleRelation,
  type OracleSource,
  Refusal,
} from './built.ts'
import { dedupe, holdsKey } from './dedupe.ts'
import { frontiers, hasJointGroups } from './frontier.ts'
import { derive, explode, filter, project, requireColumns } from './rows.ts'
import { HIDDEN, quoted } from './text.ts'
import { finals, window } from './window.ts'

export interface OracleQuery {
  /** Gives the columns of the stream, and then ROW_COLUMNS. */
  readonly sql: string
  /** The same, in the order of the log. */
  readonly sqlInOrder: string
  readonly columns: readonly OracleColumn[]
  /** Columns that tell rows of a windowed stream apart, when all of them are still there; else null. */
  readonly identity: readonly string[] | null
  /** Whether windows come out before their end, so that the last row of an open one says nothing. */
  readonly early: boolean
  /** Whether a window that silence closed may have come out again. */
  readonly reopens: boolean
  /** Whether a key of an upsert has several rows, any of which may be the last one. */
  readonly hasCandidates: boolean
  readonly doubts: readonly Doubt[]
}

/** What the query says of each row beside its cells. */
export const ROW_COLUMNS = {
  /** The row is one of a window that was not due when the run stopped. */
  open: '"#open"',
  /** How many records count in the window of the row; 1 for any other row. */
  records: HIDDEN.records,
} as const

/** Why a stream has no query, and where in the user's file the reason stands. */
export interface Unsupported {
  readonly unsupported: string
  readonly location: Location | null
}

/**
 * The query of a stream's rows, or why there is none. `latestBy`: of the rows with the same values in these columns only
 * the last one, as an upsert leaves them.
 */
export function oracleQuery(
  stream: StreamNode,
  source: OracleSource,
  latestBy: readonly string[] = [],
): OracleQuery | Unsupported {
  try {
    const built = build(stream, stream, source)
    const upsert = latestBy.length === 0 ? NO_UPSERT : upsertOf(built, source, latestBy, stream.location)
    const names = built.columns.map(column => quoted(column.name))
    const records = built.window === null ? `1 AS ${HIDDEN.records}` : HIDDEN.records
    const selected = [...names, `${openSql(built)} AS ${ROW_COLUMNS.open}`, records]
    const identity = built.window === null ? null : [...built.window.identity.values()]
    const sql = `WITH ${built.steps.join(',\n')}\nSELECT ${selected.join(', ')} FROM ${last(built)}${upsert.qualify}`
    return {
      sql,
      sqlInOrder: `${sql}\nORDER BY ${built.order.join(', ')}`,
      columns: built.columns,
      identity: identity?.every(name => isIdentifying(name, built)) ? identity : null,
      early: built.window?.early ?? false,
      reopens: built.window?.reopens ?? false,
      hasCandidates: upsert.hasCandidates,
      doubts: [...built.doubts, ...upsert.doubts],
    }
  } catch (error) {
    if (error instanceof Refusal) return { unsupported: error.message, location: error.location }
    throw error
  }
}

/** Keys that may differ in their last digits join nothing. */
const isIdentifying = (name: string, built: Built) => built.columns.find(column => column.name === name)?.exact === true

/** `stream`: the whole of which the node is a step. */
function build(node: StreamNode, stream: StreamNode, source: OracleSource): Built {
  if (node.kind === 'read') return read(node, stream, source)
  const input = build(node.input, stream, source)
  switch (node.kind) {
    case 'filter':
      return filter(node, input)
    case 'require':
      return requireColumns(node, input)
    case 'derive':
      return derive(node, input)
    case 'project':
      return project(node, input)
    case 'explode':
      return explode(node, input)
    case 'dedupe':
      return dedupe(node, input)
    case 'window':
      return window(node, input, source)
    case 'finals':
      return finals(node, input)
  }
}

function read({ topic }: ReadNode, stream: StreamNode, source: OracleSource): Built {
  const relation = source.relation(topic)
  const cells = relation.columns.map(({ name, type }) =>
    type === 'timestamp' ? `${quoted(name)}::DOUBLE AS ${quoted(name)}` : quoted(name),
  )
  const places = [HIDDEN.position, HIDDEN.partition]
  const { eventTime } = topic
  const timeless = timelessBecause(topic, relation)
  const plain = { columns: relation.columns, window: null, relation, doubts: [], order: [HIDDEN.position], timeless }
  if (eventTime === null || timeless !== null) {
    const rows = `SELECT ${[...cells, ...places].join(', ')} FROM ${relation.sql}`
    return nextStep({ ...plain, steps: [], hidden: places }, rows)
  }
  const found = frontiers(topic, eventTime, {
    relation: relation.sql,
    isScattered: relation.isScattered,
    hasJointGroups: hasJointGroups(stream),
  })
  const hidden = [...new Set([...places, ...found.hidden])]
  const rows = `SELECT ${[...cells, ...hidden].join(', ')} FROM ${found.rows}`
  if (source.ended) return nextStep({ ...plain, steps: found.steps, hidden }, rows)
  const key = timeKeyOf(topic)
  const same = key.map(name => `l.${quoted(name)} IS NOT DISTINCT FROM r.${quoted(name)}`)
  const own = relation.waits ? 'NULL::BIGINT' : 'l.own'
  const all = relation.waits ? 'NULL::BIGINT' : '(SELECT min(own) FROM limits)'
  return nextStep(
    { ...plain, steps: found.steps, hidden: [...hidden, HIDDEN.own, HIDDEN.all] },
    `WITH limits AS (${limitsSql(relation, eventTime, key)}) SELECT r.*, ${own} AS ${HIDDEN.own}, ${all} AS ${HIDDEN.all} FROM (${rows}) r LEFT JOIN limits l ON ${['true', ...same].join(' AND ')}`,
  )
}

/** The columns by which event time is judged beside the partition. */
const timeKeyOf = ({ eventTime, key }: TopicNode) => (eventTime?.progress === 'key' ? key : [])

function timelessBecause(topic: TopicNode, { columns, unordered }: OracleRelation): string | null {
  if (topic.eventTime === null) return `the topic ${topic.name} has no event time`
  const judging = [topic.eventTime.column, ...timeKeyOf(topic)]
  return unordered ?? columns.find(({ name, unknown }) => unknown !== null && judging.includes(name))?.unknown ?? null
}

/** By key (with progress by partition: once) how far event time came in the partitions that have not ended, less the disorder. */
function limitsSql(
  { sql, ended, partitions }: OracleRelation,
  { column, disorder_us }: EventTime,
  key: readonly string[],
): string {
  const isLive = ended === null ? 'true' : `${HIDDEN.partition} NOT IN ${ended}`
  const keys = key.map(quoted)
  const furthest = (...by: readonly string[]) =>
    `SELECT ${by.map(name => `${name}, `).join('')}max(${quoted(column)})::BIGINT AS reached FROM ${sql} WHERE ${isLive} GROUP BY ${[HIDDEN.partition, ...by].join(', ')}`
  const lowest = `SELECT min(reached) FROM (${furthest()})`
  if (key.length === 0) return `SELECT (${lowest}) - ${disorder_us} AS own`
  // A key that has not come in a partition may still come in it.
  const reached = partitions > 1 ? `least(min(reached), (${lowest}))` : 'min(reached)'
  return `SELECT ${keys.join(', ')}, ${reached} - ${disorder_us} AS own FROM (${furthest(...keys)}) GROUP BY ${keys.join(', ')}`
}

function openSql({ window, hidden }: Built): string {
  if (window === null || !hidden.includes(HIDDEN.limit)) return 'false'
  return `coalesce(${HIDDEN.end} + ${window.delay_us} > ${HIDDEN.limit}, true)`
}

interface Upsert {
  readonly qualify: string
  readonly hasCandidates: boolean
  readonly doubts: readonly Doubt[]
}

const NO_UPSERT: Upsert = { qualify: '', hasCandidates: false, doubts: [] }

function upsertOf(built: Built, source: OracleSource, key: readonly string[], location: Location | null): Upsert {
  const uncertain = built.columns.find(
    column => key.includes(column.name) && (column.unknown !== null || !column.exact),
  )
  if (uncertain !== undefined) {
    throw new Refusal(
      `the key ${uncertain.name} ${uncertain.unknown === null ? 'is inexact' : `is not known: ${uncertain.unknown}`}`,
      location,
    )
  }
  const by = `PARTITION BY ${key.map(quoted).join(', ')}`
  const { window, relation } = built
  if (window === null) {
    const qualify = `\nQUALIFY row_number() OVER (${by} ORDER BY ${built.order.map(name => `${name} DESC`).join(', ')}) = 1`
    if (relation.partitions < 2) return { ...NO_UPSERT, qualify }
    const spread = `SELECT 1 FROM ${last(built)} GROUP BY ${key.map(quoted).join(', ')} HAVING count(DISTINCT ${HIDDEN.partition}) > 1`
    const doubt = {
      sql: `WITH ${built.steps.join(',\n')}\nSELECT EXISTS (${spread})`,
      reason: `${key.join(', ')} comes in several partitions, and which of their records came last depends on how they were read`,
    }
    return { ...NO_UPSERT, qualify, doubts: [doubt] }
  }
  const identity = [...window.identity.values()]
  if (identity.every(name => key.includes(name))) return NO_UPSERT
  if (!holdsKey(window.identity, key)) {
    const reason = `the key (${key.join(', ')}) stands for windows of several keys, and which of them came last is not a function of the records`
    throw new Refusal(reason, location)
  }
  const newest = `${HIDDEN.end} = max(${HIDDEN.end}) OVER (${by})`
  if (source.ended && !source.live) return { ...NO_UPSERT, qualify: `\nQUALIFY ${newest}` }
  // A window may be given out again after a later one.
  if (source.ended || window.early || window.restates) return { ...NO_UPSERT, hasCandidates: true }
  const open = openSql(built)
  const qualify = `\nQUALIFY ${open} OR ${HIDDEN.end} = max(${HIDDEN.end}) FILTER (WHERE NOT ${open}) OVER (${by})`
  return { ...NO_UPSERT, qualify, hasCandidates: true }
}
