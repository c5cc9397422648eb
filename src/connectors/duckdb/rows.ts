/** The rows of one SELECT as they are read: at most one vector of them is in memory. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { type DuckDB, duckdbMessage } from '../../formats/duckdb.ts'
import { MillraceError } from '../../system/errors.ts'
import { jsonCell } from './cells.ts'
import { REFUSED_NEXT, readingOf } from './reading.ts'

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
 * Runs the SQL on a connection that is nobody else's, of an instance that is confined (confine.ts); `close` is called once,
 * when it is no longer needed, also when this throws.
 *
 * Nothing is written: the SQL must be one statement that reads (reading.ts), and it runs in a transaction that cannot write.
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
    const reading = await readingOf(connection, sql)
    await connection.run('BEGIN TRANSACTION READ ONLY')
    const result = await (await connection.prepare(reading)).stream()
    let count = 0
    const names = result.deduplicatedColumnNames()
    const types = result.columnTypes()
    return {
      columns: names.map((name, index) => ({ name, type: String(types[index]) })),
      async read() {
        if (!open) return null
        try {
          const chunk = await result.fetchChunk()
          if (chunk === null || chunk.rowCount === 0) {
            // The binding tells an error between two chunks by this alone: the rows seem to end.
            if (!result.isStreaming) throw brokenOff(count)
            closeOnce()
            return null
          }
          count += chunk.rowCount
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

function brokenOff(count: number): MillraceError {
  return new MillraceError('QUERY_FAILED', `It failed after ${count} rows: these are not the whole answer.`, {
    next: 'Look for a value that cannot be converted (try_cast gives null for it), or ask for less at once.',
  })
}

function failed(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  const message = duckdbMessage(error)
  const isConfined = message.startsWith('Permission Error')
  return new MillraceError('QUERY_FAILED', message, { cause: error, ...(isConfined ? { next: REFUSED_NEXT } : {}) })
}
