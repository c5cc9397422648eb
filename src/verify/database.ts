/** A DuckDB of its own for one verification: bounded memory, spilling beside the data it speaks of. */
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { openFailure } from '../connectors/duckdb/warehouse.ts'
import { loadDuckDB } from '../formats/duckdb.ts'
import { literal } from './oracle/text.ts'
import { settledJson } from './settled-json.ts'

export type Row = Record<string, unknown>

export interface Database {
  readonly connection: DuckDBConnection
  run(sql: string): Promise<void>
  rows(sql: string): Promise<Row[]>
  close(): void
}

/** SQL function of a text of JSON: the one form of its value (settled-json.ts). */
export const SETTLED_JSON = 'settled_json'

const MEMORY_LIMIT = '2GB'

/** Opens a database file in the folder, which must exist and is the caller's to remove. */
export async function openDatabase(folder: string): Promise<Database> {
  const { DuckDBInstance, DuckDBScalarFunction, VARCHAR } = await loadDuckDB()
  const instance: DuckDBInstance = await DuckDBInstance.create(`${folder}/verify.duckdb`, {
    memory_limit: MEMORY_LIMIT,
    temp_directory: `${folder}/spill`,
    preserve_insertion_order: 'true',
  })
  const connection = await instance.connect()
  await connection.run("SET TimeZone = 'UTC'")
  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name: SETTLED_JSON,
      parameterTypes: [VARCHAR],
      returnType: VARCHAR,
      mainFunction: (_info, chunk, output) => {
        for (const [row, cell] of (chunk.getColumnValues(0) as (string | null)[]).entries()) {
          output.setItem(row, cell === null ? null : settledJson(cell))
        }
        output.flush()
      },
    }),
  )
  return {
    connection,
    run: async sql => {
      await connection.run(sql)
    },
    rows: async sql => (await connection.runAndReadAll(sql)).getRowObjectsJS() as Row[],
    close: () => {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

/** Attaches another database file, read-only. Throws DATA_DIR_BUSY while another process has it. */
export async function attach(database: Database, path: string, name: string): Promise<void> {
  try {
    await database.run(`ATTACH ${literal(path)} AS ${name} (READ_ONLY)`)
  } catch (error) {
    throw openFailure(path, error)
  }
}
