/** The file source: each file is a partition; every format comes out as NDJSON. */

import { bytesOf } from '../../formats/bytes.ts'
import { type Damaged, type Piece, piecesFrom, wholeLines } from '../../formats/lines.ts'
import type { Column } from '../../plan/schema.ts'
import { type Clock, systemClock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { type FileStatus, statusOf, unreadable } from '../../system/files.ts'
import type { Chunk, Damage, Idle, PartitionEnd, SourceContext, SplittableSource } from '../contract.ts'
import { pathsOf } from '../support/paths.ts'
import type { FileOptions } from './describe.ts'
import { type FileForm, formOf, holdsLines } from './format.ts'
import { PlainReader, type SharedBuffer } from './plain.ts'

/** What one partition says next. */
export type PartitionEvent =
  | { readonly kind: 'records'; readonly bytes: Uint8Array; readonly position: number; readonly arrival: number | null }
  | Omit<Damage, 'partition'>
  | Idle
  | { readonly kind: 'end' }

export interface PartitionReader {
  next(): Promise<PartitionEvent>
  close(): void | Promise<void>
}

/** How often a file that is followed is looked at when nothing new is in it. */
const POLL_MS = 200

/**
 * Partitions that are read at the same time. Their chunks are taken in turn, one of each, so that none lags much behind
 * the others and windows close early; more than this many files would need as many open descriptors and unpackers, so
 * the rest wait for their turn in the order of their names. Files that are followed are all read at once: they never end.
 */
const PARTITIONS_AT_ONCE = 64

interface Partition {
  readonly number: number
  readonly path: string
  readonly form: FileForm
  readonly status: FileStatus
}

export class FileSource implements SplittableSource {
  readonly #options: FileOptions
  readonly #clock: Clock
  #partitions: Partition[] = []
  #waiting: Partition[] = []
  #active: { readonly partition: Partition; readonly reader: PartitionReader }[] = []
  #turn = 0
  #idleInARow = 0
  #context: SourceContext | null = null
  #shared: SharedBuffer | null = null
  #closed = false

  constructor(options: FileOptions, clock: Clock = systemClock) {
    this.#options = options
    this.#clock = clock
  }

  async open(context: SourceContext): Promise<readonly { readonly name: string; readonly bytes: number | null }[]> {
    this.#context = context
    this.#partitions = filesOf(this.#options.path).map((path, number) => {
      const status = statusOf(path)
      if (status === null) throw unreadable(path, { code: 'ENOENT' })
      const form = formOf(path, this.#options)
      const lines =
        form.format === 'json' &&
        this.#options.format === undefined &&
        form.compression === 'none' &&
        status.kind === 'file' &&
        holdsLines(path)
      return { number, path, form: lines ? { ...form, format: 'ndjson' as const } : form, status }
    })
    this.#waiting = [...this.#partitions]
    return this.#partitions.map(partition => ({
      name: partition.path,
      bytes: isPlain(partition) ? partition.status.bytes : null,
    }))
  }

  plainFiles(): ReturnType<SplittableSource['plainFiles']> {
    if (!this.#partitions.every(isPlain)) return null
    return this.#partitions.map(({ path, status }) => {
      const start = this.#context?.from.get(path)
      return { path, bytes: status.bytes, ...(start === undefined ? {} : { start }) }
    })
  }

  async read(): Promise<Chunk | Damage | Idle | PartitionEnd | null> {
    const context = this.#context
    if (context === null) throw new MillraceError('INTERNAL', 'The file source was read before it was opened.')
    while (!this.#closed && !context.signal.aborted) {
      const atOnce = context.oneByOne ? 1 : PARTITIONS_AT_ONCE
      const room = context.untilEnd ? atOnce : this.#partitions.length
      while (this.#active.length < room && this.#waiting.length > 0) {
        const partition = this.#waiting.shift()!
        this.#active.push({ partition, reader: this.#reader(partition, context) })
      }
      if (this.#active.length === 0) return null
      this.#turn %= this.#active.length
      const { partition, reader } = this.#active[this.#turn]!
      const event = await reader.next()
      switch (event.kind) {
        case 'records':
          this.#turn++
          this.#idleInARow = 0
          // An empty piece says only that its reader must look again.
          if (event.bytes.length === 0) continue
          return { ...event, partition: partition.number }
        case 'damaged':
          this.#turn++
          this.#idleInARow = 0
          return { ...event, partition: partition.number }
        case 'end':
          this.#active.splice(this.#turn, 1)
          await reader.close()
          return { kind: 'end', partition: partition.number }
        case 'idle':
          this.#turn++
          if (++this.#idleInARow < this.#active.length) continue
          this.#idleInARow = 0
          await this.#clock.sleep(POLL_MS, context.signal)
          return { kind: 'idle' }
      }
    }
    return null
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { reader } of this.#active.splice(0)) await reader.close()
    this.#waiting = []
  }

  #reader(partition: Partition, context: SourceContext): PartitionReader {
    const from = context.from.get(partition.path) ?? 0
    if (isPlain(partition)) {
      this.#shared ??= { bytes: Buffer.allocUnsafe(context.maximumChunkBytes) }
      return new PlainReader(partition.path, this.#shared, !context.untilEnd, this.#clock, from)
    }
    const lines = translated(partition, context.columns, context.maximumChunkBytes)
    return new StreamReader(piecesFrom(wholeLines(lines, context.maximumChunkBytes), from))
  }
}

/** A partition that is unpacked or translated on the way; it is not followed: what it holds at the start is all. */
class StreamReader implements PartitionReader {
  readonly #pieces: AsyncGenerator<Piece, void, undefined>

  constructor(pieces: AsyncGenerator<Piece, void, undefined>) {
    this.#pieces = pieces
  }

  async next(): Promise<PartitionEvent> {
    const { value } = await this.#pieces.next()
    if (value === undefined) return { kind: 'end' }
    return value.kind === 'records' ? { ...value, arrival: null } : value
  }

  async close(): Promise<void> {
    await this.#pieces.return()
  }
}

function isPlain(partition: Partition): boolean {
  return partition.form.format === 'ndjson' && partition.form.compression === 'none' && partition.status.kind === 'file'
}

/** The file's records as NDJSON bytes. */
async function* translated(
  { path, form }: Partition,
  columns: readonly Column[],
  limit: number,
): AsyncGenerator<Uint8Array | Damaged, void, undefined> {
  switch (form.format) {
    case 'ndjson':
      yield* bytesOf(path, form.compression)
      return
    case 'json': {
      const { elementsAsLines } = await import('../../formats/json-array.ts')
      yield* elementsAsLines(bytesOf(path, form.compression))
      return
    }
    case 'csv': {
      const { csvAsLines } = await import('../../formats/csv.ts')
      yield* csvAsLines(bytesOf(path, form.compression), { delimiter: form.delimiter, columns, limit })
      return
    }
    case 'parquet': {
      const { parquetAsLines } = await import('./parquet.ts')
      yield* parquetAsLines(path, columns)
      return
    }
  }
}

function filesOf(path: string): string[] {
  if (statusOf(path)?.kind === 'folder') {
    throw new MillraceError('FILE_UNREADABLE', `${path} is a folder.`, {
      next: `Give a pattern for the files in it, such as '${path.replace(/\/+$/, '')}/*.ndjson'.`,
    })
  }
  return pathsOf(path)
}
