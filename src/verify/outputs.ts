/** Verifies one output: recomputes it, reads what was delivered, and compares all columns that are known. */
import type { DeliverNode, Plan } from '../plan/nodes.ts'
import { readOf } from '../plan/walk.ts'
import { type Comparison, compareAsBags, compareByIdentity, type Difference } from './compare.ts'
import { type Database, type Row, SETTLED_JSON } from './database.ts'
import { type Delivered, deliveredRows, heldRows, type Output, outputOf, type Places } from './delivered.ts'
import type { OracleColumn, OracleRelation, OracleSource } from './oracle/built.ts'
import { type OracleQuery, oracleQuery, ROW_COLUMNS } from './oracle/query.ts'
import { HIDDEN, quoted } from './oracle/text.ts'
import { REVISION_UNKNOWN } from './oracle/window.ts'
import type { Progress } from './progress.ts'
import { keepLastRows, type Superseded } from './revisions.ts'
import { type Sides, VERDICTS } from './sides.ts'
import type { Topics } from './topics.ts'

export interface VerifiedOutput {
  /** Table, topic or file. */
  readonly output: string
  /** Rows that must be there: windows, or plain rows where the stream has none. */
  readonly rows: number
  /** Columns that were compared. */
  readonly columns: number
  readonly agreed: number
  readonly missingCount: number
  readonly unexpectedCount: number
  readonly differentCount: number
  /** Rows of windows that were still open when the run stopped. */
  readonly open: number
  /** By column how many rows differ in it. */
  readonly differing: ReadonlyMap<string, number>
  /** The first of each kind, at most a hundred. */
  readonly missing: readonly Row[]
  readonly unexpected: readonly Row[]
  readonly different: readonly Difference[]
  /** The query. */
  readonly sql: string
}

export interface NotCompared {
  readonly output: string
  readonly columns: readonly string[]
  readonly reason: string
}

export interface Session {
  readonly plan: Plan
  readonly progress: Progress
  /** Whether silence may have closed windows before their time. */
  readonly live: boolean
  /** A run is at work: the copy of its warehouse and its logs up to there stand still, and files do not. */
  readonly isAtWork: boolean
  readonly database: Database
  readonly places: Places
  readonly topics: Topics
  readonly say: (step: string) => void
}

/** Everything that a plan delivers, topics first, each behind those that it is made of. */
export function outputsOf(plan: Plan): readonly Output[] {
  const produced: Output[] = []
  const add = (name: string, visiting: readonly string[]) => {
    for (const { stream, topic } of plan.produces) {
      if (topic.name !== name || produced.some(output => output.stream === stream)) continue
      const from = readOf(stream).topic.name
      if (!visiting.includes(from)) add(from, [...visiting, from])
      produced.push({ name: topic.name, stream, upsert: null, place: { kind: 'topic', topic } })
    }
  }
  for (const { topic } of plan.produces) add(topic.name, [topic.name])
  return [...produced, ...plan.delivers.map((deliver: DeliverNode) => outputOf(deliver))]
}

export interface OutputReport {
  readonly verified: VerifiedOutput | null
  readonly notCompared: readonly NotCompared[]
}

export async function verifyOutput(session: Session, output: Output): Promise<OutputReport> {
  const { database, places, progress, topics } = session
  const all = (reason: string): OutputReport => {
    if (output.place.kind === 'topic') topics.set(output.name, `the topic ${output.name} is not recomputed: ${reason}`)
    const columns = output.stream.columns.map(({ name }) => name)
    return { verified: null, notCompared: [{ output: output.name, columns, reason }] }
  }
  const query = await queryOf(session, output)
  if (typeof query === 'string') return all(query)
  if (session.isAtWork && output.place.kind === 'file') return all('a run is at work and goes on writing it')
  const due = progress.delivered(output.name)
  const { plan } = session
  const held = await heldRows(output, places, `${plan.namespace}/${plan.name}`, sql => database.rows(sql))
  if (due !== null && held !== null && held < due) {
    return all(`${due - held} of its rows are still to be delivered, which the next run does`)
  }
  const { read, compared, unknown } = split(query, output)
  if (compared.length === 0) return all(unknown[0]?.reason ?? 'it has no columns')
  const delivered = deliveredRows(output, read, places, progress.rowsOf(output.name))
  if (typeof delivered === 'string') return all(delivered)
  session.say(`${output.name}: recomputing`)
  const name = (side: string) => quoted(`${side} ${output.name}`)
  const columns = compared.map(column => ({ ...column, finiteOnly: delivered.finiteOnly }))
  const sides = { oracle: name('oracle'), delivered: name('delivered'), columns }
  try {
    await database.run(`CREATE OR REPLACE TABLE ${sides.oracle} AS ${asDelivered(query, delivered, output)}`)
  } catch (error) {
    // Of a variance of infinities, say, DuckDB makes an error where the run makes NaN.
    return all(`DuckDB cannot recompute it: ${(error as Error).message.split('\n', 1)[0]}`)
  }
  try {
    await database.run(`CREATE OR REPLACE TABLE ${sides.delivered} AS ${settledTexts(delivered.sql, read)}`)
  } catch (error) {
    return all(`what was delivered cannot be read: ${(error as Error).message.split('\n', 1)[0]}`)
  }
  session.say(`${output.name}: comparing`)
  const revision = read.find(column => column.unknown !== null)?.name ?? null
  const superseded = await withoutRepeats(session, output, query, { ...sides, revision })
  const found = await compare(database, sides, query, output.upsert)
  const earlier = earlierRows(session, output, query, found)
  const comparison = earlier === null ? found : { ...found, unexpected: { count: 0, examples: [] } }
  if (output.place.kind === 'topic') topics.set(output.name, await relationOf(database, output, query, sides.oracle))
  else await database.run(`DROP TABLE ${sides.oracle}`)
  await database.run(`DROP TABLE ${sides.delivered}`)
  const verified = reportOf(output, query, read.length, comparison, superseded, revision)
  return { verified, notCompared: earlier === null ? unknown : [earlier] }
}

/** Rows too many that windows may have made which silence closed, where no column tells windows apart; null: none. */
function earlierRows(
  { live }: Session,
  { name, stream, upsert }: Output,
  { reopens, identity }: OracleQuery,
  { missing, unexpected, different }: Comparison,
): NotCompared | null {
  if (!live || !reopens || identity !== null || upsert !== null) return null
  if (unexpected.count === 0 || missing.count + different.count > 0) return null
  const reason = `${unexpected.count} more rows may be earlier ones of windows that silence closed, and no column tells windows apart`
  return { output: name, columns: stream.columns.map(column => column.name), reason }
}

/** The query of an output, or the reason why there is none. */
async function queryOf(session: Session, output: Output): Promise<OracleQuery | string> {
  const { database, progress, topics, live } = session
  const relation = await topics.get(readOf(output.stream).topic)
  if (typeof relation === 'string') return relation
  const source: OracleSource = { relation: () => relation, ended: progress.ended, live }
  const query = oracleQuery(output.stream, source, output.upsert ?? [])
  if ('unsupported' in query) {
    const { location, unsupported } = query
    return location === null ? unsupported : `${unsupported} (${location.file}:${location.line})`
  }
  for (const { sql, reason } of query.doubts) {
    const [answer] = await database.rows(sql)
    if (Object.values(answer ?? {})[0] === true) return reason
  }
  return query
}

/** The columns that are compared, those that are read, and the rest by the reason why they are not compared. */
function split({ columns }: OracleQuery, output: Output) {
  const compared = columns.filter(({ unknown }) => unknown === null)
  // Where all rows of a window are there, the numbers of its revisions are checked by themselves.
  const numbered = columns.filter(({ unknown }) => unknown === REVISION_UNKNOWN && output.upsert === null)
  const reasons = new Map<string, string[]>()
  for (const column of columns) {
    if (column.unknown === null || numbered.includes(column)) continue
    const names = reasons.get(column.unknown) ?? []
    reasons.set(column.unknown, [...names, column.name])
  }
  const unknown = [...reasons].map(([reason, names]): NotCompared => ({ output: output.name, columns: names, reason }))
  return { compared, read: [...compared, ...numbered], unknown }
}

/** The oracle's rows in the form in which the sink writes cells; a topic's in the order of its log. */
function asDelivered(query: OracleQuery, { time_us }: Delivered, output: Output): string {
  const cells = query.columns.map(column => {
    const name = quoted(column.name)
    if (column.unknown !== null) return name
    if (column.type === 'timestamp' && time_us > 1) return `floor(${name} / ${time_us}) * ${time_us} AS ${name}`
    return column.type === 'json' ? `${SETTLED_JSON}(${name}::VARCHAR) AS ${name}` : name
  })
  const sql = output.place.kind === 'topic' ? query.sqlInOrder : query.sql
  return `SELECT ${[...cells, ...Object.values(ROW_COLUMNS)].join(', ')} FROM (${sql})`
}

function settledTexts(sql: string, columns: readonly OracleColumn[]): string {
  const cells = columns.map(({ name, type }) =>
    type === 'json' ? `${SETTLED_JSON}(${quoted(name)}) AS ${quoted(name)}` : quoted(name),
  )
  return `SELECT ${cells.join(', ')} FROM (${sql})`
}

async function withoutRepeats(
  { database, live }: Session,
  { stream, upsert }: Output,
  { identity, reopens }: OracleQuery,
  sides: { readonly oracle: string; readonly delivered: string; readonly revision: string | null },
): Promise<Superseded> {
  const mayRepeat = stream.stream.kind === 'changelog' || (live && reopens)
  if (upsert !== null || identity === null || !mayRepeat) return { misnumbered: 0, unexpected: 0 }
  return await keepLastRows(database, { ...sides, identity })
}

function compare(
  database: Database,
  sides: Sides,
  { identity, early, hasCandidates }: OracleQuery,
  upsert: readonly string[] | null,
): Promise<Comparison> {
  const keys = hasCandidates ? upsert : (identity ?? upsert)
  return keys === null
    ? compareAsBags(database, sides)
    : compareByIdentity(database, sides, { keys, early, hasCandidates })
}

/** A topic of the pipeline's own: the recomputed rows that are there, or should be, where the log holds them. */
async function relationOf(
  database: Database,
  { place }: Output,
  query: OracleQuery,
  oracle: string,
): Promise<OracleRelation> {
  const { topic } = place as Extract<Output['place'], { kind: 'topic' }>
  const table = quoted(`records of ${topic.name}`)
  // A row that is missing in the log stands behind the one before it.
  const before = `last_value(v.d IGNORE NULLS) OVER (ORDER BY o.rowid ROWS UNBOUNDED PRECEDING) + 0.5::DOUBLE`
  const names = query.columns.map(({ name }) => `o.${quoted(name)}`)
  await database.run(
    `CREATE OR REPLACE TABLE ${table} AS SELECT ${names.join(', ')}, 0 AS ${HIDDEN.partition}, coalesce(v.d::DOUBLE, ${before}, -1) AS ${HIDDEN.position}
     FROM ${oracle} o JOIN ${VERDICTS} v ON v.o = o.rowid WHERE NOT (v.verdict = 'open' AND v.d IS NULL)`,
  )
  await database.run(`DROP TABLE ${oracle}`)
  const known = new Map(query.columns.map(column => [column.name, column]))
  return {
    sql: table,
    columns: topic.columns.map(column => {
      const made = known.get(column.name)
      return { ...column, exact: made?.exact ?? true, unknown: made?.unknown ?? null }
    }),
    isScattered: false,
    partitions: 1,
    ended: null,
    unordered: null,
    waits: false,
  }
}

function reportOf(
  output: Output,
  query: OracleQuery,
  columns: number,
  comparison: Comparison,
  superseded: Superseded,
  revision: string | null,
): VerifiedOutput {
  const { agreed, open, missing, unexpected, different } = comparison
  const differing = new Map(comparison.columns)
  if (superseded.misnumbered > 0 && revision !== null) differing.set(revision, superseded.misnumbered)
  return {
    output: output.name,
    rows: agreed + missing.count + different.count,
    columns,
    agreed,
    missingCount: missing.count,
    unexpectedCount: unexpected.count + superseded.unexpected,
    differentCount: different.count + superseded.misnumbered,
    open,
    differing,
    missing: missing.examples,
    unexpected: unexpected.examples,
    different: different.examples,
    sql: `-- ${quoted(`records of ${readOf(output.stream).topic.name}`)}: what the topic received, in order; times in microseconds since 1970\n${query.sql}`,
  }
}
