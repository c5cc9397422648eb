/**
 * `millrace verify`: what a run delivered, held against one DuckDB query over everything that its topic received.
 *
 * Windowed rows are joined by their keys and window: keys, counts, minima, maxima, texts and times must be equal, numbers
 * that depend on the order of additions to 1e-9. Rows without a window are compared as bags. What cannot be recomputed
 * (an opaque lambda, a source that cannot be read again, an outside sink) is skipped, with the reason.
 */
import { join, resolve } from 'node:path'
import { isStored, readTopic } from '../log/topic-store.ts'
import type { DeliverNode, Plan, SourceReference, StreamNode, TopicNode } from '../plan/nodes.ts'
import type { Snapshot } from '../runtime/options.ts'
import { MillraceError } from '../system/errors.ts'
import { makeFolder, readText, remove, statusOf } from '../system/files.ts'
import { type Comparison, compareAsBags, compareByIdentity, type Difference } from './compare.ts'
import { attach, type Database, openDatabase, type Row } from './database.ts'
import { type Delivered, deliveredRows, type Output, outputOf, type Places } from './delivered.ts'
import { type OracleQuery, oracleQuery } from './oracle/query.ts'
import { HIDDEN, quoted } from './oracle/text.ts'
import { loadRecords, type Records } from './records.ts'
import { storedTopic } from './stored.ts'

interface VerifyOutput {
  /** Table, topic or file. */
  readonly output: string
  /** Rows that the query gives: windows, or plain rows where the stream has none. */
  readonly windows: number
  readonly agreed: number
  readonly missingCount: number
  readonly unexpectedCount: number
  readonly differentCount: number
  /** Windows that a run without `--until-end` had not yet to close. */
  readonly pending: number
  /** The first of each kind, at most a hundred. */
  readonly missing: readonly Row[]
  readonly unexpected: readonly Row[]
  readonly different: readonly Difference[]
  /** The query. */
  readonly sql: string
}

export interface VerifyReport {
  readonly outputs: readonly VerifyOutput[]
  readonly skipped: readonly { readonly output: string; readonly reason: string }[]
}

export interface VerifyOptions {
  readonly dataDirectory: string
  /** A copy of the warehouse (`RunHandle.snapshot`) that is verified in its place: a run at work has it open. */
  readonly snapshot?: { readonly path: string; readonly positions: Snapshot['positions'] }
  /** Told what is being done, a sentence a step. */
  readonly onProgress?: (step: string) => void
}

/** What the runtime writes to `run.json`. */
interface RunRecord {
  readonly pipeline?: string
  readonly warehouseFile?: string
  readonly inputs?: Readonly<Record<string, readonly string[]>>
  /** Topics whose records are in the log because they were pushed. */
  readonly stored?: readonly string[]
  readonly untilEnd?: boolean
}

/**
 * Recomputes every output of a finished run. Throws OPTION_INVALID when the folder holds no run, DATA_DIR_MISMATCH when
 * the last run in it was one of another pipeline.
 */
export async function verifyPipeline(plan: Plan, options: VerifyOptions): Promise<VerifyReport> {
  const { dataDirectory } = options
  const record = runRecord(dataDirectory)
  if (record.pipeline !== undefined && record.pipeline !== plan.name) {
    throw new MillraceError(
      'DATA_DIR_MISMATCH',
      `The last run in ${dataDirectory} was one of the pipeline ${record.pipeline}, not of ${plan.name}.`,
      { next: 'Give the --data-dir of this pipeline, or run it again.' },
    )
  }
  const folder = join(dataDirectory, '.verify')
  remove(folder)
  makeFolder(folder)
  const database = await openDatabase(folder)
  try {
    const own = resolve(dataDirectory, record.warehouseFile ?? plan.warehouseFile)
    const warehouseFile = options.snapshot?.path ?? own
    const warehouse = statusOf(warehouseFile) === null ? null : 'warehouse'
    if (warehouse !== null) await attach(database, warehouseFile, warehouse)
    const session: Session = {
      plan,
      record,
      positions: options.snapshot?.positions ?? null,
      folder,
      database,
      places: { dataDirectory, warehouse, folder },
      refused: topicsWithDeadLetters(dataDirectory),
      relations: new Map(),
      say: options.onProgress ?? (() => {}),
    }
    const outputs: VerifyOutput[] = []
    const skipped: { output: string; reason: string }[] = []
    for (const output of outputsOf(plan)) {
      const result = await verifyOutput(session, output)
      if (typeof result === 'string') skipped.push({ output: output.name, reason: result })
      else outputs.push(result)
    }
    return { outputs, skipped }
  } finally {
    database.close()
    remove(folder)
  }
}

interface Session {
  readonly plan: Plan
  readonly record: RunRecord
  /** Where the warehouse that is verified ends, by topic and partition; null: with all that is stored. */
  readonly positions: Snapshot['positions']
  readonly folder: string
  readonly database: Database
  readonly places: Places
  /** Topics some of whose records were refused. */
  readonly refused: ReadonlySet<string>
  /** Loaded records by topic; a text is the reason why there are none. */
  readonly relations: Map<string, Records | string>
  readonly say: (step: string) => void
}

function runRecord(dataDirectory: string): RunRecord {
  const text = readText(join(dataDirectory, 'run.json'))
  if (text !== null) return JSON.parse(text) as RunRecord
  throw new MillraceError('OPTION_INVALID', `${dataDirectory} holds no run (run.json is missing).`, {
    next: 'Run the pipeline first: millrace run FILE --until-end --data-dir DIR',
  })
}

function topicsWithDeadLetters(dataDirectory: string): ReadonlySet<string> {
  const topics = new Set<string>()
  if (!isStored(dataDirectory, 'dead_letters')) return topics
  for (const line of readTopic(dataDirectory, 'dead_letters')) topics.add((JSON.parse(line) as { topic: string }).topic)
  return topics
}

/** Everything that a plan delivers: tables, sinks and stored topics. */
function outputsOf(plan: Plan): readonly Output[] {
  const produced = plan.produces.map(
    ({ stream, topic }): Output => ({ name: topic.name, stream, upsert: null, place: { kind: 'topic', topic } }),
  )
  return [...produced, ...plan.delivers.map((deliver: DeliverNode) => outputOf(deliver))]
}

async function verifyOutput(session: Session, output: Output, isDoubtful = false): Promise<VerifyOutput | string> {
  const { database } = session
  const produced = new Map<string, StreamNode>()
  for (const { topic, stream } of session.plan.produces) if (stream !== output.stream) produced.set(topic.name, stream)
  const topic = topicOf(output.stream, produced)
  const placeholder = oracleQuery(output.stream, { relation: '', produced }, output.upsert ?? [])
  if ('unsupported' in placeholder) return placeholder.unsupported + at(placeholder.location)
  const refusal = upsertRefusal(output, placeholder)
  if (refusal !== null) return refusal
  const delivered = deliveredRows(output, placeholder.columns, session.places)
  if (typeof delivered === 'string') return delivered
  const records = await recordsOf(session, topic, isDoubtful)
  if (typeof records === 'string') return records
  const { relation, isScattered } = records
  const source = { relation, isScattered, produced }
  const query = oracleQuery(output.stream, source, output.upsert ?? []) as OracleQuery
  session.say(`${output.name}: recomputing`)
  const name = (side: string) => quoted(`${side} ${output.name}`)
  const sides = { oracle: name('oracle'), delivered: name('delivered'), columns: query.columns }
  await database.run(`CREATE OR REPLACE TABLE ${sides.oracle} AS ${asDelivered(query, delivered)}`)
  await database.run(`CREATE OR REPLACE TABLE ${sides.delivered} AS ${lastRevisions(output, query, delivered)}`)
  session.say(`${output.name}: comparing`)
  const pending = await dropPending(session, query, sides, records.relation)
  const identity = query.windowed ? query.identity : output.upsert
  const comparison =
    identity === null ? await compareAsBags(database, sides) : await compareByIdentity(database, sides, [...identity])
  await database.run(`DROP TABLE ${sides.oracle}`)
  await database.run(`DROP TABLE ${sides.delivered}`)
  const disagrees = comparison.missing.count + comparison.unexpected.count + comparison.different.count > 0
  if (disagrees && records.isFast) return verifyOutput(session, output, true)
  return reportOf(output, query, comparison, pending)
}

const at = (location: { readonly file: string; readonly line: number } | null) =>
  location === null ? '' : ` (${location.file}:${location.line})`

function reportOf(output: Output, query: OracleQuery, comparison: Comparison, pending: number): VerifyOutput {
  const { agreed, missing, unexpected, different } = comparison
  return {
    output: output.name,
    windows: agreed + missing.count + different.count,
    agreed,
    missingCount: missing.count,
    unexpectedCount: unexpected.count,
    differentCount: different.count,
    pending,
    missing: missing.examples,
    unexpected: unexpected.examples,
    different: different.examples,
    sql: `${explanationOf(query)}\n${query.sql}`,
  }
}

const explanationOf = ({ topic }: OracleQuery) =>
  `-- ${quoted(`records of ${topic.name}`)}: what the topic received, in order; times in microseconds since 1970`

/** An upsert that keeps one row of several windows keeps whichever came last: no query can say which. */
function upsertRefusal(output: Output, query: OracleQuery): string | null {
  const { upsert } = output
  if (upsert === null || !query.windowed) return null
  const lost = query.identity?.filter(name => !upsert.includes(name)) ?? []
  if (query.identity !== null && lost.length === 0) return null
  return `the key (${upsert.join(', ')}) does not tell windows apart, so a row depends on which window came last`
}

function topicOf(stream: StreamNode, produced: ReadonlyMap<string, StreamNode>): TopicNode {
  if (stream.kind !== 'read') return topicOf(stream.input, produced)
  const producer = produced.get(stream.topic.name)
  return producer === undefined ? stream.topic : topicOf(producer, produced)
}

async function recordsOf(session: Session, topic: TopicNode, isDoubtful: boolean): Promise<Records | string> {
  const known = session.relations.get(topic.name)
  if (known !== undefined && !isDoubtful) return known
  const sources = await sourcesOf(session, topic)
  if (typeof sources !== 'string') session.say(`${topic.name}: reading the records`)
  const records =
    typeof sources === 'string'
      ? sources
      : await loadRecords(session.database, {
          topic,
          sources,
          isDoubtful: isDoubtful || session.refused.has(topic.name),
          folder: session.folder,
        })
  session.relations.set(topic.name, records)
  return records
}

/** Connectors whose records stay where they are and can be read again. */
const REPLAYED = new Set(['file', 'sensor-logger'])

async function sourcesOf(session: Session, topic: TopicNode): Promise<readonly SourceReference[] | string> {
  if (session.record.stored?.includes(topic.name)) {
    const end = session.positions?.[topic.name]?.[0] ?? null
    return [storedTopic(session.places.dataDirectory, topic.name, end)]
  }
  const declared = session.plan.ingests.filter(ingest => ingest.topic.name === topic.name).map(({ source }) => source)
  const given = session.record.inputs?.[topic.name]
  if (given !== undefined && given.length > 0) {
    const { sourceInPlaceOf } = await import('../connectors/input.ts')
    // A source that the pipeline declares has options that its path does not tell.
    return given.map(path => declared.find(source => pathOf(source) === path) ?? sourceInPlaceOf(declared, path))
  }
  if (declared.length === 0) return `the topic ${topic.name} had no input in this run`
  const other = declared.find(source => !REPLAYED.has(source.connector))
  return other === undefined ? declared : `what ${other.connector} brought to ${topic.name} cannot be read again`
}

function pathOf({ options }: SourceReference): string | null {
  const path = options.path ?? options.export
  return typeof path === 'string' ? resolve(path) : null
}

/** The oracle's rows in the form in which the sink writes cells. */
function asDelivered(query: OracleQuery, delivered: Delivered): string {
  const cells = query.columns.map(column => {
    const name = quoted(column.name)
    if (column.type === 'number' && delivered.finiteOnly)
      return `CASE WHEN isfinite(${name}) THEN ${name} END AS ${name}`
    if (column.type === 'timestamp' && delivered.time_us > 1) {
      return `floor(${name} / ${delivered.time_us}) * ${delivered.time_us} AS ${name}`
    }
    return column.type === 'json' ? `${name}::VARCHAR AS ${name}` : name
  })
  return `SELECT ${cells.join(', ')} FROM (${query.sql})`
}

/** Of a window that was delivered again and again only the last word. */
function lastRevisions(output: Output, query: OracleQuery, delivered: Delivered): string {
  const names = query.columns.map(column => quoted(column.name)).join(', ')
  const revised = output.stream.columns.some(column => column.name === 'revision')
  if (!revised || query.identity === null) return `SELECT ${names} FROM (${delivered.sql})`
  const keys = query.identity.map(quoted).join(', ')
  return `SELECT ${names} FROM (${delivered.sql}) QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY revision DESC) = 1`
}

/** After a run that was stopped, windows beyond the slowest partition need not be there yet: those not there are dropped. */
async function dropPending(
  session: Session,
  query: OracleQuery,
  sides: { readonly oracle: string; readonly delivered: string },
  relation: string,
): Promise<number> {
  const { eventTime } = query.topic
  if (session.record.untilEnd !== false || query.identity === null || query.windowEnd === null || eventTime === null)
    return 0
  const { topic, identity } = query
  // With progress by key each key's windows wait for its own records.
  const byKey = eventTime.progress === 'key' && topic.key.every(name => identity.includes(name))
  const own = byKey ? topic.key.map(quoted) : [HIDDEN.partition]
  const mine = byKey ? topic.key.map(name => `k.${quoted(name)} IS NOT DISTINCT FROM o.${quoted(name)}`) : ['true']
  const ends = `SELECT ${own.join(', ')}, max(${quoted(eventTime.column)}) - ${eventTime.disorder_us} AS reached FROM ${relation} GROUP BY ALL`
  const reached = `SELECT min(reached) FROM (${ends}) k WHERE ${mine.join(' AND ')}`
  const same = query.identity.map(name => `o.${quoted(name)} IS NOT DISTINCT FROM d.${quoted(name)}`).join(' AND ')
  const [count] = await session.database.rows(
    `DELETE FROM ${sides.oracle} o WHERE ${quoted(query.windowEnd)} > (${reached})
      AND NOT EXISTS (SELECT 1 FROM ${sides.delivered} d WHERE ${same})`,
  )
  return Number(Object.values(count ?? { n: 0 })[0])
}
