/** Keeps a database within its own file: what SQL asks of it reaches no other file, no network and no extension. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { quoteText } from '../../formats/duckdb.ts'

/**
 * Confines all connections of an instance, for good: its settings are locked too. Its own file, the log of it and what it
 * spills are not concerned. Times are shown in UTC.
 *
 * `folder`: files in it can be attached all the same; null: none.
 */
export async function confine(connection: DuckDBConnection, folder: string | null): Promise<void> {
  await connection.run("SET GLOBAL TimeZone = 'UTC'")
  if (folder !== null) await connection.run(`SET GLOBAL allowed_directories = [${quoteText(folder)}]`)
  await connection.run('SET GLOBAL autoinstall_known_extensions = false')
  await connection.run('SET GLOBAL autoload_known_extensions = false')
  await connection.run('SET GLOBAL enable_external_access = false')
  await connection.run('SET GLOBAL lock_configuration = true')
}
