/**
 * The oracle: the rows of a stream, recomputed by one DuckDB query from all the records of its topic at once.
 *
 * It shares no code with the engine beside the plan itself. Whoever runs it makes a table (or view) of the topic's
 * records: its columns by their names (numbers DOUBLE, timestamps BIGINT microseconds, texts VARCHAR, json JSON with times in
 * microseconds too), and the hidden `#partition` and `#position` (HIDDEN in text.ts). What the topic refused is not in it.
 *
 * What it computes:
 * - The frontier of a record is the largest event time among the records of its partition (`progress: 'key'`: those of
 *   its partition with its key) up to and with itself, in the order of the log, whatever any filter keeps; less the
 *   disorder (frontier.ts says how a key starts that is new).
 * - A record counts in each window that holds its event time and that ends (with `restate`, ends and its allowed lateness
 *   is over) after the record's frontier. A record can be too late for one window and in time for the next.
 * - A changelog's rows are its last revisions; `revision` and `is_final` themselves are not recomputed.
 */
import { inexact, reasonWithoutDuckDb, toDuckDb } from '../../plan/expression/duckdb.ts'
import type { Lambda } from '../../plan/expression/lambda.ts'
import type {
  DedupeNode,
  DeriveNode,
  ExplodeNode,
  FilterNode,
  FinalsNode,
  ProjectNode,
  ReadNode,
  RequireNode,
  StreamNode,
  TopicNode,
  WindowNode,
} from '../../plan/nodes.ts'
import type { Column, Location } from '../../plan/schema.ts'
import { aggregateSql, isExact } from './aggregate.ts'
import { frontierBy, frontiers, hasJointGroups, type RecordsOfTopic } from './frontier.ts'
import { HIDDEN, literal, quoted } from './text.ts'

export interface OracleQuery {
  readonly sql: string
  /** The columns that the query gives: those of the stream, less `revision` and `is_final`. */
  readonly columns: readonly OracleColumn[]
  /** The topic whose records it reads. */
  readonly topic: TopicNode
  readonly windowed: boolean
  /** Columns that tell the rows of a windowed stream apart, as far as they are still there; else null. */
  readonly identity: readonly string[] | null
  /** The window's end, where it is still there. */
  readonly windowEnd: string | null
}

export interface OracleColumn extends Column {
  /** false: sums in another order may differ in the last digits, so the column is compared with a tolerance. */
  readonly exact: boolean
}

/** Why a stream has no query, and where in the user's file the reason stands. */
export interface Unsupported {
  readonly unsupported: string
  readonly location: Location | null
}

export interface OracleSource extends RecordsOfTopic {
  /** Streams by the name of the topic that they produce: a stream that reads such a topic is recomputed through them. */
  readonly produced: ReadonlyMap<string, StreamNode>
}

/** What stands so far: the common table expressions, the last of which holds the rows. */
interface Built {
  readonly steps: readonly string[]
  readonly topic: TopicNode
  readonly columns: readonly OracleColumn[]
  /** Hidden columns that are still carried, quoted. */
  readonly hidden: readonly string[]
  /** Hidden columns that order the rows as the log does. */
  readonly order: readonly string[]
  readonly identity: ReadonlyMap<string, string> | null
  readonly windowEnd: string | null
}

const TIMES: ReadonlySet<string> = new Set([HIDDEN.time, HIDDEN.frontier, HIDDEN.joint])

class Refusal extends Error {
  readonly location: Location | null

  constructor(reason: string, location: Location | null) {
    super(reason)
    this.location = location
  }
}

/**
 * The query of a stream's rows, or why there is none. `latestBy`: of the rows with the same values in these columns only
 * the last in the order of the log, as an upsert leaves them.
 */
export function oracleQuery(
  stream: StreamNode,
  source: OracleSource,
  latestBy: readonly string[] = [],
): OracleQuery | Unsupported {
  try {
    const built = build(stream, { ...source, hasJointGroups: hasJointGroups(stream, source.produced) })
    const names = built.columns.map(column => quoted(column.name))
    const identity = built.identity === null ? null : [...built.identity.values()]
    const latest =
      latestBy.length === 0 || identity !== null
        ? ''
        : `\nQUALIFY row_number() OVER (PARTITION BY ${latestBy.map(quoted).join(', ')} ORDER BY ${built.order.map(name => `${name} DESC`).join(', ')}) = 1`
    return {
      sql: `WITH ${built.steps.join(',\n')}\nSELECT ${names.join(', ')} FROM ${last(built)}${latest}`,
      columns: built.columns,
      topic: built.topic,
      windowed: built.identity !== null,
      identity: identity?.every(name => name !== '') ? identity : null,
      windowEnd: built.windowEnd,
    }
  } catch (error) {
    if (error instanceof Refusal) return { unsupported: error.message, location: error.location }
    throw error
  }
}

const STEPS: {
  readonly [K in StreamNode['kind']]: (node: Extract<StreamNode, { kind: K }>, source: OracleSource) => Built
} = {
  read,
  filter,
  require: requireColumns,
  derive,
  project,
  explode,
  dedupe,
  window,
  finals: (node: FinalsNode, source) => build(node.input, source),
}

const build = (node: StreamNode, source: OracleSource): Built =>
  (STEPS[node.kind] as (node: StreamNode, source: OracleSource) => Built)(node, source)

const last = (built: Built) => `step${built.steps.length}`

/** The next common table expression. */
function then(built: Built, select: string, changes: Partial<Omit<Built, 'steps'>> = {}): Built {
  const seen = new Map<string, string>()
  for (const { name } of changes.columns ?? built.columns) {
    const other = seen.get(name.toLowerCase())
    if (other !== undefined) throw new Refusal(`DuckDB cannot tell the columns ${other} and ${name} apart`, null)
    seen.set(name.toLowerCase(), name)
  }
  const step = `step${built.steps.length + 1} AS (${select})`
  return { ...built, ...changes, steps: [...built.steps, step] }
}

function read(node: ReadNode, source: OracleSource): Built {
  const { topic } = node
  const producer = source.produced.get(topic.name)
  if (producer !== undefined) {
    // Its records carry no frontier of the first topic: a window on them has another log.
    const built = build(producer, source)
    return { ...built, hidden: built.hidden.filter(name => !TIMES.has(name)) }
  }
  const columns = topic.columns.map(column => ({ ...column, exact: true }))
  const plain = { topic, columns, identity: null, windowEnd: null, steps: [], order: [HIDDEN.position] }
  const selected = columns.map(column =>
    column.type === 'timestamp' ? `${quoted(column.name)}::DOUBLE AS ${quoted(column.name)}` : quoted(column.name),
  )
  if (topic.eventTime === null) {
    const hidden = [HIDDEN.position]
    return then({ ...plain, hidden }, `SELECT ${[...selected, ...hidden].join(', ')} FROM ${source.relation}`)
  }
  const { steps, rows, hidden } = frontiers(topic, topic.eventTime, source)
  return then({ ...plain, steps, hidden }, `SELECT ${[...selected, ...hidden].join(', ')} FROM ${rows}`)
}

function filter(node: FilterNode, source: OracleSource): Built {
  const input = build(node.input, source)
  return then(input, `SELECT * FROM ${last(input)} WHERE ${lambdaSql(node.predicate, input)} IS TRUE`)
}

function requireColumns(node: RequireNode, source: OracleSource): Built {
  const input = build(node.input, source)
  const present = node.required.map(name => `${quoted(name)} IS NOT NULL`)
  const columns = input.columns.map(column =>
    node.required.includes(column.name) ? { ...column, nullable: false } : column,
  )
  return then(input, `SELECT * FROM ${last(input)} WHERE ${present.join(' AND ')}`, { columns })
}

function derive(node: DeriveNode, source: OracleSource): Built {
  const input = build(node.input, source)
  const derived = new Map(node.derived.map(({ name, lambda }) => [name, lambda]))
  const uncertain = new Set(input.columns.filter(column => !column.exact).map(column => column.name))
  const columns = node.columns
    .filter(column => derived.has(column.name) || input.columns.some(({ name }) => name === column.name))
    .map(column => {
      const lambda = derived.get(column.name)
      // A text or a truth is compared as it is: it has no last digit.
      const exact =
        lambda === undefined
          ? !uncertain.has(column.name)
          : column.type !== 'number' || (isExactLambda(lambda) && !lambda.reads.some(name => uncertain.has(name)))
      return { ...column, exact }
    })
  const selected = columns.map(column => {
    const lambda = derived.get(column.name)
    return lambda === undefined ? quoted(column.name) : `${lambdaSql(lambda, input)} AS ${quoted(column.name)}`
  })
  return then(input, `SELECT ${[...selected, ...input.hidden].join(', ')} FROM ${last(input)}`, { columns })
}

function project(node: ProjectNode, source: OracleSource): Built {
  const input = build(node.input, source)
  const known = new Map(input.columns.map(column => [column.name, column]))
  const kept = node.projected.filter(({ from }) => known.has(from))
  const selected = kept.map(({ name, from }) => `${quoted(from)} AS ${quoted(name)}`)
  const renamed = (from: string) => kept.find(column => column.from === from)?.name ?? ''
  return then(input, `SELECT ${[...selected, ...input.hidden].join(', ')} FROM ${last(input)}`, {
    columns: kept.map(({ name, from }) => ({ ...known.get(from)!, name })),
    identity: input.identity && new Map([...input.identity].map(([key, name]) => [key, renamed(name)])),
    windowEnd: input.windowEnd === null ? null : renamed(input.windowEnd) || null,
  })
}

function explode(node: ExplodeNode, source: OracleSource): Built {
  const input = build(node.input, source)
  const array = input.columns.find(column => column.name === node.array)
  const element = array?.element ?? []
  const index = `"#element${input.order.length}"`
  const others = node.columns.filter(column => !element.some(({ name }) => name === column.name))
  const columns = [
    ...others.map(column => input.columns.find(({ name }) => name === column.name)!),
    ...element.map(column => ({ ...column, exact: true })),
  ]
  const list = `from_json(${quoted(node.array)}, '["JSON"]')`
  const rows = `SELECT *, unnest(${list}) AS "#value", unnest(range(len(${list}))) AS ${index} FROM ${last(input)}`
  const selected = [...others.map(column => quoted(column.name)), ...element.map(elementSql)]
  const hidden = [...input.hidden, index]
  return then(input, `SELECT ${[...selected, ...hidden].join(', ')} FROM (${rows})`, {
    columns,
    hidden,
    order: [...input.order, index],
  })
}

function elementSql(column: Column): string {
  const path = `$${column.name
    .split('.')
    .map(key => `.${JSON.stringify(key)}`)
    .join('')}`
  const value = `json_extract("#value", ${literal(path)})`
  const cell = {
    number: `${value}::DOUBLE`,
    boolean: `${value}::BOOLEAN`,
    text: `json_extract_string("#value", ${literal(path)})`,
    timestamp: `${value}::DOUBLE`,
    json: value,
  }[column.type]
  return `${cell} AS ${quoted(column.name)}`
}

/**
 * Walks each key's rows in the order of the log. A row is dropped when the last kept one of its key is at most `within` of
 * event time away and still remembered: the row's frontier is not beyond that time.
 */
function dedupe(node: DedupeNode, source: OracleSource): Built {
  const input = build(node.input, source)
  if (!input.hidden.includes(HIDDEN.time)) {
    throw new Refusal('rows without the event time of their topic cannot be deduplicated by time', node.location)
  }
  const keys = node.key.map(quoted)
  const order = `[${input.order.join(', ')}]`
  const row = `{'t': ${HIDDEN.time}, 'f': ${frontierBy(node.input, node.key)}, 'p': ${order}, 'kept': []::BIGINT[][]}`
  const start = `{'t': NULL::BIGINT, 'f': NULL::BIGINT, 'p': NULL::BIGINT[], 'kept': []::BIGINT[][]}`
  // Names that no column has: DuckDB would take the column.
  const [a, x] = ['"#state"', '"#row"']
  const forgotten = `${a}.t IS NULL OR abs(${x}.t - ${a}.t) > ${node.within_us} OR ${x}.f > ${a}.t + ${node.within_us}`
  const next = `{'t': ${x}.t, 'f': ${x}.f, 'p': ${x}.p, 'kept': list_append(${a}.kept, ${x}.p)}`
  const walk = `list_reduce(list(${row} ORDER BY ${order}), lambda ${a}, ${x}: CASE WHEN ${forgotten} THEN ${next} ELSE ${a} END, ${start})`
  return then(
    input,
    `SELECT * FROM ${last(input)} WHERE ${order} IN (
  SELECT unnest((${walk}).kept) FROM ${last(input)} GROUP BY ${keys.join(', ')})`,
  )
}

function window(node: WindowNode, source: OracleSource): Built {
  const input = build(node.input, source)
  if (!input.hidden.includes(HIDDEN.time)) {
    throw new Refusal('a window over another window’s results has no records of its own in the topic', node.location)
  }
  const { size_us: size, every_us: every } = node
  const { time } = HIDDEN
  const frontier = frontierBy(node.input, node.keys)
  const latest = `(${time} - (${time} % ${every} + ${every}) % ${every})`
  const each = Math.ceil(size / every)
  const start = each === 1 ? latest : `(${latest} - "#back" * ${every})`
  const allowed = node.late === 'restate' ? node.allowedLateness_us : 0
  const counts = `${start} + ${size} > ${time} AND ${start} + ${size + allowed} > ${frontier}`
  const rows = `SELECT *, ${start} AS "#start" FROM ${last(input)}${each === 1 ? '' : `, range(${each}) AS o("#back")`} WHERE ${counts}`
  const keys = node.keys.map(quoted)
  const order = `row(${[time, ...input.order].join(', ')})`
  const known = new Map(input.columns.map(column => [column.name, column]))
  const aggregates = node.aggregates.map(aggregate => {
    const type = aggregate.column === null ? 'number' : known.get(aggregate.column)!.type
    return `${aggregateSql(aggregate, type, order)} AS ${quoted(aggregate.name)}`
  })
  const ends = [`"#start"::DOUBLE AS window_start`, `("#start" + ${size})::DOUBLE AS window_end`]
  const uncertain = new Set(
    node.aggregates
      .filter(aggregate => !isExact(aggregate) || (aggregate.column !== null && !known.get(aggregate.column)!.exact))
      .map(aggregate => aggregate.name),
  )
  const columns = node.columns
    .filter(column => column.name !== 'revision' && column.name !== 'is_final')
    .map(column => ({ ...column, exact: !uncertain.has(column.name) }))
  return then(
    input,
    `SELECT ${[...keys, ...aggregates, ...ends].join(', ')} FROM (${rows}) GROUP BY ${[...keys, '"#start"'].join(', ')}`,
    {
      columns,
      hidden: [],
      order: [],
      identity: new Map([...node.keys, 'window_start'].map(name => [name, name])),
      windowEnd: 'window_end',
    },
  )
}

function lambdaSql(lambda: Lambda, input: Built): string {
  if (lambda.expression === null) {
    const why = lambda.opaque === null ? '' : `: ${lambda.opaque.reason}; ${lambda.opaque.wayOut}`
    throw new Refusal(`the lambda ${shortened(lambda.text)} cannot be told in SQL${why}`, lambda.location)
  }
  const missing = lambda.reads.find(name => !input.columns.some(column => column.name === name))
  if (missing !== undefined) {
    throw new Refusal(`the lambda ${shortened(lambda.text)} reads ${missing}, which is not recomputed`, lambda.location)
  }
  const reason = reasonWithoutDuckDb(lambda.expression)
  if (reason !== null) throw new Refusal(`the lambda ${shortened(lambda.text)} has no SQL: ${reason}`, lambda.location)
  return `(${toDuckDb(lambda.expression, quoted)})`
}

const isExactLambda = ({ expression }: Lambda) => expression !== null && inexact(expression).length === 0

const shortened = (text: string) => (text.length > 60 ? `${text.slice(0, 57)}...` : text)
