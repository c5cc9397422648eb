/** Records that are decoded before they are kept: those that their schema accepts, as batches, and those that it refuses. */

import { copyBatch } from '../../engine/batch.ts'
import type { DecodedBatch, Decoder } from '../../engine/decode/decoder.ts'
import { lineTooLong } from '../../formats/lines.ts'
import type { Turns } from '../../system/turns.ts'
import type { RefusalReason } from '../rejects/refusals.ts'

const LINE_FEED = 10

export interface PreparedRefusal {
  /** First byte of the line, and how many without its line feed. */
  readonly start: number
  readonly length: number
  readonly path: string
  readonly reason: string
  readonly code: string
}

export interface Prepared {
  /** Accepted records: lent until the decoder's next input where there is one batch, else own copies. */
  readonly batches: readonly DecodedBatch[]
  /** In the order of their lines. */
  readonly refused: readonly PreparedRefusal[]
  /** Whether lines were blank: they are no records. */
  readonly hasBlank: boolean
}

export interface PrepareOptions {
  readonly recordBytesMax: number
  /** Of more than so many refusals nothing more is decoded. */
  readonly refusedMax: number
  /** Gives the batch without the rows that it refuses for another reason than their schema. */
  readonly judge: (batch: DecodedBatch, refuse: (row: number, why: RefusalReason) => void) => DecodedBatch
  readonly turns: Turns
}

/** null: more records are refused than may be. The decoder has no other caller until it is known. */
export async function prepareRecords(
  decoder: Decoder,
  bytes: Uint8Array,
  { recordBytesMax, refusedMax, judge, turns }: PrepareOptions,
): Promise<Prepared | null> {
  const batches: DecodedBatch[] = []
  const refused: PreparedRefusal[] = []
  let hasBlank = false
  for (const { start, length, isTooLong } of linePieces(bytes, recordBytesMax)) {
    if (isTooLong) {
      const reason = lineTooLong(length, recordBytesMax)
      const bare = length - (bytes[start + length - 1] === LINE_FEED ? 1 : 0)
      refused.push({ start, length: bare, path: '', reason, code: 'RECORD_INVALID' })
      continue
    }
    decoder.load(bytes.subarray(start, start + length))
    const isAll = length === bytes.length
    let lines = 0
    for (let batch = decoder.next(); batch !== null; batch = decoder.next()) {
      const decoded = batch
      for (const { start: at, length, path, reason, code } of decoded.refused) {
        refused.push({ start: start + at, length, path, reason, code })
      }
      const accepted = judge(decoded, (row, why) => {
        const at = decoded.rowStarts[row]!
        refused.push({ ...why, start: start + at, length: decoder.lineAt(at).length, path: '' })
      })
      if (refused.length > refusedMax) return null
      hasBlank ||= decoded.linesEnd - lines > decoded.length + decoded.refused.length
      lines = decoded.linesEnd
      batches.push(isAll && decoder.isDone && batches.length === 0 ? accepted : ownCopy(accepted, start))
      const turn = turns.next()
      if (turn !== null) await turn
    }
  }
  if (refused.length > refusedMax) return null
  return { batches, refused: refused.sort((a, b) => a.start - b.start), hasBlank }
}

/** Stretches of whole lines of at most so many bytes; a longer line comes alone, and says so. */
export function* linePieces(
  bytes: Uint8Array,
  bytesMax: number,
): Generator<{ readonly start: number; readonly length: number; readonly isTooLong: boolean }> {
  for (let start = 0; start < bytes.length; ) {
    let end = Math.min(start + bytesMax, bytes.length)
    if (end < bytes.length) end = bytes.lastIndexOf(LINE_FEED, end - 1) + 1
    const isTooLong = end <= start
    if (isTooLong) {
      const next = bytes.indexOf(LINE_FEED, start)
      end = next < 0 ? bytes.length : next + 1
    }
    yield { start, length: end - start, isTooLong }
    start = end
  }
}

/** A batch that can be kept, with its row starts counted from the beginning of all the bytes. */
function ownCopy(batch: DecodedBatch, base: number): DecodedBatch {
  return { ...batch, ...copyBatch(batch), rowStarts: batch.rowStarts.map(start => start + base) }
}
