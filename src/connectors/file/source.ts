/** The file source: each file is a partition; every format comes out as NDJSON. */

import { type Clock, systemClock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { statusOf, unreadable } from '../../system/files.ts'
import type { Chunk, Damage, Idle, PartitionEnd, SourceContext, SplittableSource } from '../contract.ts'
import { isPattern, pathsOf } from '../support/paths.ts'
import type { FileOptions } from './describe.ts'
import { formOf, holdsLines } from './format.ts'
import type { SharedBuffer } from './plain.ts'
import { checkFile, isPlain, type Partition, type PartitionReader, readerOf } from './readers.ts'

/** How often a file that is followed is looked at when nothing new is in it. */
const POLL_MS = 200

/**
 * Partitions that are read at the same time. Their chunks are taken in turn, one of each, so that none lags much behind
 * the others and windows close early; more than this many files would need as many open descriptors and unpackers, so
 * the rest wait for their turn in the order of their names. Files that are followed are all read at once: they never end.
 */
const PARTITIONS_AT_ONCE = 64

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
    for (const partition of this.#partitions) await checkFile(partition, this.#options, context)
    this.#waiting = [...this.#partitions]
    return this.#partitions.map(partition => ({
      name: partition.path,
      bytes: isPlain(partition) ? partition.status.bytes : null,
    }))
  }

  get hasOnePartition(): boolean {
    return !isPattern(this.#options.path)
  }

  plainFiles(): ReturnType<SplittableSource['plainFiles']> {
    if (!this.#partitions.every(isPlain)) return null
    return this.#partitions.map(({ path, status }) => {
      const start = this.#context?.from.get(path)?.position
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
    this.#shared ??= { bytes: Buffer.allocUnsafe(context.maximumChunkBytes) }
    return readerOf(partition, this.#options, context, { shared: this.#shared, clock: this.#clock })
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
