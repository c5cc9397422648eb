/**
 * The log of one partition of a topic: records appended in order, read from any offset, kept until retention.
 *
 * An append is *visible* (its offset is given, `read(..., { visible: true })` shows it) at once and *durable* after the
 * next sync, which all appends that wait share. Only what is durable is acknowledged, read and followed by default: an
 * append that fails leaves no trace. Without a sync or write that failed nothing is ever taken back.
 *
 * Errors of an append: LOG_FULL when the disk (or the budget) has no room, FILE_UNWRITABLE when the disk fails otherwise;
 * both may be tried again. Opening throws LOG_FORMAT and DATA_DIR_MISMATCH; what it finds damaged, it tells (`damage`,
 * `cut`) and goes on.
 */
import type { Clock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import type { Storage, StorageFile } from '../system/storage.ts'
import {
  type Block,
  BlockBuilder,
  FORM,
  PAYLOAD_BYTES_MAX,
  type PayloadForm,
  type Records,
  sealedBlock,
} from './block.ts'
import { Marker } from './marker.ts'
import { coded, firstArrivalIn, holdsBlock, setAside, syncSegment } from './mend.ts'
import { type LogEvent, readSegments } from './read.ts'
import { type Cut, type Damage, type Recovered, recover } from './recovery.ts'
import { noteBlock, type Segment, segmentOf } from './segment.ts'

const SEGMENT_BYTES = 64 * 1024 * 1024
const SEGMENT_AGE_US = 24 * 3600 * 1_000_000
const BLOCK_BYTES = 256 * 1024
const TAIL_BYTES = 4 * 1024 * 1024
const CHECK_BYTES = 256 * 1024 * 1024
/** Segments at the end of a log that may hold bytes that are not safe; opening looks at no fewer. */
const UNSAFE_SEGMENTS_MAX = 2

export interface TopicLogOptions {
  readonly storage: Storage
  readonly clock: Clock
  /** Folder of this partition's files. */
  readonly folder: string
  /** Folder for copies of what was damaged. */
  readonly quarantine: string
  readonly topic: string
  /** Default 0. */
  readonly partition?: number
  /** 32 hexadecimal digits; must be the stored one where there is one. Needed for a new topic. */
  readonly incarnation: string
  /** The stored incarnation counts, whatever `incarnation` says. Default false. */
  readonly adoptIncarnation?: boolean
  /** Default `FORM.records`. */
  readonly form?: PayloadForm
  /** Default 0. */
  readonly schemaId?: number
  /** A new segment begins when the last one would grow past so many bytes (64 MiB), or is so old (a day). */
  readonly segmentBytes?: number
  readonly segmentAge_us?: number
  /** Length at which a block is written although no commit asks for it. Default 256 KiB. */
  readonly blockBytes?: number
  /** What `retain` may remove. Default: nothing. */
  readonly retention?: { readonly time_us: number | null; readonly bytes: number | null }
  /** How much of the newest data opening checks byte by byte; the rest is checked as it is read. Default 256 MiB. */
  readonly checkBytes?: number
  /** Looks without changing anything; appends are refused. Another process may be writing. */
  readonly readOnly?: boolean
  /** Asked before so many bytes are written; throws LOG_FULL when there is no room for them. */
  readonly admit?: (bytes: number) => void
}

/** Called once for an append: null when it is durable, the error when it is not in the log. */
export type Settled = (error: Error | null) => void

export interface ReadOptions {
  /** Also what is appended and not yet durable: it may still be taken back. Default false. */
  readonly visible?: boolean
}

export class TopicLog {
  readonly topic: string
  readonly partition: number
  readonly incarnation: string
  /** What opening found damaged. */
  readonly damage: readonly Damage[]
  /** What opening cut off the end, or null. */
  readonly cut: Cut | null
  readonly #options: TopicLogOptions
  readonly #builder: BlockBuilder
  readonly #segmentBytes: number
  readonly #blockBytes: number
  #segments: Segment[]
  #marker: Marker | null = null
  #active: StorageFile | null = null
  /** Files with bytes that are not safe yet. */
  #dirty = new Map<Segment, StorageFile>()
  /** Files that are written no more and may still be in a sync. */
  #retired: StorageFile[] = []
  #namesDirty = false
  #start: number
  /** Offsets below are safe; below `#written` in the file; below `#next` given away. */
  #durable: number
  #written: number
  #next: number
  /** Those whose block waits in the builder, and those whose block is written and not safe. */
  #gathering: Settled[] = []
  #waiting: Settled[] = []
  #committing = false
  /** Something of a failed write may still stand behind the last block. */
  #mustRepair = false
  #isClosed = false
  #tail: { readonly block: Block; readonly bytes: number }[] = []
  #tailBytes = 0
  #room = 4096
  #followers: (() => void)[] = []

  constructor(options: TopicLogOptions) {
    const { storage, folder, topic, partition = 0 } = options
    this.#options = options
    this.topic = topic
    this.partition = partition
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
    this.#blockBytes = options.blockBytes ?? BLOCK_BYTES
    this.#builder = new BlockBuilder(options.form ?? FORM.records)
    const found = recover({ storage, folder, topic, partition, checkBytes: options.checkBytes ?? CHECK_BYTES })
    const { segments, start, next } = found
    // A topic that never had a record is nobody's.
    const incarnation = next === 0 ? null : found.incarnation
    if (incarnation !== null && incarnation !== options.incarnation && !options.adoptIncarnation) {
      throw new MillraceError(
        'DATA_DIR_MISMATCH',
        `Topic ${topic} (${folder}) holds records of another pipeline, or of other inputs.`,
      )
    }
    this.incarnation = incarnation ?? options.incarnation
    this.#segments = [...segments]
    this.#start = start
    this.#durable = next
    this.#written = next
    this.#next = next
    if (options.readOnly) {
      this.damage = found.damage
      this.cut = found.cut
      this.#isClosed = true
      return
    }
    const aside = (piece: { path: string | null; position: number; bytes: number }): string | null =>
      piece.path === null
        ? null
        : setAside(storage, options.quarantine, { ...piece, path: piece.path }, topic, partition)
    this.damage = found.damage.map(each => ({ ...each, quarantined: aside(each) }))
    this.cut = found.cut && { ...found.cut, quarantined: holdsBlock(storage, found.cut) ? aside(found.cut) : null }
    try {
      this.#begin(found)
    } catch (cause) {
      this.#marker?.close()
      throw coded(cause, topic)
    }
  }

  /** First offset that is kept. */
  get start(): number {
    return this.#start
  }

  /** Offset of the next record; those below `durable` are safe. */
  get next(): number {
    return this.#next
  }

  get durable(): number {
    return this.#durable
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  get segments(): readonly Readonly<Segment>[] {
    return this.#segments
  }

  /** Appends records; resolves with the offset of the first one when they are durable. */
  append(records: Records): Promise<number> {
    return new Promise((resolve, reject) => {
      let first = -1
      first = this.put(records, error => (error === null ? resolve(first) : reject(error)))
      this.#commitSoon()
    })
  }

  /**
   * Appends without asking for a sync (`commit`, or somebody's `append`, does); returns the offset of the first record.
   * When it throws, the records are not in the log; `settled` is not called then.
   */
  put(records: Records, settled: Settled): number {
    if (this.#isClosed) throw new MillraceError('INTERNAL', `The log of topic ${this.topic} is closed.`)
    if (records.bytes.length > PAYLOAD_BYTES_MAX / 2) {
      throw new MillraceError('FILE_UNWRITABLE', `${records.bytes.length} bytes are too many for one append.`)
    }
    if (this.#mustRepair) this.#repair()
    const arrival = Math.floor(records.arrival ?? this.#options.clock.now())
    const builder = this.#builder
    if (builder.records > 0 && (builder.bytes + records.bytes.length > this.#blockBytes || !builder.fits(arrival))) {
      const error = this.#writeBlock()
      if (error !== null) throw error
    }
    const first = this.#next
    this.#next += builder.add(records, arrival, this.#room)
    this.#gathering.push(settled)
    if (builder.bytes >= this.#blockBytes) this.#writeBlock()
    return first
  }

  /** Resolves when all that was appended before is durable. */
  commit(): Promise<void> {
    if (this.#gathering.length === 0 && this.#waiting.length === 0 && !this.#committing) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const settled: Settled = error => (error === null ? resolve() : reject(error))
      if (this.#gathering.length > 0) this.#gathering.push(settled)
      else this.#waiting.push(settled)
      this.#commitSoon()
    })
  }

  /** Blocks and gaps from an offset on, to the end as it stands; a block's bytes are lent until the next step. */
  *read(from: number, options: ReadOptions = {}): Generator<LogEvent, void, undefined> {
    if (options.visible && this.#builder.records > 0) this.#writeBlock()
    const { storage, topic } = this.#options
    const log = this
    yield* readSegments(
      {
        storage,
        topic,
        partition: this.partition,
        incarnation: this.incarnation,
        get segments() {
          return log.#segments
        },
        get start() {
          return log.#start
        },
        get end() {
          return options.visible ? log.#written : log.#durable
        },
        inMemory: offset => this.#inMemory(offset),
      },
      from,
    )
  }

  /** As `read`, and then what comes, as soon as it is durable, until the signal is aborted or the log is closed. */
  async *follow(from: number, signal: AbortSignal): AsyncGenerator<LogEvent, void, undefined> {
    let offset = from
    while (!signal.aborted) {
      for (const event of this.read(offset)) {
        offset = event.kind === 'gap' ? event.to : event.block.header.firstOffset + event.block.header.records
        yield event
        if (signal.aborted) return
      }
      if (this.#isClosed && offset >= this.#durable) return
      if (offset < this.#durable) continue
      await new Promise<void>(resolve => {
        const wake = () => {
          signal.removeEventListener('abort', wake)
          resolve()
        }
        signal.addEventListener('abort', wake, { once: true })
        this.#followers.push(wake)
      })
    }
  }

  /** Removes the oldest segments that the topic's retention gives up; returns how many. The last one always stays. */
  retain(): number {
    const { time_us, bytes } = this.#options.retention ?? { time_us: null, bytes: null }
    const before = time_us === null ? Number.NEGATIVE_INFINITY : this.#options.clock.now() - time_us
    let total = this.bytes
    let count = 0
    while (count < this.#segments.length - 1) {
      const isOld = time_us !== null && this.lastArrival(count) < before
      if (!isOld && (bytes === null || total <= bytes)) break
      total -= this.#segments[count]!.bytes
      count++
    }
    this.drop(count)
    return count
  }

  /** Removes so many of the oldest segments, never the last one nor one that is not safe. */
  drop(count: number): void {
    const going = this.#segments.slice(0, Math.min(count, this.#segments.length - 1))
    const kept = going.findIndex(segment => this.#dirty.has(segment))
    if (kept >= 0) going.length = kept
    if (going.length === 0) return
    const { storage } = this.#options
    const start = Math.max(this.#start, this.#segments[going.length]!.firstOffset)
    this.#marker!.save({ incarnation: this.incarnation, start, durable: this.#durable })
    this.#start = start
    this.#segments = this.#segments.slice(going.length)
    for (const segment of going) storage.remove(segment.path)
  }

  /** When the last record of a segment arrived, microseconds; of one that is unknown, when the next one began. */
  lastArrival(index: number): number {
    const segment = this.#segments[index]!
    if (segment.lastArrival !== null) return segment.lastArrival
    for (const next of this.#segments.slice(index + 1)) {
      next.firstArrival ??= firstArrivalIn(this.#options.storage, next)
      if (next.firstArrival !== null) return next.firstArrival
    }
    return Number.POSITIVE_INFINITY
  }

  /** Commits and lets go of the files. The log is closed even when it rejects. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    try {
      await this.commit()
      this.#marker!.save(this.#state())
    } finally {
      this.#isClosed = true
      this.#dirty.clear()
      this.#closeRetired()
      this.#active?.close()
      this.#marker!.close()
      this.#wake()
    }
  }

  /** Makes the files what `recover` says that they are, in an order that may be cut off anywhere. */
  #begin(found: Recovered): void {
    const { storage, folder } = this.#options
    storage.makeFolder(folder)
    // After a kill the last blocks may stand in memory only; they are promised from now on.
    for (const segment of this.#segments.slice(-UNSAFE_SEGMENTS_MAX)) syncSegment(storage, segment)
    storage.syncFolder(folder)
    this.#marker = new Marker(storage, folder)
    // What vouches for older records may stand in what is cut off now: it is written down before.
    this.#marker.save(this.#state())
    for (const path of [...found.obsolete].reverse()) storage.remove(path)
    const last = this.#segments.at(-1)
    if (last !== undefined && found.cut?.path === last.path) syncSegment(storage, last, last.bytes)
    if (last !== undefined && found.goesOn) this.#active = storage.open(last.path)
    storage.syncFolder(folder)
  }

  #state() {
    return { incarnation: this.incarnation, start: this.#start, durable: this.#durable }
  }

  #inMemory(offset: number): Block | null {
    const tail = this.#tail
    if (tail.length === 0 || offset < tail[0]!.block.header.firstOffset) return null
    let low = 0
    for (let high = tail.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1
      if (tail[middle]!.block.header.firstOffset <= offset) low = middle
      else high = middle - 1
    }
    const { block } = tail[low]!
    return offset < block.header.firstOffset + block.header.records ? block : null
  }

  #commitSoon(): void {
    if (this.#committing) return
    this.#committing = true
    // Appends of the same turn share the commit.
    queueMicrotask(() => this.#commitAll())
  }

  async #commitAll(): Promise<void> {
    while (this.#gathering.length > 0 || this.#waiting.length > 0) {
      if (this.#builder.records > 0) this.#writeBlock()
      else this.#waiting.push(...this.#gathering.splice(0))
      if (this.#waiting.length === 0) continue
      const waiting = this.#waiting
      const written = this.#written
      const dirty = [...this.#dirty].map(([segment, file]) => ({ segment, file, bytes: segment.bytes }))
      this.#waiting = []
      this.#dirty.clear()
      try {
        if (this.#namesDirty) this.#options.storage.syncFolder(this.#options.folder)
        this.#namesDirty = false
        await Promise.all(dirty.map(({ file }) => file.sync()))
      } catch (cause) {
        this.#takeBack(coded(cause, this.topic), waiting)
        continue
      }
      for (const { segment, bytes } of dirty) segment.durableBytes = bytes
      this.#closeRetired()
      this.#durable = written
      try {
        this.#marker!.note(this.#state())
      } catch {
        // It only helps to tell damage from a crash; the records are safe without it.
      }
      for (const settled of waiting) settled(null)
      this.#wake()
    }
    this.#committing = false
  }

  #wake(): void {
    const followers = this.#followers
    if (followers.length === 0) return
    this.#followers = []
    for (const wake of followers) wake()
  }

  /** Writes what was gathered; returns the error that its appends were given, or null. */
  #writeBlock(): Error | null {
    const builder = this.#builder
    const gathering = this.#gathering
    const records = builder.records
    this.#gathering = []
    try {
      if (this.#mustRepair) this.#repair()
      this.#options.admit?.(builder.bytes)
      const file = this.#fileFor(builder.bytes)
      const segment = this.#segments.at(-1)!
      const bytes = builder.seal({
        incarnation: this.incarnation,
        schemaId: this.#options.schemaId ?? 0,
        partition: this.partition,
        firstOffset: this.#written,
        durableOffset: this.#durable,
        position: segment.bytes,
      })
      this.#mustRepair = true
      file.write(bytes, segment.bytes)
      this.#mustRepair = false
      segment.bytes += bytes.length
      this.#room = Math.min(bytes.length + (bytes.length >> 2), this.#blockBytes + 4096)
      const block = sealedBlock(bytes)
      noteBlock(segment, block.header)
      this.#dirty.set(segment, file)
      this.#remember(block, bytes.length)
      this.#written += records
      for (const settled of gathering) this.#waiting.push(settled)
      return null
    } catch (cause) {
      const error = coded(cause, this.topic)
      builder.clear()
      this.#next = this.#written
      for (const settled of gathering) settled(error)
      try {
        if (this.#mustRepair) this.#repair()
      } catch {
        // Tried again before the next write.
      }
      return error
    }
  }

  /** Cuts off what a failed write left behind the last block. */
  #repair(): void {
    const last = this.#segments.at(-1)
    if (last !== undefined) syncSegment(this.#options.storage, last, last.bytes)
    this.#mustRepair = false
  }

  /** The file that a block of this length goes to. */
  #fileFor(bytes: number): StorageFile {
    const last = this.#segments.at(-1)
    if (this.#active !== null && last !== undefined) {
      const age = this.#options.clock.now() - (last.firstArrival ?? Number.POSITIVE_INFINITY)
      const isOld = age > (this.#options.segmentAge_us ?? SEGMENT_AGE_US)
      if (last.bytes === 0 || (last.bytes + bytes <= this.#segmentBytes && !isOld)) return this.#active
    }
    const { storage, folder } = this.#options
    // No more than two segments are ever unsafe: opening counts on it.
    for (const [segment, file] of this.#dirty) if (segment !== last) file.syncNow()
    const segment = segmentOf(folder, this.#written, 0)
    const file = storage.open(segment.path)
    this.#namesDirty = true
    if (file.length() > 0) file.truncate(0)
    if (this.#active !== null) this.#retired.push(this.#active)
    if (!this.#committing) this.#closeRetired()
    this.#active = file
    this.#segments = [...this.#segments, segment]
    return file
  }

  #closeRetired(): void {
    const unsafe = new Set(this.#dirty.values())
    for (const file of this.#retired) if (!unsafe.has(file)) file.close()
    this.#retired = this.#retired.filter(file => unsafe.has(file))
  }

  #remember(block: Block, bytes: number): void {
    this.#tail.push({ block, bytes })
    this.#tailBytes += bytes
    while (this.#tailBytes > TAIL_BYTES && this.#tail.length > 1) this.#tailBytes -= this.#tail.shift()!.bytes
  }

  /** After a failed sync nothing that it was for can be trusted: the log goes back to what was safe before. */
  #takeBack(error: Error, waiting: readonly Settled[]): void {
    const failed = [...waiting, ...this.#waiting, ...this.#gathering]
    this.#waiting = []
    this.#gathering = []
    this.#builder.clear()
    this.#written = this.#durable
    this.#next = this.#durable
    this.#tail = this.#tail.filter(({ block }) => block.header.firstOffset < this.#durable)
    this.#tailBytes = this.#tail.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#dirty.clear()
    // The next write begins a new segment.
    if (this.#active !== null) this.#retired.push(this.#active)
    this.#active = null
    this.#closeRetired()
    const gone = this.#segments.filter(segment => segment.durableBytes === 0)
    this.#segments = this.#segments.filter(segment => segment.durableBytes > 0)
    for (const segment of this.#segments) segment.bytes = segment.durableBytes
    this.#mustRepair = true
    try {
      for (const segment of gone) this.#options.storage.remove(segment.path)
      this.#repair()
    } catch {
      // Tried again before the next write.
    }
    for (const settled of failed) settled(error)
  }
}
