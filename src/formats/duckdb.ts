/** Small helpers around DuckDB that several connectors share; the module itself is loaded when it is first needed. */
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'

export type DuckDB = typeof import('@duckdb/node-api')

/** The binding. Texts come as they are stored: its own decoder takes U+FEFF at the beginning of a cell for a mark. */
export async function loadDuckDB(): Promise<DuckDB> {
  const [duckdb, accessors] = await Promise.all([
    import('@duckdb/node-api'),
    import('@duckdb/node-api/lib/vectors/dataAccessors.js'),
  ])
  const { default: module } = accessors as unknown as { default: { textDecoder: InstanceType<typeof TextDecoder> } }
  if (!module.textDecoder.ignoreBOM) module.textDecoder = new TextDecoder('utf-8', { ignoreBOM: true })
  return duckdb
}

/** An identifier in double quotes. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text literal in single quotes. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** Runs `use` with a connection to a DuckDB of its own in memory, one thread, and closes it. */
export async function withScratch<T>(use: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const { DuckDBInstance } = await loadDuckDB()
  const instance: DuckDBInstance = await DuckDBInstance.create(':memory:', { threads: '1' })
  try {
    const connection = await instance.connect()
    try {
      return await use(connection)
    } finally {
      connection.closeSync()
    }
  } finally {
    instance.closeSync()
  }
}

/** DuckDB's own words, without its stack or the SQL that it repeats. */
export function duckdbMessage(error: unknown): string {
  const message = String((error as Error | null)?.message ?? error)
  return message.split(/\n\s*\n|\nLINE /, 1)[0]!.trim()
}
