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
import { loadSource } from '../connectors/contract.ts'
import { loadDuckDB } from '../formats/duckdb.ts'
import type { SourceReference } from '../plan/nodes.ts'
import type { Column, ColumnType, NumberUnit } from '../plan/schema.ts'
import { slowDecoder } from '../plan/slow.ts'
import { slowReason, type WireNode } from '../plan/wire.ts'
import { readSchema } from '../plan/zod.ts'
import { MillraceError } from '../system/errors.ts'
import type { Database } from './database.ts'
import { linesOfFile } from './heads.ts'
import { cellOf, readLines } from './json-columns.ts'
import {
  chunksOf,
  countedPart,
  extentIn,
  isCsv,
  type Lines,
  linesOf,
  linesPath,
  openSource,
  type RecordsInput,
  translateCsv,
} from './lines.ts'
import { sqlDecimal } from './oracle/aggregate.ts'
import { HIDDEN, quoted } from './oracle/text.ts'
import { needsQuoting } from './quoted-lines.ts'

const STORED_AS: Record<ColumnType, string> = {
  number: 'DOUBLE',
  int64: 'BIGINT',
  decimal: 'DECIMAL',
  text: 'VARCHAR',
  boolean: 'BOOLEAN',
  timestamp: 'BIGINT',
  json: 'JSON',
}

/** Stands for a time that only the slow path reads. */
const ODD_TIME = '-9223372036854775808'

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
  // DuckDB takes numbers with a point for doubles.
  const isDoubtful = input.isDoubtful || topic.columns.some(needsQuoting)
  if (!isDoubtful && arePlain && slowReason(wire) === null) {
    const lines = await linesOf(database, input)
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

const storedAs = (column: Column) => (column.type === 'decimal' ? sqlDecimal(column) : STORED_AS[column.type])

const createTable = (database: Database, table: string, columns: readonly Column[]) =>
  database.run(
    `CREATE OR REPLACE TABLE ${table} (${columns.map(column => `${quoted(column.name)} ${storedAs(column)}`).join(', ')}, ${HIDDEN.partition} INTEGER)`,
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
  const { DuckDBDecimalValue } = await loadDuckDB()
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const appender = await database.connection.createAppender(table.slice(1, -1).replaceAll('""', '"'))
  const take = (bytes: Uint8Array, partition: number) => {
    let line: string
    try {
      line = text.decode(bytes)
    } catch {
      return
    }
    const answer = decode(line)
    if (!answer.ok) return
    topic.columns.forEach((column, index) => {
      const cell = unread?.has(column.name) ? null : answer.cells[index]
      if (column.type === 'decimal' && typeof cell === 'bigint') {
        const { precision, scale } = column.decimal!
        appender.appendDecimal(new DuckDBDecimalValue(cell, precision, scale))
      } else appendCell(appender, column.type, cell)
    })
    appender.appendInteger(partition)
    appender.endRow()
  }
  let first = 0
  for (const reference of input.sources) {
    const source = await loadSource(reference)
    try {
      const partitions = await openSource(source, topic)
      const extents = partitions.map(({ name }, index) => extentIn(input, name, first + index))
      const csv = partitions.map(({ name }) => isCsv(reference, name))
      for (const [index, { name }] of partitions.entries()) {
        const extent = extents[index] ?? null
        if (csv[index] !== true || extent === null) continue
        const path = linesPath(input, first + index)
        await translateCsv(database, input, reference, { name, extent, path })
        for (const line of linesOfFile(path)) take(line, extent.number)
      }
      for await (const chunk of csv.every(isOne => isOne) ? [] : chunksOf(source)) {
        const extent = extents[chunk.partition] ?? null
        if (extent === null || csv[chunk.partition] === true) continue
        for (const { bytes, start } of linesIn(countedPart(chunk, extent))) {
          if (refusedAt?.has(`${extent.number}:${chunk.position + start}`) !== true) take(bytes, extent.number)
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
  else if (type === 'int64') appender.appendBigInt(cell as bigint)
  else if (type === 'timestamp') appender.appendBigInt(BigInt(cell as number))
  else if (type === 'boolean') appender.appendBoolean(cell as boolean)
  else appender.appendVarchar(type === 'json' ? JSON.stringify(cell) : (cell as string))
}
