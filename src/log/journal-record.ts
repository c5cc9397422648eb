/**
 * The record of an epoch in the journal. docs/log.md has the table of its bytes.
 *
 * Its head says the number of the epoch, how many records back are still needed, and the runtime's own words (JSON). Then
 * come sections, each with slots of one table: those that changed, or all of a range; a slot that is free has no length.
 * Nothing of an operator need be known to read it.
 */
import { StateWriter } from '../engine/state/bytes.ts'
import type { StateTable } from '../engine/state/table.ts'
import { MillraceError } from '../system/errors.ts'

const VERSION = 1
const BEGINS_RUN = 1
const EPOCH_AT = 2
const BACK_AT = 10
const HEADER_AT = 14
const NO_SPAN = 0
/** In the place of a slot's length. */
const FREE = -1
/** The buffer of a larger record is not kept for the next one. */
const BUFFER_KEPT_BYTES = 4 * 1024 * 1024
const LINE_FEED = 10

/** Writes one record after the other. */
export class EpochWriter {
  #to = new StateWriter()
  /** Keys of the tables that the record has named, with their numbers. */
  #keys = new Map<string, number>()

  /** How long the record is so far, in bytes. */
  get length(): number {
    return this.#to.length
  }

  /** `continued`: keys of the tables that go on from earlier records; null: all that there are. */
  begin(epoch: number, header: object, continued: readonly string[] | null): void {
    if (this.#to.length > BUFFER_KEPT_BYTES) this.#to = new StateWriter()
    const to = this.#to
    to.clear()
    this.#keys.clear()
    to.byte(VERSION)
    to.byte(continued === null ? 0 : BEGINS_RUN)
    to.number(epoch)
    to.whole(0)
    writeText(to, JSON.stringify(header))
    if (continued === null) return
    to.whole(continued.length)
    for (const key of continued) writeText(to, key)
  }

  /** The slots, as they are now. */
  slots(key: string, table: StateTable, slots: Int32Array): void {
    this.#section(key, table, 0, NO_SPAN, slots)
  }

  /** All slots from `first` to `first + span`, as they are now, the free ones among them. */
  range(key: string, table: StateTable, first: number, span: number): void {
    const end = Math.min(first + span, table.slots)
    const slots = Int32Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index)
    this.#section(key, table, first, span, slots)
  }

  /** The bytes of the record, with a line feed behind them; they are the caller's. `back`: records back that are needed. */
  end(back: number): Buffer {
    this.#to.patch(BACK_AT, back)
    this.#to.byte(LINE_FEED)
    return Buffer.from(this.#to.bytes)
  }

  #section(key: string, table: StateTable, first: number, span: number, slots: Int32Array): void {
    const to = this.#to
    const number = this.#keys.get(key)
    to.whole(number ?? this.#keys.size)
    if (number === undefined) {
      writeText(to, key)
      this.#keys.set(key, this.#keys.size)
    }
    to.whole(first)
    to.whole(span)
    to.whole(slots.length)
    for (const slot of slots) to.whole(slot)
    const lengthsAt = to.length
    for (let index = 0; index < slots.length; index++) to.whole(FREE)
    for (let index = 0; index < slots.length; index++) {
      const start = to.length
      if (table.write(slots[index]!, to)) to.patch(lengthsAt + index * 4, to.length - start)
    }
  }
}

export interface EpochHead {
  readonly epoch: number
  /** The record that stands so many before this one is the oldest that is needed. */
  readonly back: number
  readonly header: unknown
  /** Keys of the tables whose earlier records count; null: all. */
  readonly continued: readonly string[] | null
  /** Where the sections begin. */
  readonly sectionsAt: number
}

/** Throws LOG_FORMAT for a record of another version. */
export function headOf(record: Buffer): EpochHead {
  if (record[0] !== VERSION) {
    throw new MillraceError('LOG_FORMAT', `An epoch of the journal has format version ${record[0]}.`)
  }
  const header = textAt(record, HEADER_AT)
  let at = header.end
  let continued: string[] | null = null
  if ((record[1]! & BEGINS_RUN) !== 0) {
    continued = []
    const count = record.readInt32LE(at)
    at += 4
    for (let index = 0; index < count; index++) {
      const key = textAt(record, at)
      continued.push(key.text)
      at = key.end
    }
  }
  const epoch = record.readDoubleLE(EPOCH_AT)
  const back = record.readInt32LE(BACK_AT)
  return { epoch, back, header: JSON.parse(header.text), continued, sectionsAt: at }
}

export interface Section {
  readonly key: string
  /** The range of which it tells all slots that were handed out; `span` 0: those that changed. */
  readonly first: number
  readonly span: number
  /** How many slots it names, where their numbers and lengths begin, and the bytes of the first one. */
  readonly count: number
  readonly slotsAt: number
  readonly lengthsAt: number
  readonly dataAt: number
}

/** The sections of a record, in its order. */
export function* sectionsOf(record: Buffer, sectionsAt: number): Generator<Section, void, undefined> {
  const keys: string[] = []
  for (let at = sectionsAt; at < record.length; ) {
    const number = record.readInt32LE(at)
    at += 4
    if (number === keys.length) {
      const key = textAt(record, at)
      keys.push(key.text)
      at = key.end
    }
    const first = record.readInt32LE(at)
    const span = record.readInt32LE(at + 4)
    const count = record.readInt32LE(at + 8)
    const slotsAt = at + 12
    const lengthsAt = slotsAt + count * 4
    const dataAt = lengthsAt + count * 4
    yield { key: keys[number]!, first, span, count, slotsAt, lengthsAt, dataAt }
    at = dataAt
    for (let place = lengthsAt; place < dataAt; place += 4) at += Math.max(0, record.readInt32LE(place))
  }
}

function writeText(to: StateWriter, text: string): void {
  const bytes = Buffer.from(text)
  to.whole(bytes.length)
  to.raw(bytes)
}

function textAt(record: Buffer, at: number): { text: string; end: number } {
  const end = at + 4 + record.readInt32LE(at)
  return { text: record.toString('utf8', at + 4, end), end }
}
