/** The file source: each file is a partition; every format comes out as NDJSON. */

import { type Clock, systemClock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { statusOf, unreadable } from '../../system/files.ts'
import type {
  Chunk,
  Damage,
  Idle,
  PartitionEnd,
  ReachedIn,
  Source,
  SourceContext,
  SplittableSource,
} from '../contract.ts'
import { isPattern, pathsOf } from '../support/paths.ts'
import type { FileOptions } from './describe.ts'
import { formOf, holdsLines } from './format.ts'
import type { SharedBuffer } from './plain.ts'
import { checkFile, isPlain, type Partition, type PartitionReader, readerOf } from './readers.ts'

/** How often a file that is followed is looked at when nothing new is in it. */
const POLL_MS = 200

/**
 * Files that are open at the same time in a run with an end; the rest wait for their turn. Files that are followed are all
 * read at once: they never end.
 */
const PARTITIONS_AT_ONCE = 64

interface Active {
  readonly partition: Partition
  readonly reader: PartitionReader
}

export class FileSource implements SplittableSource {
  readonly #options: FileOptions
  readonly #clock: Clock
  #partitions: Partition[] = []
  #waiting: Partition[] = []
  #isSorted = false
  #active: Active[] = []
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

  async *heads(): ReturnType<NonNullable<Source['heads']>> {
    const context = this.#context!
    for (const partition of this.#partitions) {
      if (context.from.has(partition.path)) continue
      const reader = this.#reader(partition, context)
      for (
        let event = await reader.next();
        event.kind !== 'end' && event.kind !== 'idle';
        event = await reader.next()
      ) {
        if (event.kind !== 'records' || event.bytes.length === 0) continue
        yield { partition: partition.number, bytes: event.bytes }
        break
      }
      await reader.close()
    }
  }

  async read(reachedIn: ReachedIn | null = null): Promise<Chunk | Damage | Idle | PartitionEnd | null> {
    const context = this.#context
    if (context === null) throw new MillraceError('INTERNAL', 'The file source was read before it was opened.')
    while (!this.#closed && !context.signal.aborted) {
      this.#begin(context, reachedIn)
      if (this.#active.length === 0) return null
      this.#turn %= this.#active.length
      const behind = this.#furthestBehind(reachedIn)
      if (
        behind !== null &&
        reachedIn!(behind.partition.number) < reachedIn!(this.#active[this.#turn]!.partition.number)
      ) {
        this.#turn = this.#active.indexOf(behind)
      }
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

  /** Opens partitions: in order of their first event times, each when those that are open have come so far. */
  #begin({ untilEnd }: SourceContext, reachedIn: ReachedIn | null): void {
    if (!this.#isSorted && reachedIn !== null) {
      this.#waiting.sort((a, b) => reachedIn(a.number) - reachedIn(b.number) || a.number - b.number)
      this.#isSorted = true
    }
    const room = untilEnd ? PARTITIONS_AT_ONCE : this.#partitions.length
    for (let next = this.#waiting[0]; next !== undefined && this.#active.length < room; next = this.#waiting[0]) {
      const behind = this.#furthestBehind(reachedIn)
      if (behind !== null && reachedIn!(behind.partition.number) < reachedIn!(next.number)) return
      this.#waiting.shift()
      this.#active.push({ partition: next, reader: this.#reader(next, this.#context!) })
    }
  }

  #furthestBehind(reachedIn: ReachedIn | null): Active | null {
    if (reachedIn === null) return null
    let found: Active | null = null
    for (const active of this.#active) {
      if (found === null || reachedIn(active.partition.number) < reachedIn(found.partition.number)) found = active
    }
    return found
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
