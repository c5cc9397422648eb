/** Questions to a warehouse file that nobody else has open, and copies of it. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { statusOf, unreadable } from '../../system/files.ts'
import { loadDuckDB } from '../support/duckdb.ts'
import { openRows, type Row, type RowStream } from './rows.ts'
import { copyWarehouse } from './snapshot.ts'
import { openFailure } from './warehouse.ts'

export interface QueryResult {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** Cells that JSON can hold: see `jsonCell`. */
  readonly rows: readonly Row[]
}

/**
 * Runs SQL on the file with a connection of its own that cannot write; closing the rows closes the file.
 *
 * Throws QUERY_FAILED with the warehouse's own message, DATA_DIR_BUSY when a run has the file, FILE_UNREADABLE when there
 * is none.
 */
export async function queryFile(file: string, sql: string): Promise<RowStream> {
  const { connection, close } = await openReadOnly(file)
  return openRows(await loadDuckDB(), connection, sql, close)
}

/** The rows of a question at once, at most `limit` of them. Errors are those of `queryFile`. */
export async function query(file: string, sql: string, limit: number): Promise<QueryResult> {
  return collect(await queryFile(file, sql), limit)
}

/** Copies the file as it was committed last; errors are those of `copyWarehouse` and of opening it. */
export async function copyWarehouseFile(file: string, path: string): Promise<void> {
  const { connection, close } = await openReadOnly(file)
  try {
    await copyWarehouse(connection, path)
  } finally {
    close()
  }
}

async function openReadOnly(file: string): Promise<{ connection: DuckDBConnection; close: () => void }> {
  if (statusOf(file) === null) throw unreadable(file, { code: 'ENOENT' })
  const { DuckDBInstance } = await loadDuckDB()
  const config = { access_mode: 'READ_ONLY', memory_limit: '512MB', threads: '2' }
  const instance = await DuckDBInstance.create(file, config).catch(error => {
    throw openFailure(file, error)
  })
  const connection = await instance.connect()
  const close = () => {
    connection.closeSync()
    instance.closeSync()
  }
  return { connection, close }
}

/** Reads a stream to its end or up to `limit` rows, and closes it. */
async function collect(stream: RowStream, limit: number): Promise<QueryResult> {
  const rows: Row[] = []
  try {
    while (rows.length < limit) {
      const some = await stream.read()
      if (some === null) break
      for (const row of some) if (rows.length < limit) rows.push(row)
    }
  } finally {
    stream.close()
  }
  return { columns: stream.columns, rows }
}
