/** A copy of a warehouse in a file of its own, which any DuckDB of the same version or a later one opens. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { duckdbMessage, quoteName, quoteText } from '../../formats/duckdb.ts'
import { MillraceError } from '../../system/errors.ts'
import { remove, statusOf } from '../../system/files.ts'

/** Copies that are made at the same time need names of their own. */
let copies = 0

/**
 * Writes all that is committed to a file that is not there yet, as one moment saw it; others write on meanwhile.
 *
 * Throws FILE_UNWRITABLE; nothing is left at `path` then.
 */
export async function copyWarehouse(connection: DuckDBConnection, path: string): Promise<void> {
  refusePresent(path)
  const copy = `millrace_copy_${++copies}`
  let isAttached = false
  try {
    const [row] = (await connection.runAndReadAll('SELECT current_database()')).getRows()
    await connection.run(`ATTACH ${quoteText(path)} AS ${copy} (READ_WRITE)`)
    isAttached = true
    await connection.run(`COPY FROM DATABASE ${quoteName(String(row![0]))} TO ${copy}`)
    await connection.run(`CHECKPOINT ${copy}`)
    await connection.run(`DETACH ${copy}`)
  } catch (error) {
    if (isAttached) await connection.run(`DETACH ${copy}`).catch(() => {})
    for (const each of [path, `${path}.wal`]) remove(each)
    throw new MillraceError('FILE_UNWRITABLE', `Cannot copy the warehouse to ${path}: ${duckdbMessage(error)}`, {
      cause: error,
    })
  }
}

/** Throws FILE_UNWRITABLE when there is something at the path. */
export function refusePresent(path: string): void {
  if (statusOf(path) !== null) throw new MillraceError('FILE_UNWRITABLE', `${path} is there already.`)
}
