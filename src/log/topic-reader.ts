/** A stored topic as a source that is read again: its records in pieces as decoders take them, with their arrival. */
import { type Block, FORM } from './block.ts'
import type { LogEvent } from './read.ts'

export interface RecordChunk {
  /** Whole records, each ended by a line feed; lent until the next step. */
  readonly bytes: Buffer
  readonly firstOffset: number
  readonly records: number
  /** When they arrived, all at once, in microseconds since the epoch. */
  readonly arrival: number
}

/** Offsets `from` to `to` (excluded) are not there: given up by retention, or damaged. A chunk of records has no `kind`. */
export interface ChunkGap {
  readonly kind: 'gap'
  readonly from: number
  readonly to: number
  readonly reason: string
}

interface Readable {
  read(from: number): Iterable<LogEvent>
}

const LINE_FEED = 10
const ENTRY_BYTES = 8

/**
 * The durable records of a log from an offset on, to its end as it stands or to the offset `to` (excluded). A chunk holds
 * records of one arrival time, and so at most one block: what was appended together comes together.
 */
export function* readChunks(
  log: Readable,
  from: number,
  to = Number.POSITIVE_INFINITY,
): Generator<RecordChunk | ChunkGap, void, undefined> {
  for (const event of eventsBelow(log, from, to)) {
    if (event.kind === 'gap') yield event
    else yield* chunksOf(event.block, event.from, to)
  }
}

/** Blocks from an offset on that begin before `to`, and the holes between them up to there. */
export function* eventsBelow(
  log: Readable,
  from: number,
  to: number,
): Generator<Extract<LogEvent, { kind: 'block' }> | ChunkGap, void, undefined> {
  for (const event of log.read(from)) {
    const first = event.kind === 'gap' ? event.from : event.block.header.firstOffset
    if (first >= to) return
    if (event.kind === 'block') yield event
    else yield { kind: 'gap', from: event.from, to: Math.min(event.to, to), reason: event.reason }
  }
}

/** The chunks of one block that holds lines. */
export function* chunksOf(block: Block, from: number, to: number): Generator<RecordChunk, void, undefined> {
  const chunks = block.header.form === FORM.rows ? rowChunk(block, from) : recordChunks(block, from)
  for (const chunk of chunks) {
    if (chunk.firstOffset >= to) return
    yield chunk.firstOffset + chunk.records <= to ? chunk : firstOf(chunk, to - chunk.firstOffset)
  }
}

function firstOf({ bytes, firstOffset, arrival }: RecordChunk, records: number): RecordChunk {
  let end = 0
  for (let record = 0; record < records; record++) end = bytes.indexOf(LINE_FEED, end) + 1
  return { bytes: bytes.subarray(0, end), firstOffset, records, arrival }
}

function* rowChunk({ header, bytes }: Block, from: number): Generator<RecordChunk, void, undefined> {
  const skipped = Math.max(0, from - header.firstOffset)
  let start = 0
  for (let line = 0; line < skipped; line++) start = bytes.indexOf(LINE_FEED, start) + 1
  const records = header.records - skipped
  const firstOffset = header.firstOffset + skipped
  if (records > 0) {
    yield { bytes: bytes.subarray(start), firstOffset, records, arrival: header.firstArrival }
  }
}

function* recordChunks({ header, bytes, index }: Block, from: number): Generator<RecordChunk, void, undefined> {
  const endOf = (record: number) => (record === 0 ? 0 : index.readUInt32LE((record - 1) * ENTRY_BYTES))
  const delayOf = (record: number) => index.readUInt32LE(record * ENTRY_BYTES + 4)
  for (let first = Math.max(0, from - header.firstOffset); first < header.records; ) {
    const delay = delayOf(first)
    let end = first + 1
    while (end < header.records && delayOf(end) === delay) end++
    yield {
      bytes: bytes.subarray(endOf(first), endOf(end)),
      firstOffset: header.firstOffset + first,
      records: end - first,
      arrival: header.firstArrival + delay,
    }
    first = end
  }
}
