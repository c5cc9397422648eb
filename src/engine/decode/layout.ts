/**
 * Where things lie in the decoder's memory. Addresses are fixed when the decoder is made, so that generated code holds
 * them as constants; text tables can grow, so their place is read from a header.
 */
import type { Column } from '../../plan/schema.ts'
import { POWERS_OF_FIVE_BYTES, writePowersOfFive } from './long-number.ts'

/** Rows that one call can fill. */
export const ROWS_MAX = 1 << 15
/** The widest load that generated code makes past the end of the input. */
export const INPUT_PADDING = 64
/** A text table's entry: first 8 bytes, last 8 bytes, hash, length, stored code, address of the whole text. */
export const ENTRY_BYTES = 32
export const ENTRY = { first: 0, last: 8, hash: 16, length: 20, stored: 24, address: 28 } as const
/** Stored codes: 0 is an empty entry, 1 a text that the schema refuses, from 2 on code + 2. */
export const STORED_REFUSED = 1
export const STORED_FIRST = 2

export interface ColumnPlace {
  /** Whether something reads the column; the others are only checked. */
  readonly wanted: boolean
  readonly values: number
  readonly validity: number
  /** Text: address of {base address, entry mask} of the table of known texts. */
  readonly table: number
}

export interface Layout {
  readonly shuffles: number
  readonly powers: number
  /** i64 each, see long-number.ts. */
  readonly powersOfFive: number
  /** i32: the row after the last one written. */
  readonly rowCount: number
  /** i32 a row: where its line begins. */
  readonly rowStarts: number
  readonly columns: readonly ColumnPlace[]
  readonly input: number
  readonly end: number
}

const CELL_BYTES: Record<Column['type'], number> = {
  number: 8,
  int64: 8,
  decimal: 8,
  timestamp: 8,
  text: 4,
  boolean: 1,
  json: 0,
}

export function layOut(columns: readonly Column[], wanted: ReadonlySet<string>, inputBytes: number): Layout {
  let next = 64
  const place = (bytes: number) => {
    const address = next
    next += (bytes + 63) & ~63
    return address
  }
  const shuffles = place(17 * 16 * 16)
  const powers = place(32 * 8)
  const powersOfFive = place(POWERS_OF_FIVE_BYTES)
  const rowCount = place(4)
  const rowStarts = place(ROWS_MAX * 4)
  const places = columns.map(column => {
    const isWanted = wanted.has(column.name)
    return {
      wanted: isWanted,
      values: isWanted ? place(ROWS_MAX * CELL_BYTES[column.type]) : 0,
      validity: isWanted && column.nullable && column.type !== 'text' ? place(ROWS_MAX) : 0,
      table: column.type === 'text' ? place(8) : 0,
    }
  })
  const input = place(inputBytes + INPUT_PADDING)
  return { shuffles, powers, powersOfFive, rowCount, rowStarts, columns: places, input, end: next }
}

/**
 * Fills the constants that generated code reads. A shuffle row [n1 * 16 + n2] moves n1 digits, a point and n2 digits to
 * the right end of 16 lanes without the point; lanes without a digit become 0 (index 255 selects nothing).
 */
export function writeConstants(memory: ArrayBuffer, layout: Layout): void {
  const shuffles = new Uint8Array(memory, layout.shuffles, 17 * 16 * 16).fill(255)
  for (let whole = 0; whole <= 16; whole++) {
    for (let fraction = 0; fraction < 16; fraction++) {
      const digits = whole + fraction
      if (digits > 16) continue
      for (let digit = 0; digit < digits; digit++) {
        shuffles[(whole * 16 + fraction) * 16 + 16 - digits + digit] = digit < whole ? digit : digit + 1
      }
    }
  }
  const powers = new Float64Array(memory, layout.powers, 23)
  for (let exponent = 0; exponent < 23; exponent++) powers[exponent] = Number(`1e${exponent}`)
  writePowersOfFive(memory, layout.powersOfFive)
}
