/**
 * Splits what the decoder found in many messages into the share of each. The decoder is the only one that counts: a record
 * that is stored is a row that it gave, so the offsets of the log and the positions of the task are the same numbers.
 */
import type { PushedMessage } from '../../connectors/contract.ts'
import type { MessageKey } from './idempotency.ts'
import type { Prepared, PreparedRefusal } from './prepare.ts'

const LINE_FEED = 10
const NO_ENDS = new Uint32Array(0)
const NONE_REFUSED: readonly PreparedRefusal[] = []

/** A message with its idempotency key; null: it has none. */
export interface KeyedMessage {
  readonly message: PushedMessage
  readonly key: MessageKey | null
}

export interface Share extends KeyedMessage {
  /** Where its lines begin in the bytes of all. */
  readonly start: number
  /** Accepted records: whole lines, and where each ends, behind its line feed. */
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
  readonly refused: readonly PreparedRefusal[]
  /** Dead letters that were kept of it now. */
  letters: number
  /** Why nothing of it is kept; null so far. */
  error: Error | null
}

/** `bytes`: the lines of the messages, one behind the other, as they were prepared. */
export function sharesOf(messages: readonly KeyedMessage[], prepared: Prepared, bytes: Uint8Array): Share[] {
  const { refused, hasBlank } = prepared
  const starts = rowStartsOf(prepared)
  let start = 0
  let row = 0
  let next = 0
  return messages.map(({ message, key }) => {
    const end = start + message.bytes
    const firstRow = row
    while (row < starts.length && starts[row]! < end) row++
    const firstRefused = next
    while (next < refused.length && refused[next]!.start < end) next++
    const own = firstRefused === next ? NONE_REFUSED : refused.slice(firstRefused, next)
    const rows = starts.subarray(firstRow, row)
    const lines = hasBlank || own.length > 0 ? picked(bytes, rows) : whole(bytes.subarray(start, end), start, rows)
    const share = { message, key, start, bytes: lines.bytes, ends: lines.ends, refused: own, letters: 0, error: null }
    start = end
    return share
  })
}

/** The number of the line, from 0 at the first line of the share, in which each of its first refusals stands. */
export function linesOfRefused({ start, refused }: Share, bytes: Uint8Array, most: number): number[] {
  const lines: number[] = []
  let line = 0
  let at = start
  for (const { start: place } of refused.slice(0, most)) {
    for (let feed = bytes.indexOf(LINE_FEED, at); feed >= 0 && feed < place; feed = bytes.indexOf(LINE_FEED, at)) {
      line++
      at = feed + 1
    }
    lines.push(line)
  }
  return lines
}

function rowStartsOf({ batches }: Prepared): Int32Array {
  if (batches.length === 1) return batches[0]!.rowStarts
  const starts = new Int32Array(batches.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const { rowStarts } of batches) {
    starts.set(rowStarts, at)
    at += rowStarts.length
  }
  return starts
}

/** Each line is a row: one ends where the next one begins. */
function whole(bytes: Uint8Array, start: number, rows: Int32Array): Pick<Share, 'bytes' | 'ends'> {
  const ends = new Uint32Array(rows.length)
  for (let row = 1; row < rows.length; row++) ends[row - 1] = rows[row]! - start
  if (rows.length > 0) ends[rows.length - 1] = bytes.length
  return { bytes, ends }
}

/** The lines of the rows alone. */
function picked(bytes: Uint8Array, rows: Int32Array): Pick<Share, 'bytes' | 'ends'> {
  if (rows.length === 0) return { bytes: bytes.subarray(0, 0), ends: NO_ENDS }
  const ends = new Uint32Array(rows.length)
  const pieces: Uint8Array[] = []
  let length = 0
  for (let row = 0; row < rows.length; row++) {
    const piece = bytes.subarray(rows[row], bytes.indexOf(LINE_FEED, rows[row]) + 1)
    pieces.push(piece)
    length += piece.length
    ends[row] = length
  }
  return { bytes: Buffer.concat(pieces, length), ends }
}
