/** The header of a CSV file: where it is, what it says, and what the file may be when it does not fit. */
import { MillraceError } from '../../system/errors.ts'
import { checkHeader, type HeaderCheck } from '../header.ts'
import { DAMAGED_BYTES_KEPT } from '../lines.ts'
import { cellsOf } from './cells.ts'
import type { CsvOptions, OpenAt } from './options.ts'
import { RowSplitter } from './row-splitter.ts'

export interface CsvHeader {
  readonly names: readonly string[]
  /** Where the first row begins: bytes and lines of the file before it. */
  readonly place: number
  readonly lines: number
}

const DELIMITERS = [',', ';', '\t', '|']

/**
 * The header, null where the file ends before it. Throws HEADER_MISMATCH when it cannot be read, and Damaged where the
 * file is cut off before it.
 */
export async function readCsvHeader(path: string, open: OpenAt, options: CsvOptions): Promise<CsvHeader | null> {
  const { delimiter, encoding, limit, skipLines, names } = options
  const splitter = new RowSplitter({ delimiter, encoding, limit, skipLines, isStart: true })
  let place = 0
  let lines = 0
  const headerIn = (chunk: Uint8Array, isLast: boolean): CsvHeader | null => {
    for (const stretch of splitter.push(chunk, isLast)) {
      // Without a header the rows begin where the first of them does.
      if (names !== null && (stretch.kind === 'row' || stretch.kind === 'bad')) return { names, place, lines }
      place += stretch.length
      lines += stretch.lines
      if (stretch.kind !== 'row' && stretch.kind !== 'bad') continue
      const text = encoding.decode(stretch.bytes)
      if (stretch.kind === 'bad' || text === null) throw unreadableHeader(path, stretch.bytes, stretch.reason, options)
      const cells = cellsOf(text, { delimiter, nulls: new Set() })
      return { names: cells.map((name, index) => name?.trim() || `column_${index + 1}`), place, lines }
    }
    return null
  }
  for await (const chunk of encoding.readable(open(0))) {
    const header = headerIn(chunk, false)
    if (header !== null) return header
  }
  return headerIn(Buffer.alloc(0), true)
}

/** What somebody should know of the header. Throws HEADER_MISMATCH as `checkHeader` does. */
export function checkCsvHeader(
  { names }: CsvHeader,
  check: Omit<HeaderCheck, 'suspect'>,
  options: CsvOptions,
): MillraceError[] {
  return checkHeader(
    names.map(name => ({ name })),
    { ...check, suspect: () => otherDelimiter(names, check, options) ?? noHeader(names, options) },
  )
}

function otherDelimiter(names: readonly string[], { columns }: Pick<HeaderCheck, 'columns'>, options: CsvOptions) {
  if (options.names !== null) return null
  const line = names.join(options.delimiter)
  const known = new Set(columns.map(({ name }) => name))
  const fitting = (delimiter: string) =>
    cellsOf(line, { delimiter, nulls: new Set() }).filter(name => name !== null && known.has(name.trim())).length
  const now = fitting(options.delimiter)
  const best = DELIMITERS.map(delimiter => ({ delimiter, fits: fitting(delimiter) })).sort(
    (a, b) => b.fits - a.fits,
  )[0]!
  if (best.fits <= now) return null
  const shown = best.delimiter === '\t' ? "'\\t'" : `'${best.delimiter}'`
  return {
    what: `its cells are separated by ${best.delimiter === '\t' ? 'tabs' : shown}`,
    next: `Say so: file({ path, delimiter: ${shown} }).`,
  }
}

function noHeader(names: readonly string[], options: CsvOptions) {
  if (options.names !== null || !names.some(name => /^-?\d+([.,]\d+)?$/.test(name))) return null
  return {
    what: 'its first line looks like a row',
    next: "If the file has no header, name its columns: file({ path, header: false, columns: ['a', 'b'] }).",
  }
}

function unreadableHeader(
  path: string,
  bytes: Buffer,
  reason: string,
  { encoding, skipLines }: CsvOptions,
): MillraceError {
  const shown = JSON.stringify(bytes.subarray(0, Math.min(80, DAMAGED_BYTES_KEPT)).toString('latin1'))
  const other = otherFormat(bytes)
  if (other !== null) {
    const message = `${path}: the header cannot be read: the file ${other.what} (${shown}).`
    return new MillraceError('HEADER_MISMATCH', message, { next: other.next })
  }
  const isUtf16 = encoding.name === 'utf-8' && bytes.includes(0)
  const what = reason !== '' ? reason : `it is not text in ${encoding.name}`
  const next = isUtf16
    ? `The file seems to be UTF-16: file({ path, encoding: '${bytes[0] === 0xfe || bytes[0] === 0 ? 'utf-16be' : 'utf-16le'}' }).`
    : reason !== ''
      ? `Correct it, or say how many lines stand above the header: file({ path, skipLines: ${skipLines + 1} }) would take the line below (now ${skipLines}).`
      : "Say how the file is encoded: file({ path, encoding: 'windows-1252' })."
  return new MillraceError('HEADER_MISMATCH', `${path}: the header cannot be read: ${what} (${shown}).`, { next })
}

/** What else the first bytes of the file say that it is; null: nothing. */
function otherFormat(bytes: Buffer): { readonly what: string; readonly next: string } | null {
  const begins = (...first: number[]) => first.every((byte, index) => bytes[index] === byte)
  if (begins(0x1f, 0x8b)) return { what: 'is packed with gzip', next: "Say so: file({ path, compression: 'gzip' })." }
  if (begins(0x28, 0xb5, 0x2f, 0xfd))
    return { what: 'is packed with zstd', next: "Say so: file({ path, compression: 'zstd' })." }
  if (begins(0x50, 0x41, 0x52, 0x31))
    return { what: 'is a Parquet file', next: "Say so: file({ path, format: 'parquet' })." }
  if (!/^\s*[{[]/.test(bytes.toString('latin1'))) return null
  return { what: 'looks like JSON', next: "Say so: file({ path, format: 'ndjson' }), or 'json' for one array." }
}
