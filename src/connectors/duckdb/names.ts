/** How tables and columns of a pipeline are named in the warehouse. */

import { quoteName } from '../../formats/duckdb.ts'
import type { Column } from '../../plan/schema.ts'
import { MillraceError } from '../../system/errors.ts'

export interface TableName {
  readonly schema: string
  readonly table: string
  /** Both names quoted, for SQL. */
  readonly sql: string
}

/** `SCHEMA.TABLE` or `TABLE` (in the schema `main`). Throws WAREHOUSE_MISMATCH for a name that is neither. */
export function parseTableName(name: string): TableName {
  const parts = name.split('.')
  if (parts.length > 2 || parts.some(part => part.trim() === '')) {
    throw new MillraceError('WAREHOUSE_MISMATCH', `${JSON.stringify(name)} is no name of a table here.`, {
      next: "Write 'TABLE' or 'SCHEMA.TABLE'.",
    })
  }
  const table = parts.at(-1)!
  const schema = parts.length === 2 ? parts[0]! : 'main'
  if (['millrace', 'information_schema', 'pg_catalog', 'temp'].includes(schema.toLowerCase())) {
    throw new MillraceError('WAREHOUSE_MISMATCH', `The schema ${schema} is reserved.`, { next: 'Use another schema.' })
  }
  return { schema, table, sql: `${quoteName(schema)}.${quoteName(table)}` }
}

/** `values.x` becomes `values_x`: a dot in a column's name would need quotes in every query. */
export function warehouseColumn(name: string): string {
  return name.replaceAll('.', '_')
}

/** The columns' names in the warehouse. Throws COLUMN_TAKEN when two become the same (case does not count there). */
export function warehouseColumns(columns: readonly Column[]): string[] {
  const taken = new Map<string, string>()
  return columns.map(column => {
    const name = warehouseColumn(column.name)
    const other = taken.get(name.toLowerCase())
    if (other !== undefined) {
      throw new MillraceError(
        'COLUMN_TAKEN',
        `The columns ${other} and ${column.name} would both be ${name} in the warehouse.`,
        { next: 'Rename one of them with .rename({ ... }) before it is delivered.' },
      )
    }
    taken.set(name.toLowerCase(), column.name)
    return name
  })
}
