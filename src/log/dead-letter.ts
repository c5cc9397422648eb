/** What is kept of a record that could not become one. */

/** Why a record is not in its topic, and the record itself; one line of the topic `dead_letters`. */
export interface DeadLetter {
  readonly topic: string
  /** The file or other place that it came from. */
  readonly source: string
  readonly partition: number
  /** First byte of the record in its partition. */
  readonly position: number
  /** 1-based number of the line, where the source has lines and they were counted. */
  readonly line?: number
  readonly reason: string
  readonly code: string
  /** The record's first bytes: text, or base64 where they are not UTF-8. */
  readonly bytes: string | null
  readonly encoding?: 'base64'
  /** Length of the whole record. */
  readonly bytes_total: number
  /** Microseconds since the epoch; null for historic input. */
  readonly arrived: number | null
}

/** A dead letter keeps at most this much of a record. */
export const DEAD_LETTER_BYTES_MAX = 64 * 1024

/** The bytes of a refused record as a dead letter keeps them: text when they are UTF-8, else base64. */
export function deadLetterBytes(bytes: Uint8Array | null): {
  readonly bytes: string | null
  readonly encoding?: 'base64'
} {
  if (bytes === null) return { bytes: null }
  const kept = bytes.length > DEAD_LETTER_BYTES_MAX ? bytes.subarray(0, DEAD_LETTER_BYTES_MAX) : bytes
  // The cut may fall inside a character: up to three bytes at the end may then be left out of the text.
  for (let dropped = 0; dropped < 4 && dropped <= kept.length; dropped++) {
    if (dropped > 0 && kept === bytes) break
    try {
      return {
        bytes: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
          kept.subarray(0, kept.length - dropped),
        ),
      }
    } catch {
      // Not UTF-8 so far: perhaps it is without its last byte, else base64.
    }
  }
  return { bytes: Buffer.from(kept).toString('base64'), encoding: 'base64' }
}
