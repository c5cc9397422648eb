/** Questions to a warehouse file that nobody else has open, and copies of it. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { loadDuckDB } from '../../formats/duckdb.ts'
import { statusOf, unreadable } from '../../system/files.ts'
import { confine } from './confine.ts'
import { openRows, type RowStream } from './rows.ts'
import { copyWarehouse } from './snapshot.ts'
import { openFailure } from './warehouse.ts'

/**
 * Runs SQL on the file with a connection of its own that cannot write; closing the rows closes the file.
 *
 * Throws QUERY_FAILED with the warehouse's own message, DATA_DIR_BUSY when a run has the file, FILE_UNREADABLE when there
 * is none.
 */
export async function queryFile(file: string, sql: string): Promise<RowStream> {
  const { connection, close } = await openReadOnly(file)
  try {
    await confine(connection, null)
  } catch (error) {
    close()
    throw openFailure(file, error)
  }
  return openRows(await loadDuckDB(), connection, sql, close)
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
