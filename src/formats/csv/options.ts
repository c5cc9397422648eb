/** How a CSV file is written. */
import type { TextEncoding } from '../text-encoding.ts'

export interface CsvOptions {
  readonly delimiter: string
  /** Texts that mean null where they are a whole cell without quotes; an empty cell always does. */
  readonly nulls: ReadonlySet<string>
  /** What stands before the fraction of a number. */
  readonly decimal: '.' | ','
  /** Lines above the header. */
  readonly skipLines: number
  /** The names of the columns where the file has no header; null: it has one. */
  readonly names: readonly string[] | null
  readonly encoding: TextEncoding
  /** The longest row, in bytes. */
  readonly limit: number
}

/** The bytes of a file, unpacked, from a place on. */
export type OpenAt = (place: number) => AsyncIterable<Uint8Array>
