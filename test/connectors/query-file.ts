/** The rows that a question to a warehouse file gives, at once. */
import { queryFile } from '../../src/connectors/duckdb/query.ts'
import type { Row, RowStream } from '../../src/connectors/duckdb/rows.ts'

/** At most `limit` rows; what is left of them is not read. Errors are those of `queryFile`. */
export async function query(
  file: string,
  sql: string,
  limit: number,
): Promise<{ columns: RowStream['columns']; rows: Row[] }> {
  const stream = await queryFile(file, sql)
  const rows: Row[] = []
  try {
    while (rows.length < limit) {
      const some = await stream.read()
      if (some === null) break
      rows.push(...some.slice(0, limit - rows.length))
    }
  } finally {
    stream.close()
  }
  return { columns: stream.columns, rows }
}
