/** The rows of one SELECT as they are read: at most one vector of them is in memory. */
import type { DuckDBConnection, DuckDBPreparedStatement } from '@duckdb/node-api'
import { MillraceError } from '../../system/errors.ts'
import { type DuckDB, duckdbMessage } from '../support/duckdb.ts'
import { jsonCell } from './cells.ts'

/** Cells that JSON can hold: see `jsonCell`. */
export type Row = Readonly<Record<string, unknown>>

/** Rows that wait to be read. Whoever holds one reads it to its end or closes it. */
export interface RowStream {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** The next rows, null at the end; never called twice at a time. Throws QUERY_FAILED, and the stream is closed then. */
  read(): Promise<readonly Row[] | null>
  /** Lets go of everything; more than once does no harm. Not while a `read` is under way. */
  close(): void
}

/**
 * Runs the SQL on a connection that is nobody else's; `close` is called once, when it is no longer needed, also when this
 * throws.
 *
 * Whatever the connection may do, nothing is written: the SQL must be one statement that reads, and it runs in a
 * transaction that cannot write (EXPLAIN ANALYZE of a DELETE is a statement that reads, and deletes).
 */
export async function openRows(
  duckdb: DuckDB,
  connection: DuckDBConnection,
  sql: string,
  close: () => void,
): Promise<RowStream> {
  let open = true
  const closeOnce = () => {
    if (open) close()
    open = false
  }
  try {
    await connection.run("SET TimeZone = 'UTC'")
    await connection.run('BEGIN TRANSACTION READ ONLY')
    const result = await (await reading(duckdb, connection, sql)).stream()
    const names = result.deduplicatedColumnNames()
    const types = result.columnTypes()
    return {
      columns: names.map((name, index) => ({ name, type: String(types[index]) })),
      async read() {
        if (!open) return null
        try {
          const chunk = await result.fetchChunk()
          if (chunk === null || chunk.rowCount === 0) {
            closeOnce()
            return null
          }
          const columns = names.map((_, index) => chunk.getColumnValues(index))
          return Array.from({ length: chunk.rowCount }, (_, row) =>
            Object.fromEntries(names.map((name, index) => [name, jsonCell(duckdb, columns[index]![row]!)])),
          )
        } catch (error) {
          closeOnce()
          throw failed(error)
        }
      },
      close: closeOnce,
    }
  } catch (error) {
    closeOnce()
    throw failed(error)
  }
}

/** The statement, prepared. Throws QUERY_FAILED when it is not a single one, or does more than read. */
async function reading(duckdb: DuckDB, connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
  if (isEmpty(sql)) throw refused('The SQL is empty.')
  const statements = await connection.extractStatements(sql)
  const statement = await statements.prepare(0)
  const { SELECT, EXPLAIN } = duckdb.StatementType
  // A PIVOT that must look for its values first becomes two statements.
  if (statements.count > 1) {
    throw refused(
      /\bpivot\b/i.test(sql)
        ? 'PIVOT needs its values named here: PIVOT ... ON column IN (...).'
        : `One question at a time: these are ${statements.count} statements.`,
    )
  }
  const type = statement.statementType
  if (type !== SELECT && type !== EXPLAIN) {
    throw refused(
      `Only what reads can be asked here (SELECT, FROM, SHOW, DESCRIBE, EXPLAIN), not ${nameOf(duckdb, type)}.`,
    )
  }
  if (statement.parameterCount > 0) throw refused('The SQL has parameters ($1, ?): write the values in their place.')
  return statement
}

function nameOf(duckdb: DuckDB, type: number): string {
  return duckdb.StatementType[type] ?? 'this statement'
}

/** Nothing but blanks and comments: DuckDB's binding has no words for it. */
function isEmpty(sql: string): boolean {
  return (
    sql
      .replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, '')
      .replaceAll(';', '')
      .trim() === ''
  )
}

const refused = (message: string) =>
  new MillraceError('QUERY_FAILED', message, {
    next: "Ask one SELECT; 'millrace snapshot FILE' makes a copy in which everything is allowed.",
  })

function failed(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  return new MillraceError('QUERY_FAILED', duckdbMessage(error), { cause: error })
}
