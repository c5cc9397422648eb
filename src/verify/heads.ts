/** The beginning of a file, in a file of its own; and the lines of a file. */
import { closeFile, openForReading, readBytes, writePieces } from '../system/files.ts'

const PIECE_BYTES = 1024 * 1024
const LINE_FEED = 10
const RETURN = 13
const QUOTE = 34

/** Copies the first bytes of a file. */
export function copyHead(from: string, bytes: number, to: string): void {
  writePieces(to, piecesOf(from, bytes))
}

/** Copies the first lines of a CSV file, and the rest of a row that goes on behind them. */
export function copyRows(from: string, lines: number, delimiter: string, to: string): void {
  copyHead(from, bytesOfRows(from, lines, delimiter.charCodeAt(0)), to)
}

function bytesOfRows(path: string, lines: number, delimiter: number): number {
  let bytes = 0
  let ended = 0
  let before = 0
  let isQuoted = false
  let isAtStart = true
  let isAtRow = true
  for (const piece of piecesOf(path, Number.POSITIVE_INFINITY)) {
    for (const byte of piece) {
      const isEnd = byte === RETURN || byte === LINE_FEED
      const isRest = byte === LINE_FEED && before === RETURN
      if (ended >= lines && isAtRow && !isRest) return bytes
      // A quote opens at the start of a cell; a doubled one closes and opens again.
      if (byte === QUOTE && (isQuoted || isAtStart || before === QUOTE)) isQuoted = !isQuoted
      if (isEnd && !isRest) ended++
      isAtRow = !isQuoted && isEnd
      isAtStart = isAtRow || (!isQuoted && byte === delimiter)
      before = byte
      bytes++
    }
  }
  return bytes
}

/** Copies a file without the lines that are left out; each comes without its line end, with its number from 1. */
export function copyLines(from: string, isLeftOut: (line: Buffer, number: number) => boolean, to: string): void {
  function* kept(): Generator<Buffer> {
    let number = 0
    let held: Buffer[] = []
    let bytes = 0
    for (const line of linesOfFile(from)) {
      const text = line.at(-1) === RETURN ? line.subarray(0, -1) : line
      if (isLeftOut(text, ++number)) continue
      held.push(Buffer.from(line), Buffer.of(LINE_FEED))
      bytes += line.length + 1
      if (bytes < PIECE_BYTES) continue
      yield Buffer.concat(held)
      held = []
      bytes = 0
    }
    yield Buffer.concat(held)
  }
  writePieces(to, kept())
}

/** The lines of a file, without their line feed. */
export function* linesOfFile(path: string): Generator<Buffer, void, undefined> {
  let held: Buffer = Buffer.alloc(0)
  for (const piece of piecesOf(path, Number.POSITIVE_INFINITY)) {
    const bytes = held.length === 0 ? piece : Buffer.concat([held, piece])
    let start = 0
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
      yield bytes.subarray(start, end)
      start = end + 1
    }
    held = Buffer.from(bytes.subarray(start))
  }
  if (held.length > 0) yield held
}

/** Each piece is lent until the next one is asked for. */
function* piecesOf(path: string, bytes: number): Generator<Buffer, void, undefined> {
  const descriptor = openForReading(path)
  try {
    const piece = Buffer.alloc(PIECE_BYTES)
    for (let position = 0; position < bytes; ) {
      const read = readBytes(descriptor, piece, 0, Math.min(piece.length, bytes - position), position)
      if (read === 0) return
      yield piece.subarray(0, read)
      position += read
    }
  } finally {
    closeFile(descriptor)
  }
}
