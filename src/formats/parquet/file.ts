/** What a Parquet file says of itself: its columns with their names as they are stored, and their types. */
import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import { type DuckDB, quoteName, quoteText } from '../duckdb.ts'
import type { HeaderField } from '../header.ts'

export interface ParquetColumn {
  /** As it is stored: two columns may have one name. */
  readonly name: string
  /** SQL that reads it. */
  readonly expression: string
  readonly type: DuckDBType
  /** Its values are JSON texts. */
  readonly isJson: boolean
}

/** Throws DuckDB's own error where the file cannot be read. */
export async function parquetColumns(connection: DuckDBConnection, path: string): Promise<readonly ParquetColumn[]> {
  const source = `read_parquet(${quoteText(path)})`
  const described = (await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`)).getRowObjects()
  const stored = await storedNames(connection, path)
  const columns = described.map((row, index) => {
    const known = String(row.column_name)
    const type = String(row.column_type)
    // A type does not say which texts inside it are JSON: DuckDB then writes the whole of it.
    const hasJson = type !== 'JSON' && /\bJSON\b/.test(type)
    const expression = hasJson ? `to_json(${quoteName(known)})` : quoteName(known)
    return { name: stored[index] ?? known, expression, isJson: hasJson || type === 'JSON' }
  })
  const selected = columns.map(({ expression }) => expression).join(', ')
  const types = (await connection.run(`SELECT ${selected} FROM ${source} LIMIT 0`)).columnTypes()
  return columns.map((column, index) => ({ ...column, type: types[index]! }))
}

/** DuckDB gives a second column of a name another one. */
async function storedNames(connection: DuckDBConnection, path: string): Promise<readonly string[]> {
  const reader = await connection.runAndReadAll(`SELECT name, num_children FROM parquet_schema(${quoteText(path)})`)
  const nodes = reader.getRowObjects().map(row => ({ name: String(row.name), children: Number(row.num_children ?? 0) }))
  const names: string[] = []
  let at = 1
  const skip = (): void => {
    for (let left = nodes[at++]?.children ?? 0; left > 0; left--) skip()
  }
  for (let left = nodes[0]?.children ?? 0; left > 0; left--) {
    names.push(nodes[at]!.name)
    skip()
  }
  return names
}

/** The columns as the fields of a header: those inside a struct by their dotted names. */
export function headerFields(duckdb: DuckDB, columns: readonly ParquetColumn[]): HeaderField[] {
  const { DuckDBTypeId: id } = duckdb
  const fieldsOf = (type: DuckDBType, name: string): HeaderField[] => {
    if (type.typeId === id.STRUCT) {
      const { entryNames, entryTypes } = type as DuckDBType & {
        readonly entryNames: readonly string[]
        readonly entryTypes: readonly DuckDBType[]
      }
      return entryNames.flatMap((entry, index) => fieldsOf(entryTypes[index]!, `${name}.${entry}`))
    }
    return [{ name, isOpen: type.typeId === id.MAP }]
  }
  return columns.flatMap(({ name, type, isJson }) => (isJson ? [{ name, isOpen: true }] : fieldsOf(type, name)))
}
