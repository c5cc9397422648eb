/** The file source: each file is a partition; every format comes out as NDJSON. */

import type { ResumePoint } from '../../formats/lines.ts'
import { type Clock, systemClock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { type FileStatus, filesMatching, statusOf, unreadable } from '../../system/files.ts'
import type {
  Chunk,
  Damage,
  Idle,
  PartitionEnd,
  PartitionInfo,
  PartitionStart,
  ReachedIn,
  Source,
  SourceContext,
  SplittableSource,
} from '../contract.ts'
import { isPattern, pathsOf } from '../support/paths.ts'
import type { FileOptions } from './describe.ts'
import { fingerprintOf, NO_BYTES } from './fingerprint.ts'
import { type FileForm, formOf, holdsLines } from './format.ts'
import { endOfReplaced, goingOn, infoOf, latestOf, nextName, replacement } from './generations.ts'
import type { SharedBuffer } from './plain.ts'
import { checkFile, isPlain, type Partition, type PartitionReader, readerOf } from './readers.ts'
import { goneFiles, renamedWarning } from './renamed.ts'

/** How often new files of a pattern are looked for. */
const LOOK_EVERY_MS = 1000

/** How often a file that is followed is looked at when nothing new is in it. */
const POLL_MS = 200

/**
 * Files that are open at the same time in a run with an end; the rest wait for their turn. Files that are followed are all
 * read at once: they never end.
 */
const PARTITIONS_AT_ONCE = 64

type FileEvent = Chunk | Damage | Idle | PartitionStart | PartitionEnd

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
  /** What is to be said before anything else is read. */
  readonly #queue: FileEvent[] = []
  /** Paths whose file is gone, and the name of the partition that it will be when it comes back. */
  readonly #gone = new Map<string, string>()
  /** Files that were seen once, and how long they were. */
  readonly #growing = new Map<string, number>()
  #lookedAt_ms = Number.NEGATIVE_INFINITY

  constructor(options: FileOptions, clock: Clock = systemClock) {
    this.#options = options
    this.#clock = clock
  }

  async open(context: SourceContext): Promise<readonly PartitionInfo[]> {
    this.#context = context
    const gone = goneFiles(context.from)
    for (const path of filesOf(this.#options.path, context)) {
      const { name, point } = latestOf(path, context.from)
      const status = statusOf(path)
      if (status === null) throw unreadable(path, { code: 'ENOENT' })
      const isLines = isPlain({ form: this.#formOf(path, status), status })
      const lost = point === null ? null : replacement(path, status, point, isLines)
      if (point === null) this.#warnOfRenamed(path, status, gone)
      if (lost === null) this.#add(path, name, status, point === null ? null : goingOn(status, point))
      else {
        // The old content stays a partition, which ends here; the new one follows it.
        const old = this.#add(path, name, status, { ...point!, position: Number.POSITIVE_INFINITY })
        const next = nextName(path, name)
        this.#queue.push(...endOfReplaced(old, lost, next))
        this.#add(path, next, status, null)
      }
    }
    await this.#checkAll(context)
    const ended = new Set(this.#queue.map(event => (event.kind === 'idle' ? -1 : event.partition)))
    this.#waiting = this.#partitions.filter(({ number }) => !ended.has(number))
    return this.#partitions.map(infoOf)
  }

  /**
   * A run that follows a pattern does not stop for one new file whose header does not fit: it is told of and left out. A
   * file that fitted before still throws (the schema is another one now), and so do files of which none fits.
   */
  async #checkAll(context: SourceContext): Promise<void> {
    const misfits: { readonly partition: Partition; readonly error: unknown }[] = []
    for (const partition of this.#partitions) {
      try {
        await checkFile(partition, this.#options, context)
      } catch (error) {
        if (context.untilEnd || partition.from !== null || !isMisfit(error)) throw error
        misfits.push({ partition, error })
      }
    }
    if (misfits.length > 0 && misfits.length === this.#partitions.length) throw misfits[0]!.error
    for (const { partition, error } of misfits) this.#leaveOut(partition, error as MillraceError)
  }

  /** Tells of a file whose header does not fit; it is read when it is corrected. */
  #leaveOut({ number }: Partition, { code, message: reason }: MillraceError): void {
    this.#queue.push({ kind: 'damaged', partition: number, position: 0, reason, code, bytes: null })
    this.#queue.push({ kind: 'end', partition: number })
  }

  #warnOfRenamed(path: string, { kind }: FileStatus, gone: ReadonlyMap<string, string>): void {
    const warning = kind === 'file' ? renamedWarning(path, gone) : null
    if (warning !== null) this.#context!.onWarning(warning)
  }

  #add(path: string, name: string, status: FileStatus, from: ResumePoint | null): Partition {
    const partition = {
      number: this.#partitions.length,
      name,
      path,
      from,
      fingerprint: status.kind === 'file' ? fingerprintOf(path) : NO_BYTES,
      form: this.#formOf(path, status),
      status,
    }
    this.#partitions.push(partition)
    return partition
  }

  #formOf(path: string, { kind }: FileStatus): FileForm {
    const form = formOf(path, this.#options)
    const mayBeLines = form.format === 'json' && this.#options.format === undefined && form.compression === 'none'
    return mayBeLines && kind === 'file' && holdsLines(path) ? { ...form, format: 'ndjson' } : form
  }

  get hasOnePartition(): boolean {
    return !isPattern(this.#options.path)
  }

  plainFiles(): ReturnType<SplittableSource['plainFiles']> {
    if (this.#queue.length > 0 || !this.#partitions.every(isPlain)) return null
    return this.#partitions.map(({ path, status, from }) => {
      const start = from?.position
      return { path, bytes: status.bytes, ...(start === undefined ? {} : { start }) }
    })
  }

  async *heads(): ReturnType<NonNullable<Source['heads']>> {
    const context = this.#context!
    for (const partition of this.#partitions) {
      if (partition.from !== null) continue
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

  async read(reachedIn: ReachedIn | null = null): Promise<FileEvent | null> {
    const context = this.#context
    if (context === null) throw new MillraceError('INTERNAL', 'The file source was read before it was opened.')
    while (!this.#closed && !context.signal.aborted) {
      if (this.#queue.length === 0) await this.#lookForNew(context)
      const queued = this.#queue.shift()
      if (queued !== undefined) return queued
      this.#begin(context, reachedIn)
      if (this.#active.length === 0) {
        if (!this.#awaitsNew) return null
        await this.#clock.sleep(POLL_MS, context.signal)
        return { kind: 'idle' }
      }
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
        case 'replaced':
          this.#active.splice(this.#turn, 1)
          await reader.close()
          await this.#startAgain(partition, event)
          continue
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

  /** Goes on with what a path holds now. */
  async #startAgain(old: Partition, { position, what }: { readonly position: number; readonly what: string }) {
    const next = nextName(old.path, old.name)
    this.#queue.push(...endOfReplaced(old, { position, what }, next))
    const status = statusOf(old.path)
    // It comes back as a file that is new, if it does.
    if (status === null) this.#gone.set(old.path, next)
    else await this.#assign(old.path, next, status)
  }

  /** Says that there is one more partition, or why its file cannot be one. */
  async #assign(path: string, name: string, status: FileStatus): Promise<void> {
    const partition = this.#add(path, name, status, null)
    this.#queue.push({ kind: 'assigned', partition: partition.number, info: infoOf(partition) })
    try {
      await checkFile(partition, this.#options, this.#context!)
      this.#waiting.push(partition)
    } catch (error) {
      if (!isMisfit(error)) throw error
      this.#leaveOut(partition, error)
    }
  }

  get #awaitsNew(): boolean {
    return this.#context!.untilEnd === false && (this.#gone.size > 0 || isPattern(this.#options.path))
  }

  /** Looks now and then for files that were made after the start. */
  async #lookForNew(context: SourceContext): Promise<void> {
    const now_ms = this.#clock.monotonic_ms()
    if (!this.#awaitsNew || now_ms - this.#lookedAt_ms < LOOK_EVERY_MS) return
    this.#lookedAt_ms = now_ms
    const known = new Set(this.#partitions.map(({ path }) => path))
    const found = isPattern(this.#options.path) ? filesMatching(this.#options.path) : []
    let gone: ReadonlyMap<string, string> | null = null
    for (const path of [...found.filter(each => !known.has(each)), ...this.#gone.keys()]) {
      const status = statusOf(path)
      if (status === null) continue
      const isWhole = this.#growing.get(path) === status.bytes
      this.#growing.set(path, status.bytes)
      // What is read once only must have been written to its end.
      if (!isWhole && !isPlain({ form: this.#formOf(path, status), status })) continue
      this.#growing.delete(path)
      gone ??= goneFiles([...context.from, ...this.#partitions.map(each => [each.name, each] as const)])
      this.#warnOfRenamed(path, status, gone)
      const name = this.#gone.get(path) ?? latestOf(path, context.from).name
      this.#gone.delete(path)
      await this.#assign(path, name, status)
    }
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

function isMisfit(error: unknown): error is MillraceError {
  return error instanceof MillraceError && error.code === 'HEADER_MISMATCH'
}

function filesOf(path: string, { untilEnd, onWarning }: SourceContext): string[] {
  if (statusOf(path)?.kind === 'folder') {
    throw new MillraceError('FILE_UNREADABLE', `${path} is a folder.`, {
      next: `Give a pattern for the files in it, such as '${path.replace(/\/+$/, '')}/*.ndjson'.`,
    })
  }
  if (untilEnd || !isPattern(path)) return pathsOf(path)
  const found = filesMatching(path)
  if (found.length === 0) {
    const next = 'Files that match it are read as they come; check the pattern if there should be one.'
    onWarning(new MillraceError('FILE_UNREADABLE', `No file matches ${path} yet.`, { next }))
  }
  return found
}
