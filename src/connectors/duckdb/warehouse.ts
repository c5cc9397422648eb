/**
 * The embedded warehouse: one DuckDB file, opened once for all tables of a run.
 *
 * No other process can open the file meanwhile, not even to read. The write-ahead log is folded into the file after
 * tables are made or changed and when the warehouse is closed.
 */

import { dirname, join } from 'node:path'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { type DuckDB, duckdbMessage, loadDuckDB } from '../../formats/duckdb.ts'
import { MillraceError } from '../../system/errors.ts'
import { moveFile } from '../../system/file-names.ts'
import { closeFile, makeFolder, openForReading, readBytes, remove, replaceFile, statusOf } from '../../system/files.ts'
import type { Sink } from '../contract.ts'
import { confine } from './confine.ts'
import { createLedger } from './ledger.ts'
import { LiveQueries, type LiveQueryOptions } from './live-query.ts'
import type { RowStream } from './rows.ts'
import { copyWarehouse, refusePresent } from './snapshot.ts'
import { TableSink } from './table.ts'

export interface WarehouseOptions {
  /** The database file; made when missing, with its folder. */
  readonly path: string
  /** As DuckDB writes it. Default `512MB`. */
  readonly memoryLimit?: string
  /** Length of its log at which it is folded into the file: until then its rows are held in memory. Default DuckDB's, 16 MB. */
  readonly checkpointAt?: string
  /** Default 1: the stream has the other cores. */
  readonly threads?: number
}

export interface TableOptions {
  /** `TABLE` or `SCHEMA.TABLE`. */
  readonly table: string
  readonly mode: 'append' | 'upsert'
}

export interface Warehouse {
  readonly path: string
  /** Where its write-ahead log lies when opening found that damaged; what it held is not in the tables. Else null. */
  readonly logSetAside: string | null
  /** A sink for one table; its key for an upsert comes with the sink's context. */
  table(options: TableOptions): Sink
  /** One question that reads, beside what the sinks write: it sees what is committed. Throws QUERY_FAILED. */
  query(sql: string, options?: LiveQueryOptions): Promise<RowStream>
  /** Writes a copy of what is committed to a file that is not there yet. Throws FILE_UNWRITABLE. */
  snapshot(path: string): Promise<void>
  /** Folds the write-ahead log into the file and lets go of it; the sinks must be closed before. Open questions end. */
  close(): Promise<void>
}

/** What table sinks use of an open warehouse. */
export interface OpenWarehouse {
  readonly duckdb: DuckDB
  readonly path: string
  connect(): Promise<DuckDBConnection>
  /** One commit or change of tables at a time: transactions then never conflict in the ledger. */
  exclusively<T>(action: () => Promise<T>): Promise<T>
  /** Folds the log into the file; left for later while another transaction is open. */
  checkpoint(): Promise<void>
}

/** Opens the warehouse. Throws DATA_DIR_BUSY when another process has it, FILE_UNREADABLE when it is no database. */
export async function openWarehouse(options: WarehouseOptions): Promise<Warehouse> {
  const duckdb = await loadDuckDB()
  const { path } = options
  makeFolder(dirname(path))
  const { instance, logSetAside } = await openInstance(duckdb, options)
  const control = await instance.connect()
  try {
    await createLedger(control)
    await confine(control, copiesOf(path))
  } catch (error) {
    control.closeSync()
    instance.closeSync()
    throw openFailure(path, error)
  }
  let tail: Promise<unknown> = Promise.resolve()
  const open: OpenWarehouse = {
    duckdb,
    path,
    connect: () => instance.connect(),
    exclusively(action) {
      const result = tail.then(action, action)
      tail = result.catch(() => {})
      return result
    },
    async checkpoint() {
      try {
        await control.run('CHECKPOINT')
      } catch {
        // Another table's transaction is open; the file is folded at the next change or at close.
      }
    },
  }
  const queries = new LiveQueries(() => instance.connect())
  const copies = new Set<Promise<void>>()
  let closed = false
  return {
    path,
    logSetAside,
    table: tableOptions => new TableSink(open, tableOptions),
    query: (sql, queryOptions) => queries.ask(sql, queryOptions),
    snapshot(to) {
      const copying = copyBeside(instance, path, to)
      copies.add(copying)
      return copying.finally(() => copies.delete(copying))
    },
    async close() {
      if (closed) return
      closed = true
      await queries.close()
      await Promise.allSettled(copies)
      remove(copiesOf(path))
      await tail
      await open.checkpoint()
      control.closeSync()
      instance.closeSync()
    },
  }
}

/** The only place beside its file where the database can write: copies are made there and moved to where they belong. */
const copiesOf = (path: string) => `${path}.copies`

/** Copies under way at the same time need names of their own. */
let copiesMade = 0

async function copyBeside(instance: DuckDBInstance, path: string, to: string): Promise<void> {
  refusePresent(to)
  makeFolder(copiesOf(path))
  const copy = join(copiesOf(path), `${++copiesMade}.duckdb`)
  const connection = await instance.connect()
  try {
    await copyWarehouse(connection, copy)
    // It was long at work.
    refusePresent(to)
    moveFile(copy, to)
  } finally {
    connection.closeSync()
    remove(copy)
  }
}

async function openInstance(
  duckdb: DuckDB,
  options: WarehouseOptions,
): Promise<{ instance: DuckDBInstance; logSetAside: string | null }> {
  const { path } = options
  const config = {
    memory_limit: options.memoryLimit ?? '512MB',
    threads: String(options.threads ?? 1),
    ...(options.checkpointAt === undefined ? {} : { checkpoint_threshold: options.checkpointAt }),
    // Appended rows keep their order anyway with one thread; without this promise large commits need far less memory.
    preserve_insertion_order: 'false',
  }
  removeUnfinished(path)
  // Of a process that was killed while it made a copy.
  remove(copiesOf(path))
  try {
    return { instance: await duckdb.DuckDBInstance.create(path, config), logSetAside: null }
  } catch (error) {
    const failure = openFailure(path, error)
    const log = `${path}.wal`
    if (failure.code === 'DATA_DIR_BUSY' || !/\bWAL\b|replay/i.test(wordsOf(path, error)) || statusOf(log) === null) {
      throw failure
    }
    // A damaged log is set aside, not deleted: the ledger in the file then says which rows must be sent again.
    let number = 1
    while (statusOf(`${log}.damaged-${number}`) !== null) number++
    const logSetAside = `${log}.damaged-${number}`
    replaceFile(log, logSetAside)
    try {
      return { instance: await duckdb.DuckDBInstance.create(path, config), logSetAside }
    } catch {
      throw failure
    }
  }
}

/** A database without a table is as long as its three headers; a shorter file was cut off while it was made. */
const HEADER_BYTES = 3 * 4096
const MAGIC = { offset: 8, text: 'DUCK' }

/** Removes what a process left that was killed while it made the file: nothing was in it yet, and nobody can open it. */
function removeUnfinished(path: string): void {
  const status = statusOf(path)
  if (status?.kind !== 'file' || status.bytes >= HEADER_BYTES || statusOf(`${path}.wal`) !== null) return
  const head = Buffer.alloc(MAGIC.offset + MAGIC.text.length)
  const descriptor = openForReading(path)
  let length: number
  try {
    length = readBytes(descriptor, head, 0, head.length, 0)
  } finally {
    closeFile(descriptor)
  }
  if (length === 0 || head.toString('latin1', MAGIC.offset) === MAGIC.text) remove(path)
}

/** Whose fault it is that a database file cannot be opened. */
export function openFailure(path: string, error: unknown): MillraceError {
  const message = duckdbMessage(error)
  if (/could not set lock|conflicting lock|used by another process/i.test(wordsOf(path, error))) {
    // DuckDB names it where the system does.
    const who = /held in (.+?\(PID \d+\)(?: by user [^\s.]+)?)/.exec(message)?.[1] ?? 'another process'
    return new MillraceError('DATA_DIR_BUSY', `The warehouse ${path} is open in ${who}.`, {
      cause: error,
      next: `Close it there: DuckDB lets in one process, readers included. Keep other users out: chmod 600 ${path}`,
    })
  }
  const text = `Cannot open the warehouse ${path}: ${message}`
  // The machine's trouble, not the file's: it may pass.
  if (EXHAUSTED.test(wordsOf(path, error))) return new MillraceError('WAREHOUSE_FAILED', text, { cause: error })
  return new MillraceError('FILE_UNREADABLE', text, {
    cause: error,
    next: aside(path),
  })
}

/** What a sink failed with. A damaged file stays damaged, so there is no use in trying again. */
export function writeFailure(path: string, table: string, error: unknown): MillraceError {
  const message = `${table}: ${duckdbMessage(error)}`
  return DAMAGED.test(wordsOf(path, error))
    ? new MillraceError('FILE_UNREADABLE', message, { cause: error, next: aside(path) })
    : new MillraceError('WAREHOUSE_FAILED', message, { cause: error })
}

const EXHAUSTED = /too many open files|no space left|quota exceeded|cannot allocate memory|out of memory/i
const DAMAGED = /corrupt database file|could not read enough bytes/i

function aside(path: string): string {
  return `Put back a copy of it. Without one, move ${path} and its .wal to another folder, and keep them: the next run makes the tables again from what the topics hold, and says so where they hold not all (SINK_BEHIND_LOG).`
}

/** The message without the path, which may hold any word. */
function wordsOf(path: string, error: unknown): string {
  return String((error as Error | null)?.message ?? error).replaceAll(path, '')
}
