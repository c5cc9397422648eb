/** CSV as NDJSON lines: the header's names are column paths, the topic's columns say what each cell is. */
import { jsonLayout } from '../engine/row-layout.ts'
import type { Column, ColumnType } from '../plan/schema.ts'
import { DAMAGED_BYTES_KEPT, Damaged, lineTooLong } from './lines.ts'

const QUOTE = 34
const LINE_FEED = 10
const RETURN = 13
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const OUTPUT_BYTES = 64 * 1024

export interface CsvOptions {
  readonly delimiter: string
  readonly columns: readonly Column[]
  /** A row with more bytes than this is damage; memory stays within it. */
  readonly limit: number
}

/** One row of cells; null for a cell that is empty and not quoted. */
export type CsvRow = readonly (string | null)[]

/**
 * The header, then each row, of RFC 4180 text: quoted cells may hold delimiters, line breaks and doubled quotes. A stretch
 * that is no row (a quote that never ends, text behind a closing quote, a row that is too long) comes as Damaged.
 */
export async function* csvRows(
  input: AsyncIterable<Uint8Array>,
  delimiter: string,
  limit: number,
): AsyncGenerator<CsvRow | Damaged, void, undefined> {
  const separator = delimiter.charCodeAt(0)
  let held: Buffer = Buffer.alloc(0)
  let skipped = 0
  /** Beginning of the row that is skipped. */
  let skippedHead: Buffer | null = null
  let inQuotes = false
  let first = true
  let cutOff: Damaged | null = null

  const chunks = input[Symbol.asyncIterator]()
  for (;;) {
    let next: IteratorResult<Uint8Array>
    try {
      next = await chunks.next()
    } catch (error) {
      if (!(error instanceof Damaged)) throw error
      cutOff = error
      next = { done: true, value: undefined }
    }
    if (next.done) break
    let chunk: Buffer = Buffer.from(next.value)
    if (first) {
      first = false
      if (chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf) chunk = chunk.subarray(3)
    }
    let scanned = held.length
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    let start = 0
    for (; scanned < bytes.length; scanned++) {
      const byte = bytes[scanned]!
      // A doubled quote leaves and enters again at once, so a line feed counts only outside.
      if (byte === QUOTE) inQuotes = !inQuotes
      else if (byte === LINE_FEED && !inQuotes) {
        if (skipped > 0) {
          yield tooLong(skipped + scanned + 1 - start)
          skipped = 0
        } else {
          const end = scanned > start && bytes[scanned - 1] === RETURN ? scanned - 1 : scanned
          if (end > start) yield cellsOf(bytes, start, end, separator)
        }
        start = scanned + 1
      }
    }
    held = bytes.subarray(start)
    if (held.length > limit) {
      if (skipped === 0 && inQuotes) {
        // Most likely a quote that nobody closed: give up this line only, and look again from the next one.
        const end = held.indexOf(LINE_FEED)
        if (end >= 0 && end < limit) {
          yield new Damaged(
            'a quote is opened and not closed',
            Buffer.from(held.subarray(0, Math.min(end, DAMAGED_BYTES_KEPT))),
          )
          const again = Buffer.from(held.subarray(end + 1))
          held = Buffer.alloc(0)
          inQuotes = false
          yield* rescan(again)
          continue
        }
      }
      if (skipped === 0) skippedHead = Buffer.from(held.subarray(0, DAMAGED_BYTES_KEPT))
      skipped += held.length
      held = Buffer.alloc(0)
    }
  }
  if (skipped > 0) yield tooLong(skipped + held.length)
  else if (held.length > 0) {
    const end = held.at(-1) === RETURN ? held.length - 1 : held.length
    if (cutOff !== null) throw new Damaged(cutOff.message, Buffer.from(held.subarray(0, DAMAGED_BYTES_KEPT)))
    if (inQuotes) {
      const line = held.indexOf(LINE_FEED)
      yield new Damaged(
        'a quote is opened and not closed',
        Buffer.from(held.subarray(0, Math.min(line < 0 ? held.length : line, DAMAGED_BYTES_KEPT))),
      )
      inQuotes = false
      if (line >= 0) yield* csvRows(once(Buffer.from(held.subarray(line + 1))), delimiter, limit)
    } else if (end > 0) yield cellsOf(held, 0, end, separator)
  }
  if (cutOff !== null) throw cutOff

  function tooLong(length: number): Damaged {
    return new Damaged(lineTooLong(length, limit), skippedHead, length)
  }

  /** Rows of a part that was taken into a quoted cell by mistake; what is left of it is held again. */
  function* rescan(bytes: Buffer): Generator<CsvRow | Damaged, void, undefined> {
    let start = 0
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index]!
      if (byte === QUOTE) inQuotes = !inQuotes
      else if (byte === LINE_FEED && !inQuotes) {
        const end = index > start && bytes[index - 1] === RETURN ? index - 1 : index
        if (end > start) yield cellsOf(bytes, start, end, separator)
        start = index + 1
      }
    }
    held = bytes.subarray(start)
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}

function cellsOf(bytes: Buffer, start: number, end: number, separator: number): CsvRow | Damaged {
  const text = bytes.toString('utf8', start, end)
  if (!text.includes('"')) {
    return text.split(String.fromCharCode(separator)).map(cell => (cell === '' ? null : cell))
  }
  const cells: (string | null)[] = []
  for (let at = 0; ; ) {
    if (text.charCodeAt(at) === QUOTE) {
      let cell = ''
      let from = at + 1
      for (;;) {
        const close = text.indexOf('"', from)
        if (close < 0) return new Damaged('a quote is opened and not closed', kept(bytes, start, end))
        cell += text.slice(from, close)
        from = close + 1
        if (text.charCodeAt(from) !== QUOTE) break
        cell += '"'
        from++
      }
      if (from < text.length && text.charCodeAt(from) !== separator) {
        return new Damaged('there is text behind a closing quote', kept(bytes, start, end))
      }
      cells.push(cell)
      if (from >= text.length) return cells
      at = from + 1
    } else {
      const stop = text.indexOf(String.fromCharCode(separator), at)
      const cell = stop < 0 ? text.slice(at) : text.slice(at, stop)
      if (cell.includes('"'))
        return new Damaged('a quote stands inside a cell that is not quoted', kept(bytes, start, end))
      cells.push(cell === '' ? null : cell)
      if (stop < 0) return cells
      at = stop + 1
    }
  }
}

function kept(bytes: Buffer, start: number, end: number): Buffer {
  return Buffer.from(bytes.subarray(start, Math.min(end, start + DAMAGED_BYTES_KEPT)))
}

/** Rows as NDJSON: `values.x` in the header nests. A row with another number of cells than the header is damage. */
export async function* csvAsLines(
  input: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): AsyncGenerator<Uint8Array | Damaged, void, undefined> {
  let encode: ((row: CsvRow) => string) | null = null
  let width = 0
  let pending = ''
  try {
    for await (const row of csvRows(input, options.delimiter, options.limit)) {
      if (row instanceof Damaged || (encode !== null && row.length !== width)) {
        if (pending !== '') yield Buffer.from(pending)
        pending = ''
        yield row instanceof Damaged
          ? row
          : new Damaged(
              `the row has ${row.length} cells, the header ${width}`,
              Buffer.from(row.map(cell => cell ?? '').join(options.delimiter)).subarray(0, DAMAGED_BYTES_KEPT),
            )
      } else if (encode === null) {
        width = row.length
        encode = rowEncoder(
          row.map((name, index) => name?.trim() || `column_${index + 1}`),
          options.columns,
        )
      } else {
        pending += encode(row)
        if (pending.length >= OUTPUT_BYTES) {
          yield Buffer.from(pending)
          pending = ''
        }
      }
    }
  } catch (error) {
    if (pending !== '') yield Buffer.from(pending)
    pending = ''
    throw error
  }
  if (pending !== '') yield Buffer.from(pending)
}

function rowEncoder(names: readonly string[], columns: readonly Column[]): (row: CsvRow) => string {
  const layout = jsonLayout(names)
  const types = new Map(columns.map(column => [column.name, column.type]))
  const cells = layout.cells.map(({ prefix, column }) => ({
    prefix: Buffer.from(prefix).toString(),
    column,
    type: types.get(names[column]!) ?? null,
  }))
  const suffix = Buffer.from(layout.suffix).toString()
  return row => {
    let line = ''
    for (const { prefix, column, type } of cells) line += prefix + cellAsJson(row[column] ?? null, type)
    return line + suffix
  }
}

/**
 * A cell as JSON. What does not have the form of its column's type goes on as a text, so that the schema refuses it in
 * its own words. A cell of no column of the topic is a number where it looks like one.
 */
export function cellAsJson(cell: string | null, type: ColumnType | null): string {
  if (cell === null) return 'null'
  switch (type) {
    case 'text':
      return JSON.stringify(cell)
    case 'number':
    case 'timestamp':
    case null: {
      const trimmed = cell.trim()
      return JSON_NUMBER.test(trimmed) ? trimmed : JSON.stringify(cell)
    }
    case 'boolean': {
      const lower = cell.trim().toLowerCase()
      return lower === 'true' || lower === 'false' ? lower : JSON.stringify(cell)
    }
    case 'json':
      try {
        JSON.parse(cell)
        return cell.replace(/[\r\n]/g, ' ')
      } catch {
        return JSON.stringify(cell)
      }
  }
}
