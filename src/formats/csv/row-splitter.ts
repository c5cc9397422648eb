/** Finds the rows of CSV bytes (RFC 4180), with bounded memory and at any cut of the input. */
import { lineTooLong } from '../lines.ts'
import type { TextEncoding } from '../text-encoding.ts'

const QUOTE = 34
const LINE_FEED = 10
const RETURN = 13
/** How much of a row that is too long is kept. */
const HEAD_BYTES = 1024

/** What a stretch of the input is; together the stretches are all of it. */
export interface Stretch {
  /** `mark`: a byte order mark. `skipped`: a line above the header. `row`: a row with its line end. */
  readonly kind: 'mark' | 'skipped' | 'blank' | 'row' | 'bad'
  /** Without the line end; lent until the next stretch is asked for. Of one that is too long only the beginning. */
  readonly bytes: Buffer
  /** Bytes of the file, line end included. */
  readonly length: number
  /** Lines of the file, one for each line end. */
  readonly lines: number
  /** Why it is no row; empty for all kinds but `bad`. */
  readonly reason: string
}

export interface SplitterOptions {
  readonly delimiter: string
  readonly encoding: TextEncoding
  /** A row with more bytes than this is bad; memory stays within it. */
  readonly limit: number
  /** Lines to be skipped at the start. */
  readonly skipLines: number
  /** The input begins with the file's first byte. */
  readonly isStart: boolean
}

/** At the start of a cell, where alone a quote opens. */
const CELL_START = 0
const IN_CELL = 1
const IN_QUOTES = 2
/** Behind a quote inside quotes: it closes them unless a second one follows. */
const BEHIND_QUOTE = 3
/** In a line that is no row, up to its end. */
const IN_BAD_LINE = 4
/** In a line whose beginning was too long to be held. */
const IN_LONG_LINE = 5
/** In a line above the header. */
const IN_SKIPPED_LINE = 6

/**
 * A line ends with CR LF, LF or CR alone. A quote opens a quoted cell only where the cell starts; anywhere else it is a
 * character of the text. A quoted cell that is not closed, or that has text behind its closing quote, makes its first line
 * bad, and rows are looked for again from the next line on: one bad quote costs one line, not all up to the next quote.
 */
export class RowSplitter {
  readonly #options: SplitterOptions
  readonly #separator: number
  #held: Buffer = Buffer.alloc(0)
  #scanned = 0
  #state: number
  #hasQuotes = false
  #atMark: boolean
  #linesToSkip: number
  #longLength = 0
  #longHead: Buffer = Buffer.alloc(0)

  constructor(options: SplitterOptions) {
    this.#options = options
    this.#separator = options.delimiter.charCodeAt(0)
    this.#linesToSkip = options.skipLines
    this.#atMark = options.isStart
    this.#state = this.#lineState()
  }

  /** The beginning of a row whose end has not come. */
  get rest(): Buffer {
    return this.#longLength > 0 ? this.#longHead : this.#held
  }

  /** The stretches that end in these bytes, or before them; all of the rest with `isLast`. */
  *push(chunk: Uint8Array, isLast: boolean): Generator<Stretch, void, undefined> {
    const bytes = this.#held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk])
    let start = 0
    if (this.#atMark) {
      if (bytes.length < 3 && !isLast) {
        this.#held = bytes
        return
      }
      this.#atMark = false
      if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
        yield this.#stretch('mark', bytes, 0, 3, 3)
        start = 3
      }
      this.#scanned = start
    }
    for (let at = this.#scanned; ; ) {
      at = this.#scan(bytes, at)
      if (at < bytes.length && this.#state === BEHIND_QUOTE && !isLineEnd(bytes[at]!)) {
        // Text behind a closing quote.
        const next = lineAfter(bytes, start, at)
        if (next < 0) this.#state = IN_BAD_LINE
        else {
          yield this.#badLine(bytes, start, next, 'a quote is opened and not closed')
          at = start = next
        }
        continue
      }
      const isCut = at === bytes.length - 1 && bytes[at] === RETURN && !isLast
      if (at < bytes.length && !isCut) {
        const next = bytes[at] === RETURN && bytes[at + 1] === LINE_FEED ? at + 2 : at + 1
        yield this.#line(bytes, start, at, next)
        at = start = next
        continue
      }
      if (isLast) {
        if (start === bytes.length && this.#longLength === 0) break
        const next = this.#state === IN_QUOTES ? lineAfter(bytes, start, bytes.length) : -1
        if (next < 0) {
          yield this.#line(bytes, start, bytes.length, bytes.length)
          start = bytes.length
          break
        }
        yield this.#badLine(bytes, start, next, 'a quote is opened and not closed')
        at = start = next
        continue
      }
      if (at - start > this.#options.limit) {
        const quoted = this.#state === IN_QUOTES || this.#state === BEHIND_QUOTE
        const next = quoted ? lineAfter(bytes, start, start + this.#options.limit) : -1
        if (next >= 0) {
          yield this.#badLine(bytes, start, next, 'a quote is opened and not closed')
          at = start = next
          continue
        }
        this.#holdLong(bytes, start, at)
        start = at
      }
      this.#scanned = at - start
      break
    }
    this.#held = bytes.subarray(start)
    if (isLast) this.#scanned = 0
  }

  /** Moves on to the line end that ends a row, to what must not be behind a quote, or to the end of the bytes. */
  #scan(bytes: Buffer, from: number): number {
    const separator = this.#separator
    let state = this.#state
    let at = from
    for (; at < bytes.length; at++) {
      if (state === IN_QUOTES) {
        const close = bytes.indexOf(QUOTE, at)
        if (close < 0) {
          at = bytes.length
          break
        }
        at = close
        state = BEHIND_QUOTE
        continue
      }
      const byte = bytes[at]!
      if (byte === LINE_FEED || byte === RETURN) break
      if (state >= IN_BAD_LINE) continue
      if (byte === separator) state = CELL_START
      else if (state === BEHIND_QUOTE) {
        if (byte !== QUOTE) break
        state = IN_QUOTES
      } else if (byte === QUOTE && state === CELL_START) {
        state = IN_QUOTES
        this.#hasQuotes = true
      } else state = IN_CELL
    }
    this.#state = state
    return at
  }

  #line(bytes: Buffer, start: number, end: number, next: number): Stretch {
    const state = this.#state
    this.#state = CELL_START
    if (state === IN_LONG_LINE) {
      const length = this.#longLength + this.#options.encoding.measure(bytes, start, next)
      this.#longLength = 0
      this.#state = this.#lineState()
      const reason = lineTooLong(length, this.#options.limit)
      return { kind: 'bad', bytes: this.#longHead, length, lines: 1, reason }
    }
    if (state === IN_SKIPPED_LINE) {
      this.#linesToSkip--
      this.#state = this.#lineState()
      return this.#stretch('skipped', bytes, start, end, next)
    }
    if (state === IN_BAD_LINE) return this.#badLine(bytes, start, next, 'there is text behind a closing quote')
    if (state === IN_QUOTES) return this.#badLine(bytes, start, next, 'a quote is opened and not closed')
    return this.#stretch(end === start ? 'blank' : 'row', bytes, start, end, next)
  }

  #badLine(bytes: Buffer, start: number, next: number, reason: string): Stretch {
    this.#state = CELL_START
    let end = next
    while (end > start && isLineEnd(bytes[end - 1]!)) end--
    return { ...this.#stretch('bad', bytes, start, end, next), reason, lines: 1 }
  }

  #stretch(kind: Stretch['kind'], bytes: Buffer, start: number, end: number, next: number): Stretch {
    const inside = this.#hasQuotes ? lineEndsIn(bytes, start, end) : 0
    this.#hasQuotes = false
    return {
      kind,
      bytes: bytes.subarray(start, end),
      length: this.#options.encoding.measure(bytes, start, next),
      lines: kind === 'mark' ? 0 : 1 + inside,
      reason: '',
    }
  }

  #holdLong(bytes: Buffer, start: number, end: number): void {
    if (this.#longLength === 0) this.#longHead = Buffer.from(bytes.subarray(start, start + HEAD_BYTES))
    this.#longLength += this.#options.encoding.measure(bytes, start, end)
    this.#state = IN_LONG_LINE
  }

  #lineState(): number {
    return this.#linesToSkip > 0 ? IN_SKIPPED_LINE : CELL_START
  }
}

function isLineEnd(byte: number): boolean {
  return byte === LINE_FEED || byte === RETURN
}

/** Where the second line of a stretch begins, -1 where it has one line only. */
function lineAfter(bytes: Buffer, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    if (bytes[at] === LINE_FEED) return at + 1
    if (bytes[at] === RETURN) return bytes[at + 1] === LINE_FEED ? at + 2 : at + 1
  }
  return -1
}

function lineEndsIn(bytes: Buffer, start: number, end: number): number {
  let lines = 0
  for (let at = start; at < end; at++) {
    if (bytes[at] === LINE_FEED) lines++
    else if (bytes[at] === RETURN && bytes[at + 1] !== LINE_FEED) lines++
  }
  return lines
}
