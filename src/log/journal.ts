/**
 * The journal: the commit point of epochs. DATA_DIR/journal/ holds a log of one record an epoch (journal-record.ts).
 *
 * An epoch is staged (all that it says is taken at that moment, synchronously) and then written; when `write` resolves it
 * is safe from a loss of power, and a start finds it or a later one, whole. An epoch whose write failed stays staged and
 * is written with the next one, in one block: all of them or none. The caller makes what an epoch speaks of (lengths of
 * topics) durable before it writes the epoch.
 */
import { join } from 'node:path'
import { StateReader } from '../engine/state/bytes.ts'
import type { Stateful } from '../engine/state/table.ts'
import type { Clock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { newIncarnation } from '../system/random.ts'
import type { Storage } from '../system/storage.ts'
import { recordsOf } from './block.ts'
import { EpochWriter, headOf, type Section, sectionsOf } from './journal-record.ts'
import { type JournalTable, JournalTables, RANGE_SLOTS } from './journal-tables.ts'
import { TopicLog } from './topic-log.ts'

const SEGMENT_BYTES = 8 * 1024 * 1024
const SLOT_BYTES = 4

export interface JournalOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly dataDirectory: string
  /** Default 8 MiB. */
  readonly segmentBytes?: number
  /** Slots of a table that are told again together. Default 1,024. */
  readonly rangeSlots?: number
}

interface Staged {
  readonly epoch: number
  readonly offset: number
  /** The oldest record that is needed once this one is safe. */
  readonly needed: number
  readonly bytes: Buffer
}

export class Journal {
  /** The last epoch that opening found, or null. */
  readonly last: { readonly epoch: number; readonly header: unknown } | null
  readonly #log: TopicLog
  readonly #tables: JournalTables
  readonly #writer = new EpochWriter()
  /** Oldest record that was needed when the journal was opened. */
  readonly #neededFrom: number
  #epoch: number
  /** Number of the next epoch, and offset of its record: records are staged in the order in which they will stand. */
  #nextEpoch: number
  #nextOffset: number
  #staged: Staged[] = []
  #turn: Promise<void> = Promise.resolve()
  #beginsRun = true

  /** Throws STATE_DAMAGED when an epoch that was promised, or what it builds on, is damaged or missing. */
  constructor({ storage, clock, dataDirectory, segmentBytes, rangeSlots }: JournalOptions) {
    this.#tables = new JournalTables(rangeSlots ?? RANGE_SLOTS)
    this.#log = new TopicLog({
      storage,
      clock,
      topic: 'journal',
      folder: join(dataDirectory, 'journal'),
      quarantine: join(dataDirectory, 'quarantine'),
      incarnation: newIncarnation(),
      adoptIncarnation: true,
      segmentBytes: segmentBytes ?? SEGMENT_BYTES,
      blockBytes: segmentBytes ?? SEGMENT_BYTES,
      checkBytes: Number.POSITIVE_INFINITY,
    })
    const { next, start } = this.#log
    try {
      const head = next === start ? null : headOf(this.#newest())
      this.#neededFrom = head === null ? next : next - 1 - head.back
      const lost = this.#log.damage.find(({ from, to }) => to > from && to > this.#neededFrom)
      if (lost !== undefined) throw damaged(lost.path ?? this.#log.segments.at(-1)?.path, lost.position, lost.reason)
      this.last = head === null ? null : { epoch: head.epoch, header: head.header }
    } catch (error) {
      this.#log.close().catch(() => {})
      throw error
    }
    this.#epoch = this.last?.epoch ?? 0
    this.#nextEpoch = this.#epoch + 1
    this.#nextOffset = next
  }

  /** Number of the last epoch that is durable, those of earlier runs counted; 0: none. */
  get epoch(): number {
    return this.#epoch
  }

  get bytes(): number {
    return this.#log.bytes
  }

  /**
   * Reads the newest bytes of every slot into tables that have just been made, then calls `restored` on each. Called at
   * most once, before the first epoch is staged; a table that is not among these begins empty, whatever is stored of it.
   * Throws LOG_FORMAT when a table takes other bytes than were stored for a slot, as one of another version does.
   */
  restore(stateful: readonly Stateful[]): void {
    const tables = this.#tables.use(stateful)
    const restoring = new Map(tables.map(entry => [entry.key, new Restoring(entry)]))
    for (const { offset, record } of this.#newestFirst()) {
      const { continued, sectionsAt } = headOf(record)
      for (const section of sectionsOf(record, sectionsAt)) {
        const table = restoring.get(section.key)
        if (table === undefined) continue
        table.read(record, section)
        if (section.span > 0) this.#tables.noteRead(table.entry, section.first, section.span, offset)
      }
      // What stands before the beginning of a run counts for the tables that it went on with.
      if (continued !== null) {
        const kept = new Set(continued)
        for (const key of restoring.keys()) if (!kept.has(key)) restoring.delete(key)
      }
    }
    for (const entry of tables) this.#tables.noteRest(entry, this.#neededFrom)
    for (const each of stateful) each.restored()
  }

  /**
   * Takes an epoch: the changed slots of all tables, as they are now, and `header`, which must be JSON. All that have
   * state are named every time.
   */
  stage(header: object, stateful: readonly Stateful[]): void {
    const continued = this.#beginsRun ? this.#tables.keys : null
    const tables = this.#tables.use(stateful)
    const writer = this.#writer
    const offset = this.#nextOffset
    writer.begin(this.#nextEpoch, header, continued)
    for (const entry of tables) {
      const changed = entry.table.takeChanged()
      if (changed.length === 0) continue
      writer.slots(entry.key, entry.table, changed)
      this.#tables.noteSlots(entry, changed, offset)
    }
    this.#tables.tellAgain(writer, writer.length, offset, this.#log.segments.at(-1)?.firstOffset ?? 0)
    const needed = this.#tables.oldestNeeded(offset)
    this.#staged.push({ epoch: this.#nextEpoch, offset, needed, bytes: writer.end(offset - needed) })
    this.#beginsRun = false
    this.#nextEpoch++
    this.#nextOffset++
  }

  /** Makes all that is staged durable, all of it or nothing. Rejects as an append does; it may then be called again. */
  write(): Promise<void> {
    const written = this.#turn.then(() => this.#writeStaged())
    this.#turn = written.catch(() => {})
    return written
  }

  /** Lets go of the files; what is staged and was not written is not kept. */
  async close(): Promise<void> {
    await this.#turn
    await this.#log.close()
  }

  async #writeStaged(): Promise<void> {
    const staged = this.#staged
    const last = staged.at(-1)
    if (last === undefined) return
    this.#staged = []
    try {
      let end = 0
      const ends = staged.map(({ bytes }) => {
        end += bytes.length
        return end
      })
      const bytes = staged.length === 1 ? last.bytes : Buffer.concat(staged.map(each => each.bytes))
      const offset = await this.#log.append({ bytes, ends })
      if (offset !== staged[0]!.offset) throw new MillraceError('INTERNAL', `An epoch was written at offset ${offset}.`)
    } catch (error) {
      this.#staged.unshift(...staged)
      throw error
    }
    this.#epoch = last.epoch
    this.#drop(last.needed)
  }

  /** Removes the segments whose records are all older than what is needed. */
  #drop(needed: number): void {
    const { segments } = this.#log
    let count = 0
    while (count + 1 < segments.length && segments[count + 1]!.firstOffset <= needed) count++
    if (count === 0) return
    try {
      this.#log.drop(count)
    } catch {
      // The epoch is safe all the same; the next one tries again.
    }
  }

  #newest(): Buffer {
    for (const { record } of this.#recordsOf(this.#log.next - 1, this.#log.next).reverse()) return record
    throw new MillraceError('INTERNAL', 'The journal has no last record.')
  }

  /** The records that are needed, a segment in memory at a time. */
  *#newestFirst(): Generator<{ offset: number; record: Buffer }, void, undefined> {
    const { segments, next } = this.#log
    let end = next
    for (let index = segments.length - 1; index >= 0 && end > this.#neededFrom; index--) {
      const from = Math.max(segments[index]!.firstOffset, this.#neededFrom)
      yield* this.#recordsOf(from, end).reverse()
      end = from
    }
  }

  #recordsOf(from: number, to: number): { offset: number; record: Buffer }[] {
    const found: { offset: number; record: Buffer }[] = []
    if (from >= to) return found
    for (const event of this.#log.read(from)) {
      if (event.kind === 'gap') {
        const lost = this.#log.damage.find(damage => damage.from === event.from)
        throw damaged(event.path ?? undefined, lost?.position, event.reason)
      }
      const { header, bytes, index } = event.block
      const block = { header, bytes: Buffer.from(bytes), index }
      for (const { offset, bytes: record } of recordsOf(block, event.from)) found.push({ offset, record })
      if (header.firstOffset + header.records >= to) break
    }
    return found
  }
}

/** A table that is read from its newest bytes to its oldest. */
class Restoring {
  readonly entry: JournalTable
  readonly #reader = new StateReader(Buffer.alloc(0))
  /** 1: newer bytes of the slot have been met. */
  #met = new Uint8Array(RANGE_SLOTS)

  constructor(entry: JournalTable) {
    this.entry = entry
  }

  read(record: Buffer, { count, slotsAt, lengthsAt, dataAt }: Section): void {
    const { table } = this.entry
    const reader = this.#reader
    let at = dataAt
    for (let index = 0; index < count; index++) {
      const slot = record.readInt32LE(slotsAt + index * SLOT_BYTES)
      const length = record.readInt32LE(lengthsAt + index * SLOT_BYTES)
      const end = at + Math.max(0, length)
      this.#reserve(slot + 1)
      if (this.#met[slot] === 0) {
        this.#met[slot] = 1
        if (length >= 0) {
          reader.seek(at, record)
          table.read(slot, reader)
          if (reader.position !== end) throw this.#otherForm(slot, reader.position - at, length)
        }
      }
      at = end
    }
  }

  #reserve(slots: number): void {
    if (slots <= this.#met.length) return
    const larger = new Uint8Array(Math.max(slots, this.#met.length * 2))
    larger.set(this.#met)
    this.#met = larger
  }

  #otherForm(slot: number, read: number, stored: number): MillraceError {
    const name = this.entry.key.replace('\0', ', table ')
    return new MillraceError(
      'LOG_FORMAT',
      `The state of ${name} is stored in another form: slot ${slot} has ${stored} bytes, ${read} were read.`,
    )
  }
}

function damaged(path: string | undefined, position: number | undefined, reason: string): MillraceError {
  const place = `${path ?? 'its folder'}${position === undefined ? '' : `, byte ${position}`}`
  return new MillraceError('STATE_DAMAGED', `The journal of epochs is damaged (${place}): ${reason}.`)
}
