/** A JSON array (or JSON values one after the other) as lines: each element's own bytes, digits untouched. */
import { Damaged } from './lines.ts'

const QUOTE = 34
const COMMA = 44
const BACKSLASH = 92
const LINE_FEED = 10
const RETURN = 13
const SPACE = 32

/**
 * Only strings, brackets and commas are looked at, with a counter for depth: an element may be nested as deep as it likes
 * and be broken inside; checking it is the decoder's work. Line feeds between tokens become spaces; inside a string,
 * where JSON allows none, they become another control character, so that the element stays one line and stays wrong. A
 * comma behind the last element is taken for none, as it is in the body of a request.
 */
export async function* elementsAsLines(
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array | Damaged, void, undefined> {
  let depth = 0
  let inString = false
  let escaped = false
  /** null: the first byte decides between an array and values one after the other. */
  let array: boolean | null = null
  let closed = false
  /** Bytes of an element have been written since the last line feed. */
  let open = false
  let first = true

  for await (const chunk of input) {
    const out = Buffer.allocUnsafe(chunk.length * 2)
    let at = 0
    let index = 0
    if (first) {
      first = false
      if (chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf) index = 3
    }
    for (; index < chunk.length; index++) {
      const byte = chunk[index]!
      if (inString) {
        if (escaped) escaped = false
        else if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) inString = false
        out[at++] = byte === LINE_FEED ? 11 : byte
        if (!inString && array === false && depth === 0) {
          out[at++] = LINE_FEED
          open = false
        }
        continue
      }
      const blank = byte === SPACE || byte === LINE_FEED || byte === RETURN || byte === 9
      if (array === null && !blank) {
        array = byte === 91
        if (array) continue
      }
      if (closed) {
        if (blank) continue
        if (at > 0) yield out.subarray(0, at)
        throw new Damaged(
          'there is something behind the end of the array',
          Buffer.from(chunk.subarray(index, index + 1024)),
        )
      }
      if (depth === 0 && array && byte === COMMA && !open) {
        if (at > 0) yield Buffer.from(out.subarray(0, at))
        at = 0
        yield new Damaged('nothing stands before a comma of the array')
        continue
      }
      if (depth === 0 && (blank || (array && byte === COMMA) || (array && byte === 93))) {
        // Between elements, or the end of one that is a plain value.
        if (open && !(array && blank)) {
          out[at++] = LINE_FEED
          open = false
        } else if (open) out[at++] = SPACE
        if (array && byte === 93) closed = true
        continue
      }
      if (byte === QUOTE) inString = true
      else if (byte === 123 || byte === 91) depth++
      else if (byte === 125 || byte === 93) depth = Math.max(0, depth - 1)
      out[at++] = blank ? SPACE : byte
      open = true
      if (array === false && depth === 0 && (byte === 125 || byte === 93)) {
        out[at++] = LINE_FEED
        open = false
      }
    }
    if (at > 0) yield out.subarray(0, at)
  }
  if (array && !closed) throw new Damaged('the file ends before the array does')
  if (open && (depth > 0 || inString)) throw new Damaged('the file ends inside a record')
}
