/** Parquet through DuckDB: read as NDJSON lines; written at the end of a run out of committed rows. */
import { resolve } from 'node:path'
import { jsonLayout } from '../../engine/row-layout.ts'
import { Damaged } from '../../formats/lines.ts'
import { type Column, isNumberUnit, type TimestampUnit, textTime } from '../../plan/schema.ts'
import { remove, replaceFile, replaceText, shareAsUserWants, statusOf } from '../../system/files.ts'
import type { Sink, SinkContext } from '../contract.ts'
import { duckdbMessage, loadDuckDB, quoteName, quoteText, withScratch } from '../support/duckdb.ts'
import { isWithin } from '../support/paths.ts'
import type { FileOptions } from './describe.ts'
import { RowFileSink } from './sink.ts'

/** The rows as NDJSON; a file that cannot be read (further) ends in Damaged, after the rows before the damage. */
export async function* parquetAsLines(
  path: string,
  columns: readonly Column[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const { DuckDBInstance } = await loadDuckDB()
  const instance = await DuckDBInstance.create(':memory:', { threads: '1', memory_limit: '256MB' })
  try {
    const connection = await instance.connect()
    try {
      const source = `read_parquet(${quoteText(path)})`
      const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`)
      const stored = described
        .getRowObjects()
        .map(row => ({ name: String(row.column_name), type: String(row.column_type) }))
        .map(column => ({ ...column, unit: columns.find(({ name }) => name === column.name)?.unit ?? 'iso' }))
      const result = await connection.stream(`SELECT ${lineExpression(stored)} FROM ${source}`)
      for (;;) {
        const chunk = await result.fetchChunk()
        if (chunk === null || chunk.rowCount === 0) return
        const lines = chunk.getColumnValues(0) as string[]
        yield Buffer.from(`${lines.join('\n')}\n`)
      }
    } finally {
      connection.closeSync()
    }
  } catch (error) {
    throw new Damaged(`the Parquet file is damaged or cut off (${duckdbMessage(error)})`)
  } finally {
    instance.closeSync()
  }
}

/** SQL that joins the cells of a row to one line of JSON; dotted names nest, numbers keep their digits. */
function lineExpression(
  columns: readonly { readonly name: string; readonly type: string; readonly unit: TimestampUnit }[],
): string {
  const layout = jsonLayout(columns.map(column => column.name))
  const parts = layout.cells.flatMap(({ prefix, column }) => {
    const { name, type, unit } = columns[column]!
    return [
      quoteText(Buffer.from(prefix).toString()),
      `coalesce(${jsonExpression(quoteName(name), type, unit)}, 'null')`,
    ]
  })
  return `concat(${[...parts, quoteText(Buffer.from(layout.suffix).toString().trimEnd())].join(', ')})`
}

const NANOSECONDS = { s: 1_000_000_000, ms: 1_000_000, us: 1000, ns: 1 } as const

/** SQL for a count of nanoseconds as an exact number of the unit. */
function timeDigits(nanoseconds: string, unit_ns: number): string {
  const size = `abs(${nanoseconds})`
  const places = String(unit_ns).length - 1
  const fraction = `CASE WHEN ${size} % ${unit_ns} = 0 THEN '' ELSE '.' || lpad((${size} % ${unit_ns})::VARCHAR, ${places}, '0') END`
  const digits = `concat(CASE WHEN ${nanoseconds} < 0 THEN '-' ELSE '' END, ${size} // ${unit_ns}, ${fraction})`
  return `CASE WHEN ${nanoseconds} IS NOT NULL THEN ${digits} END`
}

/** Times are written in the unit that the topic reads, or as ISO 8601. */
function jsonExpression(cell: string, type: string, unit: TimestampUnit): string {
  // NaN and the infinities are no JSON.
  if (type === 'DOUBLE' || type === 'FLOAT') return `CASE WHEN isfinite(${cell}) THEN to_json(${cell})::VARCHAR END`
  if (type.startsWith('DECIMAL') || type.endsWith('INT') || type === 'INTEGER' || type === 'HUGEINT') {
    return `${cell}::VARCHAR`
  }
  if (type.startsWith('TIMESTAMP')) {
    const utc = type === 'TIMESTAMP WITH TIME ZONE' ? `timezone('UTC', ${cell})` : cell
    if (isNumberUnit(unit)) return timeDigits(`epoch_ns(${utc})`, NANOSECONDS[unit])
    // As text, for a pattern: the schema says whether it is one of its times.
    if (textTime(unit).pattern !== 'iso') return `to_json(${cell}::VARCHAR)::VARCHAR`
    const digits = type === 'TIMESTAMP_NS' ? '%n' : '%f'
    return `'"' || strftime(${utc}, '%Y-%m-%dT%H:%M:%S.${digits}Z') || '"'`
  }
  if (type === 'BLOB') return `'"' || base64(${cell}) || '"'`
  if (type === 'JSON') return `replace(replace(${cell}::VARCHAR, chr(10), ' '), chr(13), ' ')`
  return `to_json(${cell})::VARCHAR`
}

/** Stages rows as NDJSON with the file sink's own guarantee; the Parquet file is made of what is committed at `close`. */
export async function parquetSink(options: FileOptions): Promise<Sink> {
  const staging = new RowFileSink(`${options.path}.rows.ndjson`, { format: 'ndjson', timestamps: 'us', nested: false })
  let context: SinkContext | null = null
  let changed = false
  let committed = 0
  return {
    guarantee:
      'Exactly once: committed rows are kept beside the file; the Parquet file is made of all of them, in one step, when the run ends.',
    async open(given) {
      committed = await staging.open(given)
      context = given
      const path = resolve(given.dataDirectory, options.path)
      // A run that was killed after a commit left the mark: the file is older than the committed rows.
      changed = statusOf(path) === null || statusOf(`${path}.stale`) !== null
      return committed
    },
    write: batch => staging.write(batch),
    async commit(position) {
      if (!changed && position !== committed) {
        changed = true
        replaceText(`${resolve(context!.dataDirectory, options.path)}.stale`, '')
      }
      await staging.commit(position)
      committed = position
    },
    async close() {
      if (context === null) return
      // Opening again cuts off what was written after the last commit: only committed rows become Parquet.
      await staging.close()
      await staging.open(context)
      await staging.close()
      const { columns, dataDirectory } = context
      context = null
      if (!changed) return
      const path = resolve(dataDirectory, options.path)
      const temporary = `${path}.tmp`
      remove(temporary)
      await withScratch(connection => connection.run(copyStatement(staging.path, temporary, columns)))
      if (!isWithin(dataDirectory, path)) shareAsUserWants(temporary)
      replaceFile(temporary, path)
      remove(`${path}.stale`)
    },
  }
}

function copyStatement(from: string, to: string, columns: readonly Column[]): string {
  const types: Readonly<Record<Column['type'], string>> = {
    number: 'DOUBLE',
    text: 'VARCHAR',
    boolean: 'BOOLEAN',
    timestamp: 'BIGINT',
    json: 'JSON',
  }
  const read = columns.map(column => `${quoteText(column.name)}: ${quoteText(types[column.type])}`)
  const cells = columns.map(column => {
    const name = quoteName(column.name)
    if (column.type === 'timestamp') return `make_timestamp(${name}) AS ${name}`
    if (column.decimal) return `${name}::DECIMAL(${column.decimal.precision}, ${column.decimal.scale}) AS ${name}`
    return name
  })
  return `COPY (SELECT ${cells.join(', ')} FROM read_ndjson(${quoteText(from)}, columns = {${read.join(', ')}}, maximum_object_size = 33554432))
    TO ${quoteText(to)} (FORMAT parquet, COMPRESSION zstd)`
}
