/** Cuts NDJSON bytes into chunks of whole lines, with bounded memory however long a line is. */
import type { ErrorCode } from '../system/errors.ts'

/** Part of one partition: whole lines, or a stretch that cannot be read. */
export type Piece =
  | { readonly kind: 'records'; readonly bytes: Uint8Array; readonly position: number; readonly anchor?: Anchor }
  | {
      readonly kind: 'damaged'
      readonly position: number
      readonly reason: string
      readonly bytes: Uint8Array | null
      readonly bytesTotal: number | null
      readonly lines?: number
      readonly code?: ErrorCode
      readonly anchor?: Anchor
    }

/** A place from which a translated partition can be read on without what stands before it. */
export interface Anchor {
  /** In the partition, whose positions count bytes of the translated form. */
  readonly position: number
  /** Lines (rows, where the format has no lines) of the file that stand before it. */
  readonly lines: number
  /** In the file as its format counts: unpacked bytes of CSV, rows of Parquet. */
  readonly place: number
}

/** Where a partition goes on. */
export interface ResumePoint {
  /** Records before it are done. Infinity: all of them. */
  readonly position: number
  /** Lines that are done, counted as the last anchor counts them. */
  readonly lines: number
  /** The last one at or before the position; null: the partition is read from its start, and what is done left out. */
  readonly anchor: Anchor | null
  /** Of a partition that was read to its end, where that was. */
  readonly endedAt?: number
  /** Of a file, how it began and how long it was when it was read last. */
  readonly fingerprint?: string
  readonly fileBytes?: number
}

/** The input cannot be read further; what was read before it stands. */
export class Damaged extends Error {
  /** What could not be read, where it is known; otherwise the beginning of the line that was cut off. */
  readonly bytes: Uint8Array | null
  readonly bytesTotal: number | null
  readonly code: ErrorCode

  constructor(
    reason: string,
    bytes: Uint8Array | null = null,
    bytesTotal: number | null = bytes?.length ?? null,
    code: ErrorCode = 'SOURCE_DAMAGED',
  ) {
    super(reason)
    this.bytes = bytes
    this.bytesTotal = bytesTotal
    this.code = code
  }
}

/** How much of a stretch that cannot be read is kept. */
export const DAMAGED_BYTES_KEPT = 1024

const LINE_FEED = 10

export function lineTooLong(length: number, limit: number): string {
  return `the record has ${length} bytes, more than the ${limit} that a record may have`
}

/**
 * Whole lines of a stream of NDJSON bytes, in pieces of at most `limit` bytes. A longer line becomes one damaged piece.
 * A last line without a line feed counts, unless the input was cut off there (`Damaged` thrown by the input): then it
 * goes with the damage. The bytes of a piece are valid until the next one is asked for.
 */
export async function* wholeLines(
  input: AsyncIterable<Uint8Array | Damaged>,
  limit: number,
): AsyncGenerator<Piece, void, undefined> {
  const buffer = Buffer.allocUnsafe(limit)
  let held = 0
  let position = 0
  /** Bytes so far of a line that is too long, its beginning kept; -1: none. */
  let longLength = -1
  let longHead: Buffer | null = null

  /** A byte order mark is no part of the first record. */
  const records = (end: number): Piece => {
    const skip = position === 0 && buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf ? 3 : 0
    return { kind: 'records', bytes: buffer.subarray(Math.min(skip, end), end), position: position + skip }
  }

  function* endLong(): Generator<Piece> {
    yield {
      kind: 'damaged',
      position,
      reason: lineTooLong(longLength, limit),
      bytes: longHead,
      bytesTotal: longLength,
      lines: 1,
    }
    position += longLength
    longLength = -1
    longHead = null
  }

  try {
    for await (const item of input) {
      if (item instanceof Damaged) {
        // The input goes on behind this stretch: what is held is whole lines.
        if (held > 0) yield records(held)
        position += held
        held = 0
        const { message: reason, bytes, bytesTotal, code } = item
        yield { kind: 'damaged', position, reason, bytes, bytesTotal, code }
        continue
      }
      let from = 0
      while (from < item.length) {
        if (longLength >= 0) {
          const end = item.indexOf(LINE_FEED, from)
          const stop = end < 0 ? item.length : end + 1
          longLength += stop - from
          from = stop
          if (end >= 0) yield* endLong()
          continue
        }
        if (held === limit) {
          // The buffer is full without a line feed, and more of the line is here.
          longLength = held
          longHead = Buffer.from(buffer.subarray(0, Math.min(held, DAMAGED_BYTES_KEPT)))
          held = 0
          continue
        }
        const take = Math.min(limit - held, item.length - from)
        buffer.set(item.subarray(from, from + take), held)
        held += take
        from += take
        if (held < limit) break
        const end = buffer.lastIndexOf(LINE_FEED, held - 1)
        if (end < 0) continue
        yield records(end + 1)
        position += end + 1
        buffer.copyWithin(0, end + 1, held)
        held -= end + 1
      }
    }
  } catch (error) {
    if (!(error instanceof Damaged)) throw error
    const end = held === 0 ? -1 : buffer.lastIndexOf(LINE_FEED, held - 1)
    if (end >= 0) yield records(end + 1)
    position += end + 1
    const rest = longHead ?? buffer.subarray(end + 1, Math.min(held, end + 1 + DAMAGED_BYTES_KEPT))
    const restTotal = longHead === null ? held - end - 1 : longLength
    yield error.bytes === null
      ? {
          kind: 'damaged',
          position,
          reason: error.message,
          bytes: rest.length > 0 ? rest : null,
          bytesTotal: restTotal,
        }
      : { kind: 'damaged', position, reason: error.message, bytes: error.bytes, bytesTotal: error.bytesTotal }
    return
  }
  if (longLength >= 0) yield* endLong()
  else if (held > 0) yield records(held)
}

/** The pieces from a position on, which is the end of one of them or of a line in one. */
export async function* piecesFrom(
  pieces: AsyncGenerator<Piece, void, undefined>,
  from: number,
): AsyncGenerator<Piece, void, undefined> {
  for await (const piece of pieces) {
    if (piece.position >= from) yield piece
    else if (piece.kind === 'records' && piece.position + piece.bytes.length > from) {
      yield { kind: 'records', bytes: piece.bytes.subarray(from - piece.position), position: from }
    }
  }
}
