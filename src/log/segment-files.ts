/**
 * The segments of a log that is written, and their open files: which one a block goes to, what is not safe yet, and the
 * way back to what was safe. What the bytes mean, and who waits for them, is the log's (topic-log.ts).
 */
import type { Clock } from '../system/clock.ts'
import type { Storage, StorageFile } from '../system/storage.ts'
import { type Block, sealedBlock } from './block.ts'
import { firstArrivalIn, syncSegment } from './mend.ts'
import type { TopicLogOptions } from './options.ts'
import type { Recovered } from './recovery.ts'
import { noteBlock, type Segment, segmentOf } from './segment.ts'
import { strayPath } from './strays.ts'

/** Segments at the end of a log that may hold bytes that are not safe; opening looks at no fewer. */
const UNSAFE_SEGMENTS_MAX = 2

export interface SegmentFilesOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly folder: string
  /** A new segment begins when the last one would grow past so many bytes, or is so old. */
  readonly segmentBytes: number
  readonly segmentAge_us: number
}

export class SegmentFiles {
  readonly #options: SegmentFilesOptions
  #segments: readonly Segment[]
  #active: StorageFile | null = null
  /** Files with bytes that are not safe yet. */
  readonly #dirty = new Map<Segment, StorageFile>()
  /** Files that are written no more and may still be in a sync. */
  #retired: StorageFile[] = []
  #isSyncing = false
  #namesDirty = false
  /** Something of a failed write may still stand behind the last block. */
  #mustRepair = false

  constructor(options: SegmentFilesOptions, segments: readonly Segment[]) {
    this.#options = options
    this.#segments = segments
  }

  get segments(): readonly Segment[] {
    return this.#segments
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  /** Makes what was found safe: after a kill the last blocks may stand in memory only, and are promised from now on. */
  secure(): void {
    const { storage, folder } = this.#options
    storage.makeFolder(folder)
    for (const segment of this.#segments.slice(-UNSAFE_SEGMENTS_MAX)) syncSegment(storage, segment)
    storage.syncFolder(folder)
  }

  /** Renames, removes and cuts off what `recover` says, in an order that may be cut off anywhere, and opens what goes on. */
  begin(found: Pick<Recovered, 'obsolete' | 'strays' | 'cut' | 'goesOn'>): void {
    const { storage, folder } = this.#options
    for (const path of found.strays) storage.rename(path, strayPath(path))
    for (const path of [...found.obsolete].reverse()) storage.remove(path)
    const last = this.#segments.at(-1)
    if (last !== undefined && found.cut?.path === last.path) syncSegment(storage, last, last.bytes)
    if (last !== undefined && found.goesOn) this.#active = storage.open(last.path)
    storage.syncFolder(folder)
  }

  /**
   * Writes a block of this length behind the last one, in a new segment where it must be; `seal` gives the bytes of the
   * block that stands at a position. When it throws, the block does not count, and `repair` cuts off what stands there.
   */
  write(length: number, firstOffset: number, seal: (position: number) => Buffer): Block {
    const file = this.#fileFor(length, firstOffset)
    const segment = this.#segments.at(-1)!
    const bytes = seal(segment.bytes)
    this.#mustRepair = true
    file.write(bytes, segment.bytes)
    this.#mustRepair = false
    segment.bytes += bytes.length
    const block = sealedBlock(bytes)
    noteBlock(segment, block.header)
    this.#dirty.set(segment, file)
    return block
  }

  /** Makes all that was written before the call safe; what is written meanwhile is for the next one. */
  async sync(): Promise<void> {
    const { storage, folder } = this.#options
    const dirty = [...this.#dirty].map(([segment, file]) => ({ segment, file, bytes: segment.bytes }))
    this.#dirty.clear()
    this.#isSyncing = true
    try {
      if (this.#namesDirty) storage.syncFolder(folder)
      this.#namesDirty = false
      await Promise.all(dirty.map(({ file }) => file.sync()))
    } finally {
      this.#isSyncing = false
    }
    for (const { segment, bytes } of dirty) segment.durableBytes = bytes
    this.#closeRetired()
  }

  /** After a failed sync nothing that it was for can be trusted: back to what was safe before, and on in a new segment. */
  takeBack(): void {
    this.#dirty.clear()
    if (this.#active !== null) this.#retired.push(this.#active)
    this.#active = null
    this.#closeRetired()
    const gone = this.#segments.filter(segment => segment.durableBytes === 0)
    this.#segments = this.#segments.filter(segment => segment.durableBytes > 0)
    for (const segment of this.#segments) segment.bytes = segment.durableBytes
    this.#mustRepair = true
    try {
      for (const segment of gone) this.#options.storage.remove(segment.path)
      this.repair()
    } catch {
      // Tried again before the next write.
    }
  }

  /** Cuts off what a failed write left behind the last block, where there is such a thing. */
  repair(): void {
    if (!this.#mustRepair) return
    const last = this.#segments.at(-1)
    if (last !== undefined) syncSegment(this.#options.storage, last, last.bytes)
    this.#mustRepair = false
  }

  /** How many of the oldest segments a retention gives up; the last one always stays. */
  givenUp({ time_us, bytes }: NonNullable<TopicLogOptions['retention']>): number {
    const before = time_us === null ? Number.NEGATIVE_INFINITY : this.#options.clock.now() - time_us
    let total = this.bytes
    let count = 0
    while (count < this.#segments.length - 1) {
      const isOld = time_us !== null && this.lastArrival(count) < before
      if (!isOld && (bytes === null || total <= bytes)) break
      total -= this.#segments[count]!.bytes
      count++
    }
    return count
  }

  /** Up to so many of the oldest segments that may be removed: never the last one, one that is not safe, or one held. */
  oldest(count: number, heldFrom: number): readonly Segment[] {
    const going = this.#segments.slice(0, Math.min(count, this.#segments.length - 1))
    const kept = going.findIndex(
      (segment, index) => this.#dirty.has(segment) || this.#segments[index + 1]!.firstOffset > heldFrom,
    )
    return kept < 0 ? going : going.slice(0, kept)
  }

  /** Removes the oldest segments, which `oldest` returned. */
  remove(going: readonly Segment[]): void {
    this.#segments = this.#segments.slice(going.length)
    for (const segment of going) this.#options.storage.remove(segment.path)
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

  close(): void {
    this.#dirty.clear()
    this.#closeRetired()
    this.#active?.close()
  }

  /** The file that a block of this length goes to. */
  #fileFor(bytes: number, firstOffset: number): StorageFile {
    const { storage, clock, folder, segmentBytes, segmentAge_us } = this.#options
    const last = this.#segments.at(-1)
    if (this.#active !== null && last !== undefined) {
      const isOld = clock.now() - (last.firstArrival ?? Number.POSITIVE_INFINITY) > segmentAge_us
      if (last.bytes === 0 || (last.bytes + bytes <= segmentBytes && !isOld)) return this.#active
    }
    // No more than two segments are ever unsafe: opening counts on it.
    for (const [segment, file] of this.#dirty) if (segment !== last) file.syncNow()
    const segment = segmentOf(folder, firstOffset, 0)
    const file = storage.open(segment.path)
    this.#namesDirty = true
    if (file.length() > 0) file.truncate(0)
    if (this.#active !== null) this.#retired.push(this.#active)
    if (!this.#isSyncing) this.#closeRetired()
    this.#active = file
    this.#segments = [...this.#segments, segment]
    return file
  }

  #closeRetired(): void {
    const unsafe = new Set(this.#dirty.values())
    for (const file of this.#retired) if (!unsafe.has(file)) file.close()
    this.#retired = this.#retired.filter(file => unsafe.has(file))
  }
}
