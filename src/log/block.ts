/**
 * A block: the unit in which records are written, checked and read. docs/log.md has the table of its bytes.
 *
 * header (96 bytes, little-endian) | records, each ended by a line feed | records with an index: 8 bytes a record |
 * with headers: the appends (appends.ts).
 * The header has a checksum of its own, over the payload's checksum too: when only the payload is damaged, the header
 * still says which offsets are lost and where the next block begins.
 */
import { crc32 } from 'node:zlib'
import { MillraceError } from '../system/errors.ts'
import { AppendsBuilder, appendsBegin, type Headers } from './appends.ts'

export const HEADER_BYTES = 96
const MAGIC = 0x4b4c424d
export const MAGIC_BYTES = Buffer.from('MBLK')
const VERSION = 1
const INDEX_ENTRY_BYTES = 8
const LINE_FEED = 10
/** What a payload's length and the index can say; an append beyond it is refused. */
export const PAYLOAD_BYTES_MAX = 1024 * 1024 * 1024
const ARRIVAL_SPAN_MAX_US = 0xffff_ffff

/**
 * Records: as they came, with an arrival time each. Rows: lines that the engine wrote; all arrived with their block.
 * Columns: rows that only the engine reads again, not as lines.
 */
export const FORM = { records: 0, rows: 1, columns: 4 } as const
export type PayloadForm = (typeof FORM)[keyof typeof FORM]
/** Added to the form where the block holds headers; a block without is as it was before there were any. */
const WITH_HEADERS = 2

export interface BlockHeader {
  readonly form: PayloadForm
  /** Whether appends of the block have headers. */
  readonly hasHeaders: boolean
  /** Identity of the topic: 32 hexadecimal digits, new when a topic is made anew under the same name. */
  readonly incarnation: string
  readonly schemaId: number
  readonly partition: number
  readonly firstOffset: number
  readonly records: number
  /** All offsets below it were safe from a loss of power when this block was written. */
  readonly durableOffset: number
  /** Microseconds since the epoch. */
  readonly firstArrival: number
  readonly lastArrival: number
  /** Place of the block in its segment. */
  readonly position: number
  /** Of the topic's partition (place-mark.ts); 0 in blocks of the version before. */
  readonly mark: number
  readonly payloadBytes: number
}

/** A block that was read; its bytes are lent until the reader's next step. */
export interface Block {
  readonly header: BlockHeader
  /** The records alone: `header.records` of them, each ended by a line feed but in the form of columns. */
  readonly bytes: Buffer
  /** Form 0: end of each record in `bytes` and arrival after `firstArrival`, two uint32 a record. Else empty. */
  readonly index: Buffer
  /** The appends of the block with their headers, for `appendsOf`; empty when it has no headers. */
  readonly appends: Buffer
}

/** Records to append. */
export interface Records {
  /** Each record ended by a line feed; the last one's may be missing. In a log of columns any bytes, with `count`. */
  readonly bytes: Uint8Array
  /** Ends of the records, each behind its line feed; needed when records hold line feeds. Default: found by them. */
  readonly ends?: readonly number[] | Uint32Array
  /** How many records `bytes` holds, where the caller knows it. */
  readonly count?: number
  /** Microseconds since the epoch. Default: now. */
  readonly arrival?: number
  /** Short texts that are stored once beside the records, of which there must be one or more. */
  readonly headers?: Headers | null
}

/** The header at a place, when there is a whole one whose checksum is right. Throws LOG_FORMAT for a newer version. */
export function headerAt(bytes: Buffer, at: number): { header: BlockHeader; checksum: number } | null {
  if (at + HEADER_BYTES > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return null
  if (crc32(bytes.subarray(at, at + HEADER_BYTES - 4)) !== bytes.readUInt32LE(at + HEADER_BYTES - 4)) return null
  const version = bytes[at + 4]!
  const form = bytes[at + 5]!
  const payloadForm = (form & ~WITH_HEADERS) as PayloadForm
  if (version !== VERSION || !Object.values(FORM).includes(payloadForm)) {
    throw new MillraceError('LOG_FORMAT', `A stored block has format version ${version}, form ${form}.`)
  }
  const header: BlockHeader = {
    form: payloadForm,
    hasHeaders: (form & WITH_HEADERS) !== 0,
    incarnation: bytes.toString('hex', at + 8, at + 24),
    schemaId: bytes.readUInt32LE(at + 24),
    partition: bytes.readUInt32LE(at + 28),
    firstOffset: Number(bytes.readBigUInt64LE(at + 32)),
    durableOffset: Number(bytes.readBigUInt64LE(at + 40)),
    firstArrival: Number(bytes.readBigInt64LE(at + 48)),
    lastArrival: Number(bytes.readBigInt64LE(at + 56)),
    records: bytes.readUInt32LE(at + 64),
    payloadBytes: bytes.readUInt32LE(at + 68),
    position: Number(bytes.readBigUInt64LE(at + 72)),
    mark: bytes.readUInt32LE(at + 84),
  }
  return { header, checksum: bytes.readUInt32LE(at + 80) }
}

/** The block of a header and its payload, or null when the checksum is wrong. */
export function blockOf(header: BlockHeader, checksum: number, payload: Buffer): Block | null {
  if (crc32(payload) !== checksum) return null
  return blockFrom(header, payload)
}

/** A payload that is known to be right. */
function blockFrom(header: BlockHeader, payload: Buffer): Block {
  const appendsAt = header.hasHeaders ? appendsBegin(payload) : payload.length
  const indexBytes = header.form === FORM.records ? header.records * INDEX_ENTRY_BYTES : 0
  const split = appendsAt - indexBytes
  return {
    header,
    bytes: payload.subarray(0, split),
    index: payload.subarray(split, appendsAt),
    appends: payload.subarray(appendsAt),
  }
}

/** The block in bytes that `BlockBuilder.seal` gave. */
export function sealedBlock(bytes: Buffer): Block {
  return blockFrom(headerAt(bytes, 0)!.header, bytes.subarray(HEADER_BYTES))
}

export interface StoredRecord {
  readonly offset: number
  /** Without its line feed; lent until the reader's next step. */
  readonly bytes: Buffer
  /** Microseconds since the epoch. */
  readonly arrival: number
}

/** The records of a block that holds lines, from the offset `from` on. */
export function* recordsOf(
  { header, bytes, index }: Omit<Block, 'appends'>,
  from = 0,
): Generator<StoredRecord, void, undefined> {
  const { firstOffset, firstArrival, records, form } = header
  let start = 0
  for (let record = 0; record < records; record++) {
    const end =
      form === FORM.records ? index.readUInt32LE(record * INDEX_ENTRY_BYTES) : bytes.indexOf(LINE_FEED, start) + 1
    const offset = firstOffset + record
    if (offset >= from) {
      const after = form === FORM.records ? index.readUInt32LE(record * INDEX_ENTRY_BYTES + 4) : 0
      yield { offset, bytes: bytes.subarray(start, end - 1), arrival: firstArrival + after }
    }
    start = end
  }
}

/** Gathers records until they are sealed as a block. */
export class BlockBuilder {
  readonly #form: PayloadForm
  #buffer = Buffer.allocUnsafe(0)
  #end = HEADER_BYTES
  #index = new Uint32Array(256)
  #records = 0
  #firstArrival = 0
  #lastArrival = 0
  readonly #appends = new AppendsBuilder()

  constructor(form: PayloadForm) {
    this.#form = form
  }

  get records(): number {
    return this.#records
  }

  /** Bytes of the block as it would be written now. */
  get bytes(): number {
    return this.#end + this.#indexBytes + this.#appends.bytes
  }

  get #indexBytes(): number {
    return this.#form === FORM.records ? this.#records * INDEX_ENTRY_BYTES : 0
  }

  /** Whether records of this arrival time can stand in the same block as those before. */
  fits(arrival: number): boolean {
    const span = arrival - this.#firstArrival
    return this.#records === 0 || (span >= 0 && span <= ARRIVAL_SPAN_MAX_US)
  }

  /** Adds the records; returns how many. `room` is the length that the block is likely to reach. */
  add(records: Records, arrival: number, room: number): number {
    const { bytes } = records
    const hasLines = this.#form !== FORM.columns && records.ends === undefined
    const endsOpen = hasLines && bytes.length > 0 && bytes[bytes.length - 1] !== LINE_FEED
    const need = bytes.length + (endsOpen ? 1 : 0)
    this.#reserve(need, room)
    const start = this.#end
    this.#buffer.set(bytes, start)
    if (endsOpen) this.#buffer[start + bytes.length] = LINE_FEED
    this.#end += need
    if (this.#records === 0) {
      this.#firstArrival = arrival
      this.#lastArrival = arrival
    }
    this.#lastArrival = Math.max(this.#lastArrival, arrival)
    const before = this.#records
    if (this.#form !== FORM.records) this.#records += records.count ?? linesIn(this.#buffer, start, this.#end)
    else if (records.ends !== undefined) {
      for (const end of records.ends) this.#note(start - HEADER_BYTES + end, arrival)
    } else {
      for (let at = start; at < this.#end; ) {
        at = this.#buffer.indexOf(LINE_FEED, at) + 1
        this.#note(at - HEADER_BYTES, arrival)
      }
    }
    const added = this.#records - before
    this.#appends.add(added, records.headers ?? null)
    return added
  }

  /** The bytes of the block; the builder is empty then. The bytes are the caller's. */
  seal(
    place: Pick<
      BlockHeader,
      'incarnation' | 'schemaId' | 'partition' | 'firstOffset' | 'durableOffset' | 'position' | 'mark'
    >,
  ): Buffer {
    const total = this.bytes
    if (total > this.#buffer.length) this.#reserve(total - this.#end, total)
    const block = this.#buffer.subarray(0, total)
    if (this.#form === FORM.records) {
      let at = this.#end
      for (let entry = 0; entry < this.#records * 2; entry++) at = block.writeUInt32LE(this.#index[entry]!, at)
    }
    this.#appends.write(block)
    block.fill(0, 0, HEADER_BYTES)
    block.writeUInt32LE(MAGIC, 0)
    block[4] = VERSION
    block[5] = this.#form + (this.#appends.hasHeaders ? WITH_HEADERS : 0)
    block.writeUInt16LE(HEADER_BYTES, 6)
    block.write(place.incarnation, 8, 'hex')
    block.writeUInt32LE(place.schemaId, 24)
    block.writeUInt32LE(place.partition, 28)
    block.writeBigUInt64LE(BigInt(place.firstOffset), 32)
    block.writeBigUInt64LE(BigInt(place.durableOffset), 40)
    block.writeBigInt64LE(BigInt(this.#firstArrival), 48)
    block.writeBigInt64LE(BigInt(this.#lastArrival), 56)
    block.writeUInt32LE(this.#records, 64)
    block.writeUInt32LE(total - HEADER_BYTES, 68)
    block.writeBigUInt64LE(BigInt(place.position), 72)
    block.writeUInt32LE(crc32(block.subarray(HEADER_BYTES)), 80)
    block.writeUInt32LE(place.mark, 84)
    block.writeUInt32LE(crc32(block.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4)
    this.clear()
    return block
  }

  /** Forgets what was gathered. */
  clear(): void {
    this.#buffer = Buffer.allocUnsafe(0)
    this.#end = HEADER_BYTES
    this.#records = 0
    this.#appends.clear()
  }

  #note(end: number, arrival: number): void {
    if (this.#records * 2 + 2 > this.#index.length) {
      const larger = new Uint32Array(this.#index.length * 2)
      larger.set(this.#index)
      this.#index = larger
    }
    this.#index[this.#records * 2] = end
    this.#index[this.#records * 2 + 1] = arrival - this.#firstArrival
    this.#records++
  }

  #reserve(bytes: number, room: number): void {
    const need = this.#end + bytes
    if (need <= this.#buffer.length) return
    // Memory of its own: a block that is kept would keep all of the pool that a small buffer is a slice of.
    const larger = Buffer.allocUnsafeSlow(Math.max(need, this.#buffer.length === 0 ? room : this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#end)
    this.#buffer = larger
  }
}

function linesIn(bytes: Buffer, start: number, end: number): number {
  let lines = 0
  for (let at = start; at < end; at = bytes.indexOf(LINE_FEED, at) + 1) lines++
  return lines
}
