/**
 * The log of one partition of a topic: records appended in order, read from any offset, kept until retention.
 *
 * An append is *visible* (its offset is given, `read(..., { visible: true })` shows it) at once and *durable* after the
 * next sync, which all appends that wait share. Only what is durable is acknowledged, and read by default: an append
 * that fails leaves no trace. Without a sync or write that failed nothing is ever taken back.
 *
 * Errors of an append: LOG_FULL when the disk (or the budget) has no room, FILE_UNWRITABLE when the disk fails otherwise;
 * both may be tried again. Opening throws LOG_FORMAT and DATA_DIR_MISMATCH; what it finds damaged, it tells (`damage`,
 * `cut`) and goes on.
 */
import { MillraceError } from '../system/errors.ts'
import { BlockBuilder, FORM, HEADER_BYTES, PAYLOAD_BYTES_MAX, type Records } from './block.ts'
import { Marker } from './marker.ts'
import { coded } from './mend.ts'
import { lookInto, type Opened } from './opening.ts'
import type { ReadOptions, Settled, TopicLogOptions } from './options.ts'
import { placeMark } from './place-mark.ts'
import { type LogEvent, readSegments } from './read.ts'
import type { Cut, Damage } from './recovery.ts'
import type { Segment } from './segment.ts'
import { SegmentFiles } from './segment-files.ts'
import { Tail } from './tail.ts'

const SEGMENT_BYTES = 64 * 1024 * 1024
const SEGMENT_AGE_US = 24 * 3600 * 1_000_000
const BLOCK_BYTES = 256 * 1024

export class TopicLog {
  readonly topic: string
  readonly partition: number
  readonly incarnation: string
  /** What opening found damaged. */
  readonly damage: readonly Damage[]
  /** What opening cut off the end, or null. */
  readonly cut: Cut | null
  readonly #options: TopicLogOptions
  readonly #mark: number
  readonly #builder: BlockBuilder
  readonly #blockBytes: number
  readonly #files: SegmentFiles
  readonly #tail = new Tail()
  #marker: Marker | null = null
  #start: number
  /** Offsets below are safe; below `#written` in the file; below `#next` given away. */
  #durable: number
  #written: number
  #next: number
  /** Those whose block waits in the builder, and those whose block is written and not safe. */
  #gathering: Settled[] = []
  #waiting: Settled[] = []
  #committing = false
  #isClosed = false
  #room = 4096
  /** Retention pin: offsets from here on are needed by somebody. */
  #pinned: () => number

  constructor(options: TopicLogOptions) {
    const { storage, clock, folder, topic, segmentBytes = SEGMENT_BYTES, segmentAge_us = SEGMENT_AGE_US } = options
    this.#options = options
    this.#pinned = () => (options.pinned === true ? 0 : Number.POSITIVE_INFINITY)
    this.topic = topic
    this.partition = options.partition ?? 0
    this.#mark = placeMark(topic, this.partition)
    this.#blockBytes = options.blockBytes ?? BLOCK_BYTES
    this.#builder = new BlockBuilder(options.form ?? FORM.records)
    const found = lookInto(options)
    this.incarnation = found.incarnation
    this.damage = found.damage
    this.cut = found.cut
    this.#files = new SegmentFiles({ storage, clock, folder, segmentBytes, segmentAge_us }, found.segments)
    this.#start = found.start
    this.#durable = found.next
    this.#written = found.next
    this.#next = found.next
    if (options.readOnly) {
      this.#isClosed = true
      return
    }
    try {
      this.#begin(found)
    } catch (cause) {
      this.#marker?.close()
      this.#files.close()
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
    return this.#files.bytes
  }

  get segments(): readonly Readonly<Segment>[] {
    return this.#files.segments
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
    if (records.headers && records.bytes.length === 0) {
      throw new MillraceError('INTERNAL', `Headers without a record were appended to topic ${this.topic}.`)
    }
    if (records.bytes.length > PAYLOAD_BYTES_MAX / 2) {
      throw new MillraceError('FILE_UNWRITABLE', `${records.bytes.length} bytes are too many for one append.`)
    }
    this.#files.repair()
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

  /**
   * Ends the block: what is appended from now on stands in another one, so that the log can be cut back to here. Appends
   * that cannot be written are told, as ever.
   */
  seal(): void {
    if (this.#builder.records > 0) this.#writeBlock()
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
        mark: this.#mark,
        get segments() {
          return log.#files.segments
        },
        get start() {
          return log.#start
        },
        get end() {
          return options.visible ? log.#written : log.#durable
        },
        inMemory: offset => this.#tail.find(offset),
      },
      from,
    )
  }

  /** Retention and `drop` remove no offset at the one that is answered then, or behind it: somebody still needs it. */
  pin(offset: () => number): void {
    this.#pinned = offset
  }

  /** Removes the oldest segments that the topic's retention gives up; returns how many. The last one always stays. */
  retain(): number {
    const count = this.#options.retention === undefined ? 0 : this.#files.givenUp(this.#options.retention)
    return this.drop(count)
  }

  /** Whether `drop` could remove something. */
  get canDrop(): boolean {
    return this.#files.oldest(1, this.#pinned()).length > 0
  }

  /** Removes up to so many of the oldest segments, never the last one nor one that is not safe; returns how many. */
  drop(count: number): number {
    const going = this.#files.oldest(count, this.#pinned())
    if (going.length === 0) return 0
    const start = Math.max(this.#start, this.segments[going.length]!.firstOffset)
    this.#marker!.save({ incarnation: this.incarnation, start, durable: this.#durable })
    this.#start = start
    this.#files.remove(going)
    return going.length
  }

  /** When the last record of a segment arrived, microseconds; of one that is unknown, when the next one began. */
  lastArrival(index: number): number {
    return this.#files.lastArrival(index)
  }

  /** Commits and lets go of the files. The log is closed even when it rejects. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    try {
      await this.commit()
      this.#marker!.save(this.#state())
    } finally {
      this.#isClosed = true
      this.#files.close()
      this.#marker!.close()
    }
  }

  /** Makes the files what `recover` says that they are, in an order that may be cut off anywhere. */
  #begin(found: Opened): void {
    const { storage, folder } = this.#options
    this.#files.secure()
    this.#marker = new Marker(storage, folder, this.#mark)
    // What vouches for older records may stand in what is cut off now: it is written down before.
    if ((found.marker?.durable ?? 0) > found.next) this.#marker.cutBack(this.#state())
    else this.#marker.save(this.#state())
    this.#files.begin(found)
  }

  #state() {
    return { incarnation: this.incarnation, start: this.#start, durable: this.#durable }
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
      this.#waiting = []
      try {
        await this.#files.sync()
      } catch (cause) {
        this.#takeBack(coded(cause, this.topic), waiting)
        continue
      }
      this.#durable = written
      try {
        this.#marker!.note(this.#state())
      } catch {
        // It only helps to tell damage from a crash; the records are safe without it.
      }
      for (const settled of waiting) settled(null)
    }
    this.#committing = false
  }

  /** Writes what was gathered; returns the error that its appends were given, or null. */
  #writeBlock(): Error | null {
    const builder = this.#builder
    const gathering = this.#gathering
    const records = builder.records
    this.#gathering = []
    try {
      this.#files.repair()
      this.#options.admit?.(builder.bytes)
      const place = {
        incarnation: this.incarnation,
        schemaId: this.#options.schemaId ?? 0,
        partition: this.partition,
        firstOffset: this.#written,
        durableOffset: this.#durable,
        mark: this.#mark,
      }
      const block = this.#files.write(builder.bytes, this.#written, position => builder.seal({ ...place, position }))
      const length = HEADER_BYTES + block.header.payloadBytes
      this.#room = Math.min(length + (length >> 2), this.#blockBytes + 4096)
      this.#tail.add(block, length)
      this.#written += records
      for (const settled of gathering) this.#waiting.push(settled)
      return null
    } catch (cause) {
      const error = coded(cause, this.topic)
      builder.clear()
      this.#next = this.#written
      for (const settled of gathering) settled(error)
      try {
        this.#files.repair()
      } catch {
        // Tried again before the next write.
      }
      return error
    }
  }

  /** After a failed sync nothing that it was for can be trusted: the log goes back to what was safe before. */
  #takeBack(error: Error, waiting: readonly Settled[]): void {
    const failed = [...waiting, ...this.#waiting, ...this.#gathering]
    this.#waiting = []
    this.#gathering = []
    this.#builder.clear()
    this.#written = this.#durable
    this.#next = this.#durable
    this.#tail.cutBack(this.#durable)
    this.#files.takeBack()
    for (const settled of failed) settled(error)
  }
}
