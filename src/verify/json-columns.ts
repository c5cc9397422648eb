/** How DuckDB reads lines of JSON into the columns of a topic or stream: dotted names are paths into records. */

import type { Column, ColumnType } from '../plan/schema.ts'
import { literal, quoted } from './oracle/text.ts'

/** Times are read as text: their own digits count, and their form is checked. */
const READ_AS: Record<ColumnType, string> = {
  number: 'DOUBLE',
  int64: 'BIGINT',
  decimal: 'VARCHAR',
  text: 'VARCHAR',
  boolean: 'BOOLEAN',
  timestamp: 'VARCHAR',
  json: 'JSON',
}

interface Tree {
  readonly children: Map<string, Tree>
  type: string | null
}

/** `read_ndjson(...)` of the files with a type for each column of the message. */
export function readLines(paths: readonly string[], columns: readonly Column[]): string {
  const root: Tree = { children: new Map(), type: null }
  for (const column of columns) {
    let node = root
    for (const key of column.name.split('.')) {
      let child = node.children.get(key)
      if (child === undefined) {
        child = { children: new Map(), type: null }
        node.children.set(key, child)
      }
      node = child
    }
    node.type = READ_AS[column.type]
  }
  const fields = [...root.children].map(([key, child]) => `${quoted(key)}: ${literal(typeOf(child))}`)
  return `read_ndjson([${paths.map(literal).join(', ')}], columns = {${fields.join(', ')}}, maximum_object_size = 67108864)`
}

const typeOf = (tree: Tree): string =>
  tree.type ?? `STRUCT(${[...tree.children].map(([key, child]) => `${quoted(key)} ${typeOf(child)}`).join(', ')})`

/** A column of a row that `readLines` gives. */
export const cellOf = (column: Column) => column.name.split('.').map(quoted).join('.')
