/** What a run delivered, as relations of DuckDB with numbers as DOUBLE and times as DOUBLE microseconds. */
import { isAbsolute, join } from 'node:path'
import { warehouseColumn } from '../connectors/duckdb/names.ts'
import { isStored, readTopicLines } from '../log/topic-store.ts'
import type { DeliverNode, SinkReference, StreamNode, TopicNode } from '../plan/nodes.ts'
import type { Column } from '../plan/schema.ts'
import { statusOf, writePieces } from '../system/files.ts'
import { cellOf, readLines } from './json-columns.ts'
import type { OracleColumn } from './oracle/query.ts'
import { literal, quoted } from './oracle/text.ts'

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
  /** A query of the rows; each changelog row as it was written, with its revision. */
  readonly sql: string
  /** The form holds no NaN and no infinity: they were written as null. */
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

/** The rows of an output, or the reason why they cannot be read again. */
export function deliveredRows(output: Output, columns: readonly OracleColumn[], places: Places): Delivered | string {
  const { place } = output
  // A changelog's rows carry the number of their revision; the last one of a window counts.
  const revision = output.stream.columns.filter(column => column.name === 'revision')
  const wanted: readonly Column[] = [...columns, ...revision]
  switch (place.kind) {
    case 'table': {
      if (places.warehouse === null) return 'there is no warehouse file in the data directory'
      const table = [places.warehouse, ...place.table.split('.').slice(-2)]
      if (table.length === 2) table.splice(1, 0, 'main')
      const cells = wanted.map(
        column => `${stored(quoted(warehouseColumn(column.name)), column)} AS ${quoted(column.name)}`,
      )
      return { sql: `SELECT ${cells.join(', ')} FROM ${table.map(quoted).join('.')}`, finiteOnly: false, time_us: 1 }
    }
    case 'topic': {
      const { name } = place.topic
      if (!isStored(places.dataDirectory, name)) return `the topic ${name} is not stored in the data directory`
      const path = join(places.folder, `topic-${name}.ndjson`)
      if (statusOf(path) === null) writePieces(path, readTopicLines(places.dataDirectory, name))
      return { sql: linesSql([path], wanted, 'iso'), finiteOnly: true, time_us: 1 }
    }
    case 'file':
      return fileRows(place.sink, wanted, places)
    case 'elsewhere':
      return `what the connector ${place.connector} delivered is not here`
  }
}

function fileRows(sink: SinkReference, columns: readonly Column[], places: Places): Delivered | string {
  const { path, format, timestamps = 'iso' } = sink.options as { path: string; format?: string; timestamps?: TimeForm }
  const file = isAbsolute(path) ? path : join(places.dataDirectory, path)
  if (statusOf(file) === null) return `there is no file ${file}`
  const form = format ?? file.slice(file.lastIndexOf('.') + 1).toLowerCase()
  const time_us = timestamps === 'ms' ? 1000 : 1
  if (form === 'parquet') {
    const cells = columns.map(column => `${stored(quoted(column.name), column)} AS ${quoted(column.name)}`)
    return { sql: `SELECT ${cells.join(', ')} FROM read_parquet(${literal(file)})`, finiteOnly: false, time_us: 1 }
  }
  if (form === 'csv') {
    const cells = columns.map(column => `${written(quoted(column.name), column, timestamps)} AS ${quoted(column.name)}`)
    // The sink writes an empty text in quotes, null without.
    const options = 'header = true, all_varchar = true, allow_quoted_nulls = false'
    return {
      sql: `SELECT ${cells.join(', ')} FROM read_csv(${literal(file)}, ${options})`,
      finiteOnly: true,
      time_us,
    }
  }
  return { sql: linesSql([file], columns, timestamps), finiteOnly: true, time_us }
}

type TimeForm = 'iso' | 'ms' | 'us'

function linesSql(paths: readonly string[], columns: readonly Column[], times: TimeForm): string {
  const cells = columns.map(column => `${written(cellOf(column), column, times)} AS ${quoted(column.name)}`)
  return `SELECT ${cells.join(', ')} FROM ${readLines(paths, columns)}`
}

/** A cell of a database or Parquet column. */
function stored(cell: string, column: Column): string {
  if (column.type === 'number') return `${cell}::DOUBLE`
  if (column.type === 'timestamp') return `epoch_us(${cell})::DOUBLE`
  return column.type === 'boolean' ? cell : `${cell}::VARCHAR`
}

/** A cell of a text form. */
function written(cell: string, column: Column, times: TimeForm): string {
  switch (column.type) {
    case 'number':
      return `${cell}::DOUBLE`
    case 'timestamp':
      return times === 'iso'
        ? `epoch_us(${cell}::TIMESTAMPTZ)::DOUBLE`
        : `${cell}::DOUBLE${times === 'ms' ? ' * 1000' : ''}`
    case 'boolean':
      return `${cell}::BOOLEAN`
    case 'text':
    case 'json':
      return `${cell}::VARCHAR`
  }
}
