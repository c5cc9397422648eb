/**
 * Lines of JSON in which the values of some columns stand as texts of JSON. DuckDB takes numbers with a point for doubles,
 * inside json too: as texts their digits come through.
 */
import { DOUBLE_DIGITS } from '../plan/exact.ts'
import { parseExact } from '../plan/json-text.ts'
import type { Column } from '../plan/schema.ts'
import { closeFile, openForReading, readBytes } from '../system/files.ts'

/** Whether the digits of a column's values count beyond those of a double. */
export const needsQuoting = ({ type, decimal }: Column): boolean =>
  type === 'json' || (type === 'decimal' && decimal!.precision > DOUBLE_DIGITS)

/** Pieces of whole lines, with the columns quoted that need it. */
export function* quotedLines(pieces: Iterable<Uint8Array>, columns: readonly Column[]): Generator<Uint8Array> {
  const paths = columns.filter(needsQuoting).map(({ name }) => name.split('.'))
  for (const piece of pieces) {
    if (paths.length === 0) {
      yield piece
      continue
    }
    const lines = Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('utf8').split('\n')
    yield Buffer.from(lines.map(line => (line === '' ? '' : quotedLine(line, paths))).join('\n'))
  }
}

const PIECE_BYTES = 8 << 20
const LINE_FEED = 10

/** A file in pieces of whole lines. */
export function* linePiecesOf(path: string): Generator<Uint8Array> {
  const descriptor = openForReading(path)
  try {
    let rest: Uint8Array = new Uint8Array(0)
    for (;;) {
      const buffer = Buffer.allocUnsafe(rest.length + PIECE_BYTES)
      buffer.set(rest)
      const read = readBytes(descriptor, buffer, rest.length, PIECE_BYTES, null)
      const filled = buffer.subarray(0, rest.length + read)
      const end = read === 0 ? filled.length : filled.lastIndexOf(LINE_FEED) + 1
      if (end > 0) yield filled.subarray(0, end)
      if (read === 0) return
      rest = filled.subarray(end)
    }
  } finally {
    closeFile(descriptor)
  }
}

function quotedLine(line: string, paths: readonly (readonly string[])[]): string {
  const record = parseExact(line) as Record<string, unknown>
  for (const path of paths) {
    let holder = record
    for (const key of path.slice(0, -1)) holder = (holder[key] ?? {}) as Record<string, unknown>
    const key = path.at(-1)!
    const value = holder[key] ?? null
    if (value !== null) holder[key] = JSON.stringify(value)
  }
  return JSON.stringify(record)
}
