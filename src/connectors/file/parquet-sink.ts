/** The Parquet sink: rows are staged as lines beside the file, and each commit makes the file of all of them. */
import { resolve } from 'node:path'
import type { Batch } from '../../engine/batch.ts'
import { duckdbMessage } from '../../formats/duckdb.ts'
import { writeParquet } from '../../formats/parquet/write.ts'
import { MillraceError } from '../../system/errors.ts'
import {
  closeFile,
  openForWriting,
  remove,
  replaceFile,
  replaceText,
  shareAsUserWants,
  statusOf,
  syncFile,
} from '../../system/files.ts'
import type { Sink, SinkContext } from '../contract.ts'
import { isWithin } from '../support/paths.ts'
import { RowFileSink } from './sink.ts'

/**
 * A Parquet file cannot grow, so it is replaced by a whole new one in one step. What is committed is what is staged; a mark
 * beside the file says from before it is replaced until the commit is done that the two may differ, and the next `open`
 * makes the file again then.
 */
export class ParquetSink implements Sink {
  readonly guarantee =
    'Exactly once: each commit replaces the file by one of all committed rows, in one step; after a crash it is made again of the rows that are kept beside it.'
  readonly #name: string
  readonly #staging: RowFileSink
  #context: SinkContext | null = null
  #committed = 0
  #last: Promise<void> = Promise.resolve()

  constructor(name: string) {
    this.#name = name
    this.#staging = new RowFileSink(`${name}.rows.ndjson`, {
      format: 'ndjson',
      timestamps: 'us',
      nested: false,
      nonFinite: 'text',
      quoted: true,
    })
  }

  async open(context: SinkContext): Promise<number> {
    this.#context = context
    this.#committed = await this.#staging.open(context)
    if (statusOf(this.#path) === null || statusOf(this.#mark) !== null) {
      this.#staging.sync()
      await this.#make()
      remove(this.#mark)
    }
    return this.#committed
  }

  write(batch: Batch): Promise<void> {
    return this.#inTurn(() => this.#staging.write(batch))
  }

  commit(position: number): Promise<void> {
    return this.#inTurn(async () => {
      if (position !== this.#committed) {
        replaceText(this.#mark, '')
        this.#staging.sync()
        await this.#make()
      }
      await this.#staging.commit(position)
      this.#committed = position
      remove(this.#mark)
    })
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#staging.close())
  }

  /** A row that is staged while the file is made would be in it. */
  #inTurn(action: () => Promise<void>): Promise<void> {
    const result = this.#last.then(action, action)
    this.#last = result.catch(() => {})
    return result
  }

  get #path(): string {
    return resolve(this.#context!.dataDirectory, this.#name)
  }

  get #mark(): string {
    return `${this.#path}.stale`
  }

  async #make(): Promise<void> {
    const temporary = `${this.#path}.tmp`
    remove(temporary)
    try {
      await writeParquet(this.#staging.path, temporary, this.#context!.columns)
    } catch (cause) {
      throw new MillraceError('FILE_UNWRITABLE', `${this.#path} cannot be written: ${duckdbMessage(cause)}`, { cause })
    }
    if (!isWithin(this.#context!.dataDirectory, this.#path)) shareAsUserWants(temporary)
    // Nobody else has made it safe: after a loss of power the name must not stand for an empty file.
    const descriptor = openForWriting(temporary)
    try {
      syncFile(descriptor, temporary)
    } finally {
      closeFile(descriptor)
    }
    replaceFile(temporary, this.#path)
  }
}
