/** Writes a Parquet file out of rows that are staged as NDJSON, by DuckDB. */
import type { Column } from '../../plan/schema.ts'
import { quoteName, quoteText, withScratch } from '../duckdb.ts'

const STAGED_AS: Readonly<Record<Column['type'], string>> = {
  number: 'DOUBLE',
  int64: 'BIGINT',
  decimal: 'VARCHAR',
  text: 'VARCHAR',
  boolean: 'BOOLEAN',
  timestamp: 'BIGINT',
  json: 'VARCHAR',
}

/**
 * Rows staged with times in microseconds, flat names, and decimals and json as texts (a number with a point would be taken
 * for a double) become one Parquet file. Throws DuckDB's own error.
 */
export async function writeParquet(staged: string, path: string, columns: readonly Column[]): Promise<void> {
  await withScratch(connection => connection.run(copyStatement(staged, path, columns)))
}

/** Cells that are held at once while a row group is made, and its rows at most. */
const GROUP_CELLS = 1 << 24
const GROUP_ROWS_MAX = 122_880

function copyStatement(from: string, to: string, columns: readonly Column[]): string {
  const read = columns.map(column => `${quoteText(column.name)}: ${quoteText(STAGED_AS[column.type])}`)
  const cells = columns.map(column => {
    const name = quoteName(column.name)
    if (column.type === 'timestamp') return `make_timestamp(${name}) AS ${name}`
    // Rows that an older version staged are the value itself.
    if (column.type === 'json')
      return `CASE WHEN json_valid(${name}) THEN ${name}::JSON ELSE to_json(${name}) END AS ${name}`
    if (column.integer) return `${name}::BIGINT AS ${name}`
    if (column.decimal) return `${name}::DECIMAL(${column.decimal.precision}, ${column.decimal.scale}) AS ${name}`
    return name
  })
  const groupRows = Math.max(2048, Math.min(GROUP_ROWS_MAX, Math.floor(GROUP_CELLS / columns.length)))
  return `COPY (SELECT ${cells.join(', ')} FROM read_ndjson(${quoteText(from)}, columns = {${read.join(', ')}}, maximum_object_size = 33554432))
    TO ${quoteText(to)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${groupRows})`
}
