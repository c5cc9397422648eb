/** The rows of a CSV file as NDJSON: the header's names are column paths, the topic's columns say what each cell is. */
import { jsonLayout } from '../../engine/row-layout.ts'
import { type Column, isNumberUnit } from '../../plan/schema.ts'
import type { ErrorCode } from '../../system/errors.ts'
import { type Anchor, Damaged, lineTooLong, type Piece, type ResumePoint } from '../lines.ts'
import { type CsvRow, cellAsJson, cellsOf } from './cells.ts'
import type { CsvHeader } from './header.ts'
import type { CsvOptions, OpenAt } from './options.ts'
import { RowSplitter, type Stretch } from './row-splitter.ts'

const OUTPUT_BYTES = 64 * 1024
/** CR LF in UTF-16. */
const LINE_END_BYTES_MAX = 4
const NOTHING = Buffer.alloc(0)

/**
 * The rows from a point on. `values.x` in the header nests. A row with another number of cells than the header, with
 * bytes that are not text in the file's encoding, or that is too long is a damaged piece of its own. Line n of a piece
 * stands in line `anchor.lines + n` of the file.
 */
export async function* csvPieces(
  open: OpenAt,
  header: CsvHeader,
  columns: readonly Column[],
  options: CsvOptions,
  from: ResumePoint | null,
): AsyncGenerator<Piece, void, undefined> {
  if (from?.position === Number.POSITIVE_INFINITY) return
  const { delimiter, encoding, limit } = options
  const start = from?.anchor ?? { position: 0, lines: header.lines, place: header.place }
  const splitter = new RowSplitter({ delimiter, encoding, limit, skipLines: 0, isStart: false })
  const translator = new Translator(start, from, rowEncoder(header.names, columns, options.decimal), {
    ...options,
    width: header.names.length,
  })
  function* piecesOf(chunk: Uint8Array, isLast: boolean): Generator<Piece> {
    for (const stretch of splitter.push(chunk, isLast)) yield* translator.take(stretch)
    yield* translator.flush()
  }
  try {
    for await (const chunk of encoding.readable(open(start.place))) yield* piecesOf(chunk, false)
  } catch (error) {
    if (!(error instanceof Damaged)) throw error
    yield translator.cutOff(error, splitter.rest)
    return
  }
  yield* piecesOf(NOTHING, true)
}

class Translator {
  readonly #encode: (row: CsvRow) => string
  readonly #options: CsvOptions & { readonly width: number }
  /** Lines before it are done. */
  readonly #fromLine: number
  /** Rows before it are done; counted only where there was no anchor to go on from. */
  readonly #fromPosition: number
  #position: number
  #lines: number
  #place: number
  #pending = ''
  #pendingBytes = 0
  #anchor: Anchor

  constructor(
    start: Anchor,
    from: ResumePoint | null,
    encode: (row: CsvRow) => string,
    options: CsvOptions & { readonly width: number },
  ) {
    this.#encode = encode
    this.#options = options
    const isAnchored = from !== null && from.anchor !== null
    this.#fromLine = isAnchored ? from.lines : 0
    this.#fromPosition = from !== null && !isAnchored ? from.position : 0
    this.#position = isAnchored ? from.position : start.position
    this.#lines = start.lines
    this.#place = start.place
    this.#anchor = start
  }

  *take(stretch: Stretch): Generator<Piece> {
    const line = this.#lines
    this.#lines += stretch.lines
    this.#place += stretch.length
    if (line < this.#fromLine) {
      this.#begin()
      return
    }
    if (stretch.kind !== 'row' && stretch.kind !== 'bad') {
      yield* this.#flushAt(line, stretch.length)
      this.#begin()
      return
    }
    const { encoding, delimiter, nulls, limit, width, names } = this.#options
    if (stretch.kind === 'bad') {
      yield* this.#refuse(stretch, line, stretch.reason)
      return
    }
    const text = encoding.decode(stretch.bytes)
    if (text === null) {
      yield* this.#refuse(stretch, line, `the row is not text in ${encoding.name}`, 'TEXT_NOT_UNICODE')
      return
    }
    const row = cellsOf(text, { delimiter, nulls })
    if (row.length !== width) {
      const expected = names === null ? `the header ${width}` : `there are names for ${width}`
      yield* this.#refuse(stretch, line, `the row has ${row.length} cells, ${expected}`, 'RECORD_INVALID')
      return
    }
    const json = this.#encode(row)
    const bytes = Buffer.byteLength(json)
    if (bytes > limit) {
      yield* this.#refuse(stretch, line, lineTooLong(bytes, limit))
      return
    }
    if (this.#position < this.#fromPosition) {
      this.#position += bytes
      this.#begin()
      return
    }
    if (this.#pendingBytes + bytes > Math.min(limit, OUTPUT_BYTES)) yield* this.#flushAt(line, stretch.length)
    this.#pending += json
    this.#pendingBytes += bytes
    // Behind a row of several lines the lines of the piece would no longer be those of the file.
    if (stretch.lines > 1) yield* this.flush()
  }

  *flush(): Generator<Piece> {
    yield* this.#flushAt(this.#lines, 0)
  }

  /** What is left when the input breaks off; `rest` is the beginning of a row. */
  cutOff({ message, bytes, bytesTotal }: Damaged, rest: Buffer): Piece {
    const kept = bytes ?? (rest.length > 0 ? Buffer.from(rest) : null)
    return {
      kind: 'damaged',
      position: this.#position,
      reason: message,
      bytes: kept,
      bytesTotal: bytes === null ? rest.length : bytesTotal,
      anchor: this.#anchor,
    }
  }

  *#refuse({ bytes, length, lines }: Stretch, line: number, reason: string, code?: ErrorCode): Generator<Piece> {
    yield* this.#flushAt(line, length)
    const kept = Buffer.from(this.#options.encoding.original(bytes))
    if (this.#position >= this.#fromPosition) {
      yield {
        kind: 'damaged',
        position: this.#position,
        reason,
        bytes: kept,
        // Only the beginning is there of a row that is too long.
        bytesTotal: length > kept.length + LINE_END_BYTES_MAX ? length : kept.length,
        lines,
        ...(code === undefined ? {} : { code }),
        anchor: this.#anchor,
      }
    }
    this.#begin()
  }

  /** Gives what is pending; what comes next begins in a line, so many bytes before the place that was come to. */
  *#flushAt(line: number, behind: number): Generator<Piece> {
    if (this.#pending !== '') {
      const bytes = Buffer.from(this.#pending)
      const position = this.#position
      this.#position += bytes.length
      yield { kind: 'records', bytes, position, anchor: this.#anchor }
      this.#pending = ''
      this.#pendingBytes = 0
    }
    this.#anchor = { position: this.#position, lines: line, place: this.#place - behind }
  }

  #begin(): void {
    this.#anchor = { position: this.#position, lines: this.#lines, place: this.#place }
  }
}

function rowEncoder(
  names: readonly string[],
  columns: readonly Column[],
  decimal: CsvOptions['decimal'],
): (row: CsvRow) => string {
  const layout = jsonLayout(names)
  // A time that is written as text is text, also where its pattern is of digits alone.
  const isTextTime = ({ unit }: Column) => unit !== undefined && !isNumberUnit(unit)
  const types = new Map(columns.map(column => [column.name, isTextTime(column) ? 'text' : column.type]))
  const cells = layout.cells.map(({ prefix, column }) => ({
    prefix: Buffer.from(prefix).toString(),
    column,
    type: types.get(names[column]!) ?? null,
  }))
  const suffix = Buffer.from(layout.suffix).toString()
  return row => {
    let line = ''
    for (const { prefix, column, type } of cells) line += prefix + cellAsJson(row[column] ?? null, type, decimal)
    return line + suffix
  }
}
