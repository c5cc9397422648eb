/** The rows of a Parquet file as NDJSON, read by DuckDB. */
import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api'
import { jsonLayout } from '../../engine/row-layout.ts'
import type { Column } from '../../plan/schema.ts'
import { type ErrorCode, MillraceError } from '../../system/errors.ts'
import { type DuckDB, duckdbMessage, loadDuckDB, quoteText, withScratch } from '../duckdb.ts'
import type { HeaderField } from '../header.ts'
import { type Anchor, lineTooLong, type Piece, type ResumePoint } from '../lines.ts'
import { type CellWriter, cellWriter, NotText } from './cells.ts'
import { headerFields, type ParquetColumn, parquetColumns } from './file.ts'

const OUTPUT_BYTES = 64 * 1024
/** Rows that DuckDB reads at once. */
const VECTOR_ROWS = 2048
/** Each costs queries of its own. */
const UNREADABLE_ROWS_MAX = 1000
/** What DuckDB says of a value, not of the file. */
const ABOUT_A_VALUE = /^(Invalid Input Error: Invalid string encoding|Conversion Error|Out of Range Error)/

export interface ParquetOptions {
  readonly columns: readonly Column[]
  readonly binary: 'text' | 'base64'
  /** The longest row as JSON, in bytes. */
  readonly limit: number
  /** Takes what somebody should know and no row shows. */
  readonly onWarning: (warning: MillraceError) => void
}

/**
 * The rows from a point on. A row with a value that cannot be converted is a damaged piece of its own; so is the rest of a
 * file that is damaged or cut off, as one piece. Throws FILE_UNREADABLE when there is not enough memory for its rows.
 */
export async function* parquetPieces(
  path: string,
  from: ResumePoint | null,
  options: ParquetOptions,
): AsyncGenerator<Piece, void, undefined> {
  if (from?.position === Number.POSITIVE_INFINITY) return
  const duckdb = await loadDuckDB()
  const instance = await duckdb.DuckDBInstance.create(':memory:', { threads: '1' })
  try {
    const connection = await instance.connect()
    try {
      const reader = new ParquetReader(duckdb, connection, path, from, options)
      yield* reader.pieces()
    } finally {
      connection.closeSync()
    }
  } finally {
    instance.closeSync()
  }
}

/** The fields of a file's header; null where it cannot be read: reading it says why. */
export async function parquetHeader(path: string): Promise<readonly HeaderField[] | null> {
  try {
    return headerFields(await loadDuckDB(), await withScratch(connection => parquetColumns(connection, path)))
  } catch {
    return null
  }
}

class ParquetReader {
  readonly #duckdb: DuckDB
  readonly #connection: DuckDBConnection
  readonly #path: string
  readonly #options: ParquetOptions
  #position: number
  #row: number
  #columns: readonly ParquetColumn[] = []
  #encode: ((chunk: DuckDBDataChunk) => (row: number) => string) | null = null
  /** Writes what a refused row holds, whatever it is. */
  #encodeAny: ((chunk: DuckDBDataChunk) => (row: number) => string) | null = null
  #unreadable = 0
  readonly #notFinite = new Map<string, number>()

  constructor(
    duckdb: DuckDB,
    connection: DuckDBConnection,
    path: string,
    from: ResumePoint | null,
    options: ParquetOptions,
  ) {
    this.#duckdb = duckdb
    this.#connection = connection
    this.#path = path
    this.#options = options
    this.#position = from?.position ?? 0
    this.#row = from?.lines ?? 0
  }

  async *pieces(): AsyncGenerator<Piece, void, undefined> {
    try {
      this.#columns = await parquetColumns(this.#connection, this.#path)
      this.#encode = this.#encoder(this.#options.binary)
      for (;;) {
        try {
          yield* this.#read(null)
          break
        } catch (error) {
          if (!ABOUT_A_VALUE.test(duckdbMessage(error)) || this.#unreadable >= UNREADABLE_ROWS_MAX) throw error
        }
        // Some row of the next ones cannot be read: look for it, then go on behind it as before.
        yield* this.#search(this.#row + VECTOR_ROWS)
      }
    } catch (error) {
      yield this.#ending(error)
    }
    this.#warn()
  }

  /** Gives the rows up to the end of the file or to a row (excluded). */
  async *#read(end: number | null): AsyncGenerator<Piece, void, undefined> {
    if (end !== null && end <= this.#row) return
    const from = this.#row
    const result = await this.#connection.stream(this.#query(from, end, this.#selected()))
    for (;;) {
      const chunk = await result.fetchChunk()
      if (chunk === null || chunk.rowCount === 0) break
      yield* this.#piecesOf(chunk)
    }
    // The binding tells an error between two chunks by this alone: the rows seem to end. Asked again, it comes at once.
    if (result.isStreaming) return
    if (this.#row === from) throw new Error('it cannot be read any further')
    yield* this.#read(end)
  }

  /** Gives the rows up to one of them, each that cannot be read as damage. */
  async *#search(end: number): AsyncGenerator<Piece, void, undefined> {
    try {
      yield* this.#read(end)
      return
    } catch (error) {
      if (!ABOUT_A_VALUE.test(duckdbMessage(error))) throw error
      if (end - this.#row <= 1) {
        if (++this.#unreadable > UNREADABLE_ROWS_MAX) throw error
        const bytes = await this.#whatCanBeRead(this.#row)
        yield this.#refused(`the row cannot be read: ${duckdbMessage(error)}`, bytes, codeOf(error))
        return
      }
    }
    yield* this.#search(this.#row + Math.floor((end - this.#row) / 2))
    yield* this.#search(end)
  }

  *#piecesOf(chunk: DuckDBDataChunk): Generator<Piece> {
    const encode = this.#encode!(chunk)
    const { limit } = this.#options
    let pending = ''
    let pendingBytes = 0
    let anchor = this.#anchor()
    const flush = (): Piece => {
      const piece: Piece = { kind: 'records', bytes: Buffer.from(pending), position: anchor.position, anchor }
      pending = ''
      pendingBytes = 0
      return piece
    }
    for (let row = 0; row < chunk.rowCount; row++) {
      let json: string | null = null
      let reason = ''
      try {
        json = encode(row)
      } catch (error) {
        if (!(error instanceof NotText)) throw error
        reason = error.message
      }
      const bytes = json === null ? 0 : Buffer.byteLength(json)
      if (json === null || bytes > limit) {
        if (pending !== '') yield flush()
        this.#encodeAny ??= this.#encoder('base64')
        const kept = Buffer.from(json ?? this.#encodeAny(chunk)(row))
        if (json === null) yield this.#refused(reason, kept, 'TEXT_NOT_UNICODE')
        else yield this.#refused(lineTooLong(bytes, limit), kept.subarray(0, OUTPUT_BYTES), 'SOURCE_DAMAGED', bytes)
        anchor = this.#anchor()
        continue
      }
      if (pendingBytes + bytes > Math.min(limit, OUTPUT_BYTES) && pending !== '') {
        yield flush()
        anchor = this.#anchor()
      }
      pending += json
      pendingBytes += bytes
      this.#position += bytes
      this.#row++
    }
    if (pending !== '') yield flush()
  }

  #encoder(binary: 'text' | 'base64'): (chunk: DuckDBDataChunk) => (row: number) => string {
    const columns = new Map(this.#options.columns.map(column => [column.name, column]))
    const onNotFinite = (path: string) => this.#notFinite.set(path, (this.#notFinite.get(path) ?? 0) + 1)
    const context = { duckdb: this.#duckdb, columns, binary, onNotFinite }
    const layout = jsonLayout(this.#columns.map(({ name }) => name))
    const cells = layout.cells.map(({ prefix, column }) => {
      const { name, type, isJson } = this.#columns[column]!
      return {
        prefix: Buffer.from(prefix).toString(),
        column,
        write: isJson ? oneLine : cellWriter(type, name, context),
      }
    })
    const suffix = Buffer.from(layout.suffix).toString()
    return chunk => {
      const read = cells.map(({ prefix, column, write }) => ({ prefix, write, vector: chunk.getColumnVector(column) }))
      return row => {
        let line = ''
        for (const { prefix, write, vector } of read) line += prefix + write(vector.getItem(row))
        return line + suffix
      }
    }
  }

  /** JSON of those cells of a row that can be read, null when none can. */
  async #whatCanBeRead(row: number): Promise<Buffer | null> {
    const cells: Record<string, unknown> = {}
    for (const { name, expression } of this.#columns) {
      try {
        const result = await this.#connection.runAndReadAll(this.#query(row, row + 1, expression))
        cells[name] = result.getRowsJson()[0]?.[0]
      } catch {
        // It is the one, or one of those, that the row is refused for.
      }
    }
    return Object.keys(cells).length === 0 ? null : Buffer.from(JSON.stringify(cells))
  }

  #query(from: number, end: number | null, selected: string): string {
    const file = quoteText(this.#path)
    if (from === 0 && end === null) return `SELECT ${selected} FROM read_parquet(${file})`
    const upTo = end === null ? '' : ` AND file_row_number < ${end}`
    return `SELECT ${selected} FROM read_parquet(${file}, file_row_number = true) WHERE file_row_number >= ${from}${upTo}`
  }

  #selected(): string {
    return this.#columns.map(({ expression }) => expression).join(', ')
  }

  #refused(reason: string, bytes: Buffer | null, code: ErrorCode, bytesTotal = bytes?.length ?? null): Piece {
    const anchor = this.#anchor()
    this.#row++
    return { kind: 'damaged', position: anchor.position, reason, bytes, bytesTotal, lines: 1, code, anchor }
  }

  #ending(error: unknown): Piece {
    if (error instanceof MillraceError) throw error
    const message = duckdbMessage(error)
    if (/^Out of Memory/i.test(message)) {
      throw new MillraceError('FILE_UNREADABLE', `${this.#path} needs more memory than there is: ${message}`, {
        cause: error,
        next: 'The file is not damaged. Write it with shorter rows, or read it where there is more memory.',
      })
    }
    const reason = ABOUT_A_VALUE.test(message)
      ? `more than ${UNREADABLE_ROWS_MAX} rows cannot be read; those from row ${this.#row + 1} on are left out (${message})`
      : `the Parquet file is damaged or cut off (${message})`
    const anchor = this.#anchor()
    return { kind: 'damaged', position: anchor.position, reason, bytes: null, bytesTotal: null, anchor }
  }

  #anchor(): Anchor {
    return { position: this.#position, lines: this.#row, place: this.#row }
  }

  #warn(): void {
    for (const [name, cells] of this.#notFinite) {
      const what = cells === 1 ? '1 value is' : `${cells} values are`
      this.#options.onWarning(
        new MillraceError(
          'RECORD_INVALID',
          `${this.#path}: ${what} NaN or infinite in ${name}, and null in the topic.`,
          {
            next: 'Nothing, unless a missing value means something else than one that is no number.',
          },
        ),
      )
    }
  }
}

function codeOf(error: unknown): ErrorCode {
  return /string encoding/.test(duckdbMessage(error)) ? 'TEXT_NOT_UNICODE' : 'RECORD_INVALID'
}

const oneLine: CellWriter = value => (value === null ? 'null' : String(value).replace(/[\r\n]/g, ' '))
