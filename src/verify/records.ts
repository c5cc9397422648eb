/**
 * The records of a topic as a table that the oracle reads.
 *
 * DuckDB reads the lines itself, typed by the topic's columns; no code of the engine is in between. Where it could see a
 * record otherwise than the topic's schema does (a column that holds records, a time that is not a plain number, a line
 * that was refused), all lines go one by one through JSON and zod instead: slower, and what they mean by definition.
 * One difference between the two is known: of two equal keys in one record DuckDB takes the first, JSON.parse the last. So
 * a disagreement that stands on DuckDB's reading is looked at again the slow way before it is reported.
 */
import type { DuckDBAppender } from '@duckdb/node-api'
import { type Chunk, loadSource, type Source, type SplittableSource } from '../connectors/contract.ts'
import type { SourceReference, TopicNode } from '../plan/nodes.ts'
import type { Column, ColumnType, NumberUnit } from '../plan/schema.ts'
import { slowDecoder } from '../plan/slow.ts'
import { slowReason, type WireNode } from '../plan/wire.ts'
import { readSchema } from '../plan/zod.ts'
import { RECORD_BYTES_MAX } from '../runtime/process/topic-task.ts'
import { MillraceError } from '../system/errors.ts'
import { closeFile, openForWriting, writeBytes } from '../system/files.ts'
import type { Database } from './database.ts'
import { copyHead } from './delivered.ts'
import { cellOf, readLines } from './json-columns.ts'
import { HIDDEN, quoted } from './oracle/text.ts'

const STORED_AS: Record<ColumnType, string> = {
  number: 'DOUBLE',
  text: 'VARCHAR',
  boolean: 'BOOLEAN',
  timestamp: 'BIGINT',
  json: 'JSON',
}

/** Stands for a time that only the slow path reads. */
const ODD_TIME = '-9223372036854775808'

/** What of a partition is read. */
export interface Extent {
  /** The number by which the run knows it. */
  readonly number: number
  /** Where the next record begins that does not count, in the positions of its source; null: all count. */
  readonly end: number | null
  /** Lines below `end`, where they were counted. */
  readonly lines: number | null
}

export interface RecordsInput {
  readonly topic: TopicNode
  readonly sources: readonly SourceReference[]
  /** By its name, or its number among the partitions here; null: nothing of it counts. Default: all count. */
  readonly extentOf?: (name: string, number: number) => Extent | null
  /** Columns whose cells are left out. */
  readonly unread?: ReadonlySet<string>
  /** Places of records that were refused for when they arrived: `NUMBER:POSITION`. */
  readonly refusedAt?: ReadonlySet<string>
  /** Read all lines through JSON and zod: the run refused some of them, or DuckDB's reading is in doubt. */
  readonly isDoubtful: boolean
  /** A folder for what must be unpacked or translated. */
  readonly folder: string
}

export interface Records {
  /** SQL of a relation with the topic's columns and the hidden ones. */
  readonly relation: string
  /** Partitions that there are. */
  readonly partitions: number
  /** DuckDB read the lines itself. */
  readonly isFast: boolean
  /** Records of one key may be in several partitions. */
  readonly isScattered: boolean
}

/** Loads the records into a table. Throws VERIFY_UNSUPPORTED for a topic without a schema. */
export async function loadRecords(database: Database, input: RecordsInput): Promise<Records> {
  const { topic } = input
  if (topic.schema === null) {
    throw new MillraceError(
      'VERIFY_UNSUPPORTED',
      `The topic ${topic.name} has no schema, so its lines cannot be read again.`,
    )
  }
  const table = quoted(`records of ${topic.name}`)
  const relation = `(SELECT *, rowid AS ${HIDDEN.position} FROM ${table})`
  const { wire } = readSchema(topic.schema)
  const isScattered = await isScatteredOver(input.sources)
  const units = new Map<number, PlainUnit>()
  const arePlain = collectUnits(wire, units) && (input.unread?.size ?? 0) === 0 && (input.refusedAt?.size ?? 0) === 0
  if (!input.isDoubtful && arePlain && slowReason(wire) === null) {
    const lines = await linesOf(input)
    await createTable(database, table, topic.columns)
    if (await readFast(database, table, topic.columns, units, lines)) {
      return { relation, partitions: lines.length, isFast: true, isScattered }
    }
  }
  await createTable(database, table, topic.columns)
  return { relation, partitions: await readSlow(database, table, input), isFast: false, isScattered }
}

async function isScatteredOver([first, ...others]: readonly SourceReference[]): Promise<boolean> {
  return others.length > 0 || first === undefined || (await loadSource(first)).hasOnePartition !== true
}

const createTable = (database: Database, table: string, columns: readonly Column[]) =>
  database.run(
    `CREATE OR REPLACE TABLE ${table} (${columns.map(column => `${quoted(column.name)} ${STORED_AS[column.type]}`).join(', ')}, ${HIDDEN.partition} INTEGER)`,
  )

/** Units that DuckDB reads as the schema does. Of a local time that exists twice it takes the other moment. */
type PlainUnit = NumberUnit | 'iso'

/** Whether all times are in such units; by column their units. */
function collectUnits(node: WireNode, units: Map<number, PlainUnit>): boolean {
  if (node.kind === 'object') return node.fields.every(field => collectUnits(field.node, units))
  if (node.kind !== 'timestamp') return true
  const { unit } = node
  if (typeof unit !== 'string') return false
  units.set(node.column, unit)
  return true
}

interface Lines extends Extent {
  readonly path: string
}

const extentIn = ({ extentOf }: RecordsInput, name: string, number: number): Extent | null =>
  extentOf === undefined ? { number, end: null, lines: null } : extentOf(name, number)

/** One plain file of lines for each partition of which something counts. */
async function linesOf(input: RecordsInput): Promise<readonly Lines[]> {
  const found: Lines[] = []
  let first = 0
  for (const reference of input.sources) {
    const source = await loadSource(reference)
    try {
      const partitions = await openSource(source, input.topic)
      const plain = 'plainFiles' in source ? (source as SplittableSource).plainFiles() : null
      const files = partitions.map(({ name }, index) => ({
        extent: extentIn(input, name, first + index),
        path: `${input.folder}/${input.topic.name}-${first + index}.ndjson`,
      }))
      first += partitions.length
      if (plain === null) await translate(source, files)
      for (const [index, { extent, path }] of files.entries()) {
        if (extent === null) continue
        const whole = plain?.[index]
        if (whole === undefined) found.push({ ...extent, path })
        else if (extent.end === null || extent.end >= whole.bytes) found.push({ ...extent, path: whole.path })
        else {
          copyHead(whole.path, extent.end, path)
          found.push({ ...extent, path })
        }
      }
    } finally {
      await source.close()
    }
  }
  return found
}

const openSource = (source: Source, topic: TopicNode) =>
  source.open({
    untilEnd: true,
    columns: topic.columns,
    required: new Set(),
    onWarning: () => {},
    maximumChunkBytes: RECORD_BYTES_MAX,
    signal: new AbortController().signal,
    from: new Map(),
    topic: topic.name,
    dataDirectory: '',
    listen: { host: '127.0.0.1', port: 0, tls: null, trustedProxies: [], keys: 'required' },
  })

async function translate(
  source: Source,
  partitions: readonly { readonly extent: Extent | null; readonly path: string }[],
): Promise<void> {
  const files = partitions.map(({ path, extent }) => ({ path, extent, descriptor: openForWriting(path), bytes: 0 }))
  try {
    for await (const chunk of chunksOf(source)) {
      const file = files[chunk.partition]!
      const counted = countedPart(chunk, file.extent)
      if (counted.length === 0) continue
      const bytes = counted.at(-1) === 10 ? counted : Buffer.concat([counted, Buffer.from('\n')])
      writeBytes(file.descriptor, bytes, file.bytes, file.path)
      file.bytes += bytes.length
    }
  } finally {
    for (const file of files) closeFile(file.descriptor)
  }
}

/** The bytes of a chunk that count. */
function countedPart({ bytes, position }: Chunk, extent: Extent | null): Uint8Array {
  if (extent === null) return bytes.subarray(0, 0)
  return extent.end === null ? bytes : bytes.subarray(0, Math.max(0, extent.end - position))
}

async function* chunksOf(source: Source): AsyncGenerator<Chunk> {
  for (let piece = await source.read(); piece !== null; piece = await source.read()) {
    if (piece.kind === 'records' && piece.bytes.length > 0) yield piece
  }
}

/** false: some record must be seen by the slow path. */
async function readFast(
  database: Database,
  table: string,
  columns: readonly Column[],
  units: ReadonlyMap<number, PlainUnit>,
  lines: readonly Lines[],
): Promise<boolean> {
  const cells = columns.map((column, index) =>
    column.type === 'timestamp' ? microseconds(cellOf(column), units.get(index)!) : cellOf(column),
  )
  try {
    for (const { path, number } of lines) {
      await database.run(
        `INSERT INTO ${table} SELECT ${cells.join(', ')}, ${number} FROM ${readLines([path], columns)}`,
      )
    }
  } catch {
    return false
  }
  const odd = columns.flatMap(column => [
    ...(column.nullable ? [] : [`${quoted(column.name)} IS NULL`]),
    ...(column.type === 'timestamp' ? [`${quoted(column.name)} = ${ODD_TIME}`] : []),
  ])
  if (odd.length === 0) return true
  const [found] = await database.rows(`SELECT EXISTS (FROM ${table} WHERE ${odd.join(' OR ')}) AS odd`)
  return found?.odd === false
}

const PLAIN_INTEGER = `'-?[0-9]{1,18}|-?[0-8][0-9]{18}'`
const PLAIN_ISO = `'[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)'`

/** Whole microseconds, rounded to the past, from a time's text; ODD_TIME when it is not in its plain form. */
function microseconds(text: string, unit: PlainUnit): string {
  const integer = `${text}::BIGINT`
  const decimal = `TRY_CAST(${text} AS DECIMAL(30, 9))`
  const [whole, other] = {
    s: [`${integer} * 1000000`, `floor(${decimal} * 1000000)::BIGINT`],
    ms: [`${integer} * 1000`, `floor(${decimal} * 1000)::BIGINT`],
    us: [integer, ODD_TIME],
    // DuckDB's // rounds towards zero.
    ns: [`${integer} // 1000 - CASE WHEN ${integer} % 1000 < 0 THEN 1 ELSE 0 END`, ODD_TIME],
    iso: [`epoch_us(TRY_CAST(${text} AS TIMESTAMPTZ))`, ODD_TIME],
  }[unit] as [string, string]
  const plain = `regexp_full_match(${text}, ${unit === 'iso' ? PLAIN_ISO : PLAIN_INTEGER})`
  return `CASE WHEN ${text} IS NOT NULL THEN coalesce(CASE WHEN ${plain} THEN ${whole} ELSE ${other} END, ${ODD_TIME}) END`
}

/** Answers how many partitions there are. */
async function readSlow(database: Database, table: string, input: RecordsInput): Promise<number> {
  const { topic, unread, refusedAt } = input
  const decode = slowDecoder(topic.schema!)
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const appender = await database.connection.createAppender(table.slice(1, -1).replaceAll('""', '"'))
  let first = 0
  for (const reference of input.sources) {
    const source = await loadSource(reference)
    try {
      const partitions = await openSource(source, topic)
      const extents = partitions.map(({ name }, index) => extentIn(input, name, first + index))
      for await (const chunk of chunksOf(source)) {
        const extent = extents[chunk.partition] ?? null
        if (extent === null) continue
        for (const { bytes, start } of linesIn(countedPart(chunk, extent))) {
          if (refusedAt?.has(`${extent.number}:${chunk.position + start}`)) continue
          let line: string
          try {
            line = text.decode(bytes)
          } catch {
            continue
          }
          const answer = decode(line)
          if (!answer.ok) continue
          topic.columns.forEach((column, index) => {
            appendCell(appender, column.type, unread?.has(column.name) ? null : answer.cells[index])
          })
          appender.appendInteger(extent.number)
          appender.endRow()
        }
      }
      first += partitions.length
    } finally {
      await source.close()
    }
  }
  appender.closeSync()
  return first
}

function* linesIn(bytes: Uint8Array): Generator<{ readonly bytes: Uint8Array; readonly start: number }> {
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(10, start)
    const stop = end < 0 ? bytes.length : end
    if (stop > start) yield { bytes: bytes.subarray(start, stop), start }
    start = stop + 1
  }
}

function appendCell(appender: DuckDBAppender, type: ColumnType, cell: unknown): void {
  if (cell === null || cell === undefined) appender.appendNull()
  else if (type === 'number') appender.appendDouble(cell as number)
  else if (type === 'timestamp') appender.appendBigInt(BigInt(cell as number))
  else if (type === 'boolean') appender.appendBoolean(cell as boolean)
  else appender.appendVarchar(type === 'json' ? JSON.stringify(cell) : (cell as string))
}
