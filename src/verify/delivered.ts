/**
 * What a run delivered, as relations of DuckDB with numbers as DOUBLE, exact ones as BIGINT and DECIMAL, and times as DOUBLE
 * microseconds.
 */
import { isAbsolute, join } from 'node:path'
import { warehouseColumn } from '../connectors/duckdb/names.ts'
import { isStored, openForReading, readTopic } from '../log/topic-store.ts'
import type { DeliverNode, SinkReference, StreamNode, TopicNode } from '../plan/nodes.ts'
import type { Column } from '../plan/schema.ts'
import { readText, statusOf, writePieces } from '../system/files.ts'
import type { Row } from './database.ts'
import { copyHead } from './heads.ts'
import { cellOf, readLines } from './json-columns.ts'
import { sqlDecimal } from './oracle/aggregate.ts'
import { literal, quoted } from './oracle/text.ts'
import { linePiecesOf, needsQuoting, quotedLines } from './quoted-lines.ts'

/** Something that a pipeline delivers, and where it lies. */
export interface Output {
  readonly name: string
  readonly stream: StreamNode
  /** Columns of an upsert's key; null: rows are added. */
  readonly upsert: readonly string[] | null
  readonly place:
    | { readonly kind: 'table'; readonly table: string }
    | { readonly kind: 'topic'; readonly topic: TopicNode }
    | { readonly kind: 'file'; readonly sink: SinkReference }
    | { readonly kind: 'elsewhere'; readonly connector: string }
}

export interface Delivered {
  /** A query of the rows in the order in which they were written. */
  readonly sql: string
  /** The format may hold null for NaN and for the infinities. */
  readonly finiteOnly: boolean
  /** Times were written in whole units of so many microseconds. */
  readonly time_us: number
}

export interface Places {
  readonly dataDirectory: string
  /** The name of the attached warehouse; null when the run made none. */
  readonly warehouse: string | null
  /** For files that are needed meanwhile. */
  readonly folder: string
}

export function outputOf(deliver: DeliverNode): Output {
  const { stream, target } = deliver
  if (target.kind === 'table') {
    const upsert = target.mode === 'upsert' ? target.key : null
    return { name: target.table, stream, upsert, place: { kind: 'table', table: target.table } }
  }
  const { sink } = target
  if (sink.connector !== 'file') {
    return { name: sink.connector, stream, upsert: null, place: { kind: 'elsewhere', connector: sink.connector } }
  }
  return { name: String(sink.options.path), stream, upsert: null, place: { kind: 'file', sink } }
}

/** The rows of an output with these columns, or the reason why they cannot be read again. `rows`: how many of a topic count. */
export function deliveredRows(
  output: Output,
  columns: readonly Column[],
  places: Places,
  rows: number | null,
): Delivered | string {
  const { place } = output
  switch (place.kind) {
    case 'table': {
      if (places.warehouse === null) return 'there is no warehouse file in the data directory'
      const table = [places.warehouse, ...place.table.split('.').slice(-2)]
      if (table.length === 2) table.splice(1, 0, 'main')
      const cells = columns.map(
        column => `${stored(quoted(warehouseColumn(column.name)), column)} AS ${quoted(column.name)}`,
      )
      return { sql: selectFrom(cells, table.map(quoted).join('.')), finiteOnly: false, time_us: 1 }
    }
    case 'topic':
      return topicRows(place.topic.name, columns, places, rows)
    case 'file':
      return fileRows(output, columns, places)
    case 'elsewhere':
      return `what the connector ${place.connector} delivered is not here`
  }
}

function topicRows(name: string, columns: readonly Column[], places: Places, rows: number | null): Delivered | string {
  if (!isStored(places.dataDirectory, name)) return `the topic ${name} is not stored in the data directory`
  const { start } = openForReading(places.dataDirectory, name)
  if (start > 0) return `the first ${start} records of the topic ${name} are no longer stored`
  const path = join(places.folder, `topic-${name}.ndjson`)
  writePieces(path, quotedLines(firstLines(readTopic(places.dataDirectory, name), rows), columns))
  return { sql: linesSql([path], columns, 'iso'), finiteOnly: false, time_us: 1 }
}

function* firstLines(records: Iterable<string>, rows: number | null): Generator<Uint8Array, void, undefined> {
  let left = rows ?? Number.POSITIVE_INFINITY
  let pending = ''
  for (const record of records) {
    if (left-- <= 0) break
    pending += `${record}\n`
    if (pending.length < 64 * 1024) continue
    yield Buffer.from(pending)
    pending = ''
  }
  yield Buffer.from(pending)
}

function fileRows({ stream, place }: Output, columns: readonly Column[], places: Places): Delivered | string {
  const { sink } = place as Extract<Output['place'], { kind: 'file' }>
  const { path, format, timestamps = 'iso' } = sink.options as { path: string; format?: string; timestamps?: TimeForm }
  const file = isAbsolute(path) ? path : join(places.dataDirectory, path)
  if (statusOf(file) === null) return `there is no file ${file}`
  const form = format ?? file.slice(file.lastIndexOf('.') + 1).toLowerCase()
  const time_us = timestamps === 'ms' ? 1000 : 1
  if (form === 'parquet') {
    if (statusOf(`${file}.stale`) !== null) return `${file} is older than its rows; the next run writes it`
    const cells = columns.map(column => `${stored(quoted(column.name), column)} AS ${quoted(column.name)}`)
    return { sql: selectFrom(cells, `read_parquet(${literal(file)})`), finiteOnly: false, time_us: 1 }
  }
  const committed = committedFile(file, places)
  if (form === 'csv') {
    const cells = columns.map(column => `${written(quoted(column.name), column, timestamps)} AS ${quoted(column.name)}`)
    // The sink writes an empty text in quotes, null without.
    const options = `auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', allow_quoted_nulls = false, parallel = false`
    const types = stream.columns.map(({ name }) => `${quoted(name)}: 'VARCHAR'`).join(', ')
    const rows = `read_csv(${literal(committed)}, ${options}, columns = {${types}})`
    return { sql: selectFrom(cells, rows), finiteOnly: false, time_us }
  }
  return { sql: linesSql([withQuotes(committed, columns, places)], columns, timestamps), finiteOnly: true, time_us }
}

/** What a file sink says beside its file of what it has committed; null: nothing. */
function positionOf(file: string): { readonly rows: number; readonly bytes: number } | null {
  const text = readText(`${file}.position.json`)
  return text === null ? null : (JSON.parse(text) as { rows: number; bytes: number })
}

/** A run that was killed leaves bytes behind its last commit, which the next one cuts off. */
function committedFile(file: string, places: Places): string {
  const bytes = positionOf(file)?.bytes ?? null
  if (bytes === null || bytes >= statusOf(file)!.bytes) return file
  const copy = join(places.folder, `committed-${file.replaceAll(/[^A-Za-z0-9]/g, '-')}`)
  copyHead(file, bytes, copy)
  return copy
}

/** The lines with texts in place of the numbers that DuckDB would take for doubles. */
function withQuotes(file: string, columns: readonly Column[], places: Places): string {
  if (!columns.some(needsQuoting)) return file
  const copy = join(places.folder, `quoted-${file.replaceAll(/[^A-Za-z0-9]/g, '-')}`)
  writePieces(copy, quotedLines(linePiecesOf(file), columns))
  return copy
}

/** Rows of the stream that the output holds by its own ledger; null: it has none. */
export async function heldRows(
  output: Output,
  places: Places,
  pipeline: string,
  rows: (sql: string) => Promise<Row[]>,
): Promise<number | null> {
  const { place, name } = output
  if (place.kind === 'file') {
    const path = String(place.sink.options.path)
    const file = isAbsolute(path) ? path : join(places.dataDirectory, path)
    return (positionOf(file) ?? positionOf(`${file}.rows.ndjson`))?.rows ?? null
  }
  if (place.kind !== 'table' || places.warehouse === null) return null
  const ledger = `${places.warehouse}.millrace.ledger`
  const tables = `SELECT 1 FROM duckdb_tables() WHERE database_name = ${literal(places.warehouse)} AND schema_name = 'millrace' AND table_name = 'ledger'`
  if ((await rows(tables)).length === 0) return null
  const [held] = await rows(
    `SELECT position::DOUBLE AS position FROM ${ledger} WHERE consumer = ${literal(`${pipeline}/${name}`)}`,
  )
  return held === undefined ? null : (held.position as number)
}

const selectFrom = (cells: readonly string[], from: string) =>
  `SELECT ${cells.length === 0 ? '1 AS "#nothing"' : cells.join(', ')} FROM ${from}`

type TimeForm = 'iso' | 'ms' | 'us'

function linesSql(paths: readonly string[], columns: readonly Column[], times: TimeForm): string {
  const cells = columns.map(column => `${written(cellOf(column), column, times)} AS ${quoted(column.name)}`)
  const texts = columns.map((column): Column => ({ ...column, type: 'text' }))
  return selectFrom(cells, readLines(paths, texts))
}

/** A cell of a database or Parquet column. */
function stored(cell: string, column: Column): string {
  if (column.type === 'number') return `${cell}::DOUBLE`
  if (column.type === 'int64') return `${cell}::BIGINT`
  // A table that was made when decimals were doubles keeps its type.
  if (column.type === 'decimal') return `${cell}::${sqlDecimal(column)}`
  if (column.type === 'timestamp') return `epoch_us(${cell})::DOUBLE`
  return column.type === 'boolean' ? cell : `${cell}::VARCHAR`
}

/** Stands for a cell that is no value of its column: no value is equal to it. */
const NO_NUMBER = "'-1.7976931348623157e308'::DOUBLE"

const NO_INTEGER = '(-9223372036854775808)::BIGINT'

/** A cell of a text format. */
function written(cell: string, column: Column, times: TimeForm): string {
  const parsed = (sql: string) => `CASE WHEN ${cell} IS NOT NULL THEN coalesce(${sql}, ${NO_NUMBER}) END`
  switch (column.type) {
    case 'number':
      return parsed(`TRY_CAST(${cell} AS DOUBLE)`)
    case 'int64':
      return `CASE WHEN ${cell} IS NOT NULL THEN coalesce(TRY_CAST(${cell} AS BIGINT), ${NO_INTEGER}) END`
    case 'decimal': {
      // A cast rounds: digits behind those of the type make another number.
      const type = sqlDecimal(column)
      const { precision, scale } = column.decimal!
      const all = `TRY_CAST(${cell} AS DECIMAL(38, ${Math.min(38, scale + 38 - precision)}))`
      const none = `-${'9'.repeat(precision - scale) || '0'}::${type}`
      return `CASE WHEN ${cell} IS NOT NULL THEN CASE WHEN ${all} = TRY_CAST(${cell} AS ${type}) THEN TRY_CAST(${cell} AS ${type}) ELSE ${none} END END`
    }
    case 'timestamp':
      return parsed(
        times === 'iso'
          ? `epoch_us(TRY_CAST(${cell} AS TIMESTAMPTZ))::DOUBLE`
          : `TRY_CAST(${cell} AS DOUBLE)${times === 'ms' ? ' * 1000' : ''}`,
      )
    case 'boolean':
      return `TRY_CAST(${cell} AS BOOLEAN)`
    case 'text':
    case 'json':
      return `${cell}::VARCHAR`
  }
}
