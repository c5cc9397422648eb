/** The file sink: NDJSON or CSV rows in a file that grows by whole commits. */
import { dirname, resolve } from 'node:path'
import type { Batch } from '../../engine/batch.ts'
import { type RowWriter, type RowWriterOptions, rowWriter } from '../../engine/rows-json.ts'
import { MillraceError } from '../../system/errors.ts'
import {
  closeFile,
  makeFolder,
  openForWriting,
  readText,
  replaceText,
  statusOf,
  statusOfOpen,
  syncFile,
  truncateFile,
  writeBytes,
} from '../../system/files.ts'
import { withUserMask } from '../../system/process.ts'
import type { Sink, SinkContext } from '../contract.ts'
import { isWithin } from '../support/paths.ts'
import { CSV_OPTIONS, type FileOptions } from './describe.ts'
import { formOf } from './format.ts'

const BUFFER_BYTES = 256 * 1024

/** What the file `<path>.position.json` holds: how much of the file beside it counts. */
interface Position {
  readonly consumer: string
  readonly incarnation: string
  readonly rows: number
  readonly bytes: number
  readonly columns: readonly string[]
}

/** Throws OPTION_INVALID for a form that can be read but not written. */
export async function fileSink(options: FileOptions): Promise<Sink> {
  const form = formOf(options.path, options)
  if (form.compression !== 'none') {
    throw new MillraceError('OPTION_INVALID', `file(...): cannot write ${options.path} compressed.`, {
      next: 'Write .ndjson or .csv, or .parquet, which is compressed inside.',
    })
  }
  const unused = CSV_OPTIONS.find(name => options[name] !== undefined)
  if (unused !== undefined) {
    throw new MillraceError('OPTION_INVALID', `file(...): ${unused} is for reading; ${options.path} is written.`, {
      next: 'Leave it out: CSV is written with commas, a header, a decimal point and in UTF-8.',
    })
  }
  switch (form.format) {
    case 'json':
      throw new MillraceError('OPTION_INVALID', `file(...): cannot write a JSON array to ${options.path}.`, {
        next: "Write lines: a name that ends in .ndjson, or format: 'ndjson'.",
      })
    case 'parquet': {
      const { ParquetSink } = await import('./parquet-sink.ts')
      return new ParquetSink(options.path)
    }
    case 'ndjson':
    case 'csv':
      return new RowFileSink(options.path, { format: form.format, timestamps: options.timestamps ?? 'iso' })
  }
}

/** Rows in a file, with the position in a file beside it. */
export class RowFileSink implements Sink {
  readonly guarantee =
    'Exactly once: after a crash the file is cut to its last commit, whose length and row count are kept beside it.'
  readonly #name: string
  readonly #options: RowWriterOptions
  #path = ''
  #context: SinkContext | null = null
  #rows: RowWriter | null = null
  #descriptor = -1
  #buffer = Buffer.allocUnsafe(0)
  #buffered = 0
  #written = 0

  constructor(name: string, options: RowWriterOptions) {
    this.#name = name
    this.#options = options
  }

  /** The file itself, known once it is open. */
  get path(): string {
    return this.#path
  }

  async open(context: SinkContext): Promise<number> {
    this.#context = context
    this.#path = resolve(context.dataDirectory, this.#name)
    this.#rows = rowWriter(context.columns, this.#options)
    const held = this.#heldPosition(context)
    // The position is written before the file is made: a file without one is somebody else's and is left alone.
    if (held === null) {
      if ((statusOf(this.#path)?.bytes ?? 0) > 0) {
        throw new MillraceError('FILE_UNWRITABLE', `${this.#path} exists and was not written by this pipeline.`, {
          next: 'Move it away, or give the sink another path.',
        })
      }
      this.#asUserWants(() => makeFolder(dirname(this.#path)))
      this.#savePosition(0, 0)
    }
    this.#descriptor = this.#asUserWants(() => openForWriting(this.#path))
    const bytes = statusOfOpen(this.#descriptor).bytes
    const kept = held?.bytes ?? 0
    if (bytes < kept) {
      closeFile(this.#descriptor)
      this.#descriptor = -1
      throw new MillraceError(
        'DATA_DIR_MISMATCH',
        `${this.#path} has ${bytes} bytes, but ${kept} were committed: somebody else has cut or removed it.`,
        {
          next: 'Put the file back as it was. Without a copy, give the sink another path: it gets what is still held.',
        },
      )
    }
    if (bytes > kept) truncateFile(this.#descriptor, kept, this.#path)
    this.#written = kept
    this.#buffered = 0
    if (this.#buffer.length === 0) this.#buffer = Buffer.allocUnsafe(BUFFER_BYTES)
    if (kept === 0) {
      this.#put(this.#rows.header)
      // A file of no rows has its header.
      this.#drain()
    }
    return held?.rows ?? 0
  }

  async write(batch: Batch): Promise<void> {
    if (batch.length > 0) this.#put(this.#rows!.write(batch))
  }

  /** Makes all rows so far safe, committed or not. */
  sync(): void {
    this.#drain()
    syncFile(this.#descriptor, this.#path)
  }

  async commit(position: number): Promise<void> {
    this.sync()
    this.#savePosition(position, this.#written)
  }

  async close(): Promise<void> {
    if (this.#descriptor < 0) return
    closeFile(this.#descriptor)
    this.#descriptor = -1
    this.#buffered = 0
  }

  /** Outside of the data directory files are the user's own, and have the rights that they want. */
  #asUserWants<T>(action: () => T): T {
    return isWithin(this.#context!.dataDirectory, this.#path) ? action() : withUserMask(action)
  }

  #put(bytes: Uint8Array): void {
    if (this.#buffered + bytes.length > BUFFER_BYTES) this.#drain()
    if (bytes.length > BUFFER_BYTES) {
      writeBytes(this.#descriptor, bytes, this.#written, this.#path)
      this.#written += bytes.length
    } else {
      this.#buffer.set(bytes, this.#buffered)
      this.#buffered += bytes.length
    }
  }

  #drain(): void {
    if (this.#buffered === 0) return
    writeBytes(this.#descriptor, this.#buffer.subarray(0, this.#buffered), this.#written, this.#path)
    this.#written += this.#buffered
    this.#buffered = 0
  }

  #savePosition(rows: number, bytes: number): void {
    const { consumer, incarnation, columns } = this.#context!
    const position: Position = { consumer, incarnation, rows, bytes, columns: columns.map(column => column.name) }
    replaceText(`${this.#path}.position.json`, `${JSON.stringify(position)}\n`)
  }

  #heldPosition(context: SinkContext): Position | null {
    const text = readText(`${this.#path}.position.json`)
    if (text === null) return null
    let held: Position
    try {
      held = JSON.parse(text) as Position
      if (!Number.isSafeInteger(held.rows) || !Number.isSafeInteger(held.bytes)) throw new Error('no numbers in it')
    } catch (cause) {
      throw new MillraceError('FILE_UNREADABLE', `${this.#path}.position.json is damaged.`, { cause })
    }
    const mismatch =
      held.consumer !== context.consumer
        ? `it belongs to ${held.consumer}, not to ${context.consumer}`
        : held.incarnation !== context.incarnation
          ? 'it holds rows that are not of this run: its steps or inputs were others, or it followed its inputs'
          : this.#options.format === 'csv' &&
              held.bytes > 0 &&
              held.columns.join() !== context.columns.map(column => column.name).join()
            ? `its columns are ${held.columns.join(', ')}`
            : null
    if (mismatch !== null) {
      throw new MillraceError('DATA_DIR_MISMATCH', `Cannot go on with ${this.#path}: ${mismatch}.`)
    }
    return held
  }
}
