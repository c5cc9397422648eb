/**
 * The body of a request as lines of JSON. Only where records begin and end is found out; whether they are right is the
 * decoder's to say. Their bytes stay as they came, but for line feeds between tokens, which become spaces.
 */
import { Stretches, skipArray, skipValue } from '../formats/json-scan.ts'
import { skipBlank, withoutByteOrderMark } from '../plan/white-space.ts'

export interface Lines {
  /** Each with its line feed. */
  readonly bytes: Uint8Array
  /** Lines that are not blank. */
  readonly records: number
  /** The body is no JSON whose records could be told apart: it is all one line, which no decoder takes. */
  readonly isBroken: boolean
}

const LINE_FEED = 10
const SPACE = 32
const OPEN_BRACKET = 91
/** A control character: JSON allows it nowhere, so what was broken stays broken. */
const NOWHERE = 11

/** `isLines`: the client says that each line is a record; otherwise that is found out. Throws TooMany for more than `most` records. */
export function linesOf(body: Uint8Array, isLines: boolean, most: number): Lines {
  const text = withoutByteOrderMark(body)
  const start = skipBlank(text, 0)
  if (start === text.length) return { bytes: new Uint8Array(0), records: 0, isBroken: false }
  if (text[start] === OPEN_BRACKET) return arrayLines(text, start, most)
  return isLines ? givenLines(text, most) : valueLines(text, start, most)
}

/** The body as one line. `blank` takes the place of line feeds. */
export function oneLine(text: Uint8Array, blank = NOWHERE): Buffer {
  const bytes = Buffer.allocUnsafe(text.length + 1)
  bytes.set(text)
  bytes[text.length] = LINE_FEED
  for (let at = bytes.indexOf(LINE_FEED); at < text.length; at = bytes.indexOf(LINE_FEED, at + 1)) bytes[at] = blank
  return bytes
}

function broken(text: Uint8Array): Lines {
  return { bytes: oneLine(text), records: 1, isBroken: true }
}

function arrayLines(text: Uint8Array, start: number, most: number): Lines {
  const elements = new Stretches(most)
  const end = skipArray(text, start, elements)
  if (end < 0 || skipBlank(text, end) < text.length) return broken(text)
  return elementLines(text, elements)
}

/** The elements without what stands between them, a line each. */
function elementLines(text: Uint8Array, elements: Stretches): Lines {
  const { count } = elements
  if (count === 0) return { bytes: new Uint8Array(0), records: 0, isBroken: false }
  const from = elements.start(0)
  const last = elements.end(count - 1)
  const bytes = oneLine(text.subarray(from, last), SPACE)
  let end = elements.end(0) - from
  for (let index = 1; index < count; index++) {
    const start = elements.start(index) - from
    bytes[end] = LINE_FEED
    // As programs write it, with a comma alone in between, everything stands where it should.
    if (start > end + 1) bytes.copyWithin(end + 1, start, elements.end(index) - from)
    end += 1 + elements.end(index) - elements.start(index)
  }
  bytes[end] = LINE_FEED
  return { bytes: bytes.subarray(0, end + 1), records: count, isBroken: false }
}

/** One value, or several: a line each, or written over several lines. */
function valueLines(text: Uint8Array, start: number, most: number): Lines {
  const first = skipValue(text, start)
  if (first < 0) return broken(text)
  let at = skipBlank(text, first)
  if (at === text.length) {
    return { bytes: oneLine(text.subarray(start, first), SPACE), records: 1, isBroken: false }
  }
  const isOneLine = !text.subarray(start, first).includes(LINE_FEED) && text.subarray(first, at).includes(LINE_FEED)
  if (isOneLine) return givenLines(text, most)
  const values = new Stretches(most)
  values.add(start, first)
  while (at < text.length) {
    const end = skipValue(text, at)
    if (end < 0 || !text.subarray(values.end(values.count - 1), at).includes(LINE_FEED)) return broken(text)
    values.add(at, end)
    at = skipBlank(text, end)
  }
  return elementLines(text, values)
}

/** Lines as they are, without blank ones: a line that is broken costs the others nothing. */
function givenLines(text: Uint8Array, most: number): Lines {
  const stretches = new Stretches(most)
  let hasBlank = false
  /** The first place behind `at` that is not white space; kept, so that a run of blank lines is looked at once. */
  let first = -1
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf(LINE_FEED, at)
    const stop = end < 0 ? text.length : end
    if (first < at) first = skipBlank(text, at)
    if (first >= stop) hasBlank = true
    else stretches.add(at, stop)
    at = stop + 1
  }
  if (hasBlank) return elementLines(text, stretches)
  const isEnded = text[text.length - 1] === LINE_FEED
  const bytes = isEnded ? text : Buffer.concat([text, Buffer.of(LINE_FEED)])
  return { bytes, records: stretches.count, isBroken: false }
}
