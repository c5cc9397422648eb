/** One table of the warehouse as a sink: rows and position in one transaction. */
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api'
import type { Batch } from '../../engine/batch.ts'
import { quoteName } from '../../formats/duckdb.ts'
import type { Column } from '../../plan/schema.ts'
import { MillraceError } from '../../system/errors.ts'
import type { Sink, SinkContext } from '../contract.ts'
import { advanceLedger, readLedger } from './ledger.ts'
import { parseTableName, type TableName, warehouseColumns } from './names.ts'
import { type BatchAppender, batchAppender, duckdbType } from './vectors.ts'
import { type OpenWarehouse, type TableOptions, writeFailure } from './warehouse.ts'

const STAGE = 'millrace_stage'
const SEQUENCE = 'millrace_sequence'

export class TableSink implements Sink {
  readonly guarantee =
    'Exactly once: the rows and the position of their stream are committed in one transaction of the warehouse.'
  /** In this process, a call that takes minutes is at work: on a large log that is replayed, on many rows. */
  readonly deadlines_ms = { open: 1_800_000, write: 600_000, commit: 1_800_000, close: 60_000 }
  readonly #warehouse: OpenWarehouse
  readonly #name: TableName
  readonly #mode: TableOptions['mode']
  readonly #tableText: string
  #connection: DuckDBConnection | null = null
  #context: SinkContext | null = null
  #columns: readonly string[] = []
  /** The stream's columns in the types of the table. */
  #written: readonly Column[] = []
  /** For each column of the table the column of the batch, or null where the stream has none. */
  #layout: readonly (number | null)[] = []
  #position = 0
  #appender: DuckDBAppender | null = null
  #rows: BatchAppender | null = null
  #last: Promise<unknown> = Promise.resolve()
  #failure: unknown = null

  constructor(warehouse: OpenWarehouse, options: TableOptions) {
    this.#warehouse = warehouse
    this.#tableText = options.table
    this.#name = parseTableName(options.table)
    this.#mode = options.mode
  }

  open(context: SinkContext): Promise<number> {
    return this.#inOrder(async () => {
      await this.#release()
      this.#failure = null
      this.#context = context
      this.#columns = warehouseColumns(context.columns)
      if (this.#mode === 'upsert') this.#checkKey(context)
      const connection = await this.#warehouse.connect()
      this.#connection = connection
      return this.#guarded(() =>
        this.#warehouse.exclusively(async () => {
          // All that may be refused comes first: a table is altered only for a run that goes on.
          const missing = await this.#missing(connection, context)
          this.#position = await readLedger(connection, context.consumer, context.incarnation, this.#tableText)
          for (const statement of missing) await connection.run(statement)
          await this.#layOut(connection)
          const changed = missing.length > 0
          if (this.#mode === 'upsert') {
            await connection.run(
              `CREATE TEMP TABLE ${STAGE} AS SELECT *, 0::BIGINT AS ${SEQUENCE} FROM ${this.#name.sql} LIMIT 0`,
            )
          }
          if (changed) await this.#warehouse.checkpoint()
          return this.#position
        }),
      )
    })
  }

  write(batch: Batch): Promise<void> {
    return this.#inOrder(() =>
      this.#guarded(async () => {
        if (batch.length === 0) return
        if (this.#rows === null) await this.#begin()
        this.#rows!.append(batch)
      }),
    )
  }

  commit(position: number): Promise<void> {
    return this.#inOrder(() =>
      this.#guarded(async () => {
        const connection = this.#open()
        const { consumer, incarnation } = this.#context!
        if (this.#rows === null && position === this.#position) return
        await this.#warehouse.exclusively(async () => {
          const written = this.#rows !== null
          if (written) this.#appender!.closeSync()
          else await connection.run('BEGIN TRANSACTION')
          this.#appender = null
          this.#rows = null
          if (written && this.#mode === 'upsert') await this.#merge(connection)
          await advanceLedger(connection, consumer, incarnation, this.#position, position)
          await connection.run('COMMIT')
          this.#position = position
        })
      }),
    )
  }

  close(): Promise<void> {
    return this.#inOrder(() => this.#release())
  }

  /** One call after the other: a commit holds exactly what was written before it was called. */
  #inOrder<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action, action)
    this.#last = result.catch(() => {})
    return result
  }

  async #release(): Promise<void> {
    const connection = this.#connection
    if (connection === null) return
    this.#connection = null
    this.#abandon()
    try {
      await connection.run('ROLLBACK')
    } catch {
      // No transaction was open.
    }
    connection.closeSync()
  }

  async #begin(): Promise<void> {
    const connection = this.#open()
    await connection.run('BEGIN TRANSACTION')
    const upsert = this.#mode === 'upsert'
    this.#appender = upsert
      ? await connection.createAppender(STAGE, 'main', 'temp')
      : await connection.createAppender(this.#name.table, this.#name.schema)
    this.#rows = await batchAppender(
      this.#warehouse.duckdb,
      this.#appender,
      this.#written,
      upsert ? [...this.#layout, 'sequence'] : this.#layout,
    )
  }

  /** Replaces the rows with the staged keys; of several with one key the last one stands. */
  async #merge(connection: DuckDBConnection): Promise<void> {
    const { key, columns } = this.#context!
    const keys = key.map(name => {
      const index = columns.findIndex(column => column.name === name)
      return { sql: quoteName(this.#columns[index]!), nullable: columns[index]!.nullable }
    })
    const same = keys
      .map(({ sql, nullable }) => `t.${sql} ${nullable ? 'IS NOT DISTINCT FROM' : '='} s.${sql}`)
      .join(' AND ')
    const keyList = keys.map(({ sql }) => sql).join(', ')
    await connection.run(
      `DELETE FROM ${this.#name.sql} AS t USING (SELECT DISTINCT ${keyList} FROM temp.${STAGE}) AS s WHERE ${same}`,
    )
    await connection.run(
      `INSERT INTO ${this.#name.sql} SELECT * EXCLUDE (${SEQUENCE}) FROM temp.${STAGE}
       QUALIFY row_number() OVER (PARTITION BY ${keyList} ORDER BY ${SEQUENCE} DESC) = 1 ORDER BY ${SEQUENCE}`,
    )
    await connection.run(`TRUNCATE temp.${STAGE}`)
  }

  /** The statements that make the table, or the columns that it lacks. Throws WAREHOUSE_MISMATCH for a column of another type. */
  async #missing(connection: DuckDBConnection, context: SinkContext): Promise<readonly string[]> {
    const { schema, table, sql } = this.#name
    const held = await tableColumns(connection, schema, table)
    const definition = (index: number) => `${quoteName(this.#columns[index]!)} ${duckdbType(context.columns[index]!)}`
    if (held.length === 0) {
      const definitions = context.columns.map((_, index) => definition(index))
      return [`CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`, `CREATE TABLE ${sql} (${definitions.join(', ')})`]
    }
    const types = new Map(held.map(column => [column.name.toLowerCase(), column]))
    return context.columns.flatMap((column, index) => {
      const there = types.get(this.#columns[index]!.toLowerCase())
      if (there === undefined) return [`ALTER TABLE ${sql} ADD COLUMN ${definition(index)}`]
      if (accepts(there.type, column)) return []
      throw new MillraceError(
        'WAREHOUSE_MISMATCH',
        `${this.#tableText} has the column ${there.name} as ${there.type}; the stream's ${column.name} needs ${duckdbType(column)}.`,
      )
    })
  }

  async #layOut(connection: DuckDBConnection): Promise<void> {
    const held = await tableColumns(connection, this.#name.schema, this.#name.table)
    const positions = new Map(this.#columns.map((name, index) => [name.toLowerCase(), index]))
    this.#layout = held.map(column => positions.get(column.name.toLowerCase()) ?? null)
    const heldTypes = new Map(held.map(column => [column.name.toLowerCase(), column.type]))
    this.#written = this.#context!.columns.map((column, index) => {
      const isDouble = heldTypes.get(this.#columns[index]!.toLowerCase()) === 'DOUBLE'
      const { name, nullable } = column
      return isDouble && isOftenDouble(column) ? { name, type: 'number', nullable } : column
    })
  }

  #checkKey(context: SinkContext): void {
    if (context.key.length === 0) {
      throw new MillraceError('PIPELINE_INVALID', `${this.#tableText} is upserted without a key.`)
    }
    const known = context.columns.map(column => column.name)
    const unknown = context.key.find(name => !known.includes(name))
    if (unknown !== undefined) {
      throw new MillraceError(
        'COLUMN_UNKNOWN',
        `The key of ${this.#tableText} names ${unknown}; the columns are: ${known.join(', ')}.`,
      )
    }
  }

  #open(): DuckDBConnection {
    if (this.#failure !== null) throw this.#failure
    if (this.#connection === null) throw new MillraceError('INTERNAL', `${this.#tableText} is used before it is open.`)
    return this.#connection
  }

  #abandon(): void {
    try {
      this.#appender?.clear()
      this.#appender?.closeSync()
    } catch {
      // The transaction is given up with it.
    }
    this.#appender = null
    this.#rows = null
  }

  /** An error of DuckDB's as WAREHOUSE_FAILED; the transaction is given up, so nothing written since the commit counts. */
  async #guarded<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      await this.#release()
      this.#failure =
        error instanceof MillraceError ? error : writeFailure(this.#warehouse.path, this.#tableText, error)
      throw this.#failure
    }
  }
}

async function tableColumns(
  connection: DuckDBConnection,
  schema: string,
  table: string,
): Promise<{ name: string; type: string }[]> {
  const found = await connection.runAndReadAll(
    `SELECT column_name, data_type FROM duckdb_columns()
     WHERE database_name = current_database() AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2)
     ORDER BY column_index`,
    [schema, table],
  )
  return found.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }))
}

/** Whole numbers and sums of decimals were DOUBLE in tables of older versions; those stay as they are. */
const isOftenDouble = (column: Column) => column.integer === true || column.type === 'decimal'

function accepts(type: string, column: Column): boolean {
  if (type === 'DOUBLE' && isOftenDouble(column)) return true
  return type === duckdbType(column) || (column.type === 'json' && type === 'VARCHAR')
}
