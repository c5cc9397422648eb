/** Encodings of text files: how bytes become text, and where a place in the decoded bytes is in the file. */
import { isUtf8 } from 'node:buffer'

export interface TextEncoding {
  readonly name: string
  /** The text of these bytes, null where they are not text in this encoding. */
  readonly decode: (bytes: Buffer) => string | null
  /** How many bytes of the file these are. */
  readonly measure: (bytes: Buffer, start: number, end: number) => number
  /** The bytes as they are in the file. */
  readonly original: (bytes: Buffer) => Buffer
  /** The file's bytes in a form in which a line feed is one byte. */
  readonly readable: (input: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>
}

const asItIs = {
  measure: (_bytes: Buffer, start: number, end: number) => end - start,
  original: (bytes: Buffer) => bytes,
  readable: (input: AsyncIterable<Uint8Array>) => input,
}

/**
 * UTF-8, UTF-16, or an encoding of TextDecoder in which line ends, quotes and delimiters are single ASCII bytes, so that
 * rows can be found before they are decoded.
 */
export function encodingOf(name: string): TextEncoding {
  switch (name) {
    case 'utf-8':
      return { name, decode: utf8, ...asItIs }
    case 'utf-16le':
      return utf16(name, false)
    case 'utf-16be':
      return utf16(name, true)
    default: {
      const decoder = new TextDecoder(name, { fatal: true, ignoreBOM: true })
      return { name, decode: bytes => decoded(decoder, bytes), ...asItIs }
    }
  }
}

function utf8(bytes: Buffer): string | null {
  return isUtf8(bytes) ? bytes.toString() : null
}

function decoded(decoder: InstanceType<typeof TextDecoder>, bytes: Buffer): string | null {
  try {
    return decoder.decode(bytes)
  } catch {
    return null
  }
}

/**
 * UTF-16 is read as UTF-8 in which half of a surrogate pair that stands alone has three bytes of its own. No UTF-8 holds
 * these, so the row that they are in is refused and no other.
 */
function utf16(name: string, bigEndian: boolean): TextEncoding {
  return {
    name,
    decode: utf8,
    measure(bytes, start, end) {
      let units = 0
      for (let at = start; at < end; at++) {
        const byte = bytes[at]!
        // A unit for the first byte of each character, a second one where a pair made four bytes.
        if (byte < 0x80 || byte >= 0xc0) units += byte >= 0xf0 ? 2 : 1
      }
      return units * 2
    },
    original(bytes) {
      const text = fromLoneSurrogates(bytes)
      const units = Buffer.from(text, 'utf16le')
      return bigEndian ? units.swap16() : units
    },
    async *readable(input) {
      let rest: Buffer = Buffer.alloc(0)
      let half = ''
      for await (const chunk of input) {
        const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
        const whole = bytes.length - (bytes.length % 2)
        rest = Buffer.from(bytes.subarray(whole))
        const units = Buffer.from(bytes.subarray(0, whole))
        let text = half + (bigEndian ? units.swap16() : units).toString('utf16le')
        half = /[\uD800-\uDBFF]$/.test(text) ? text.slice(-1) : ''
        if (half !== '') text = text.slice(0, -1)
        if (text !== '') yield toBytes(text)
      }
      if (half !== '') yield toBytes(half)
      // A byte too many is no character: it makes the last row one that is refused.
      if (rest.length > 0) yield Buffer.from([0xff])
    },
  }
}

const LONE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/

function toBytes(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text)
  const pieces: Buffer[] = []
  for (let from = 0; from < text.length; ) {
    const found = text.slice(from).search(LONE)
    const at = found < 0 ? text.length : from + found
    pieces.push(Buffer.from(text.slice(from, at)))
    if (found >= 0) {
      const unit = text.charCodeAt(at)
      pieces.push(Buffer.from([0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)]))
    }
    from = at + 1
  }
  return Buffer.concat(pieces)
}

function fromLoneSurrogates(bytes: Buffer): string {
  let text = ''
  let from = 0
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== 0xed || (bytes[at + 1] ?? 0) < 0xa0) continue
    text += bytes.toString('utf8', from, at)
    text += String.fromCharCode(0xd000 | ((bytes[at + 1]! & 0x3f) << 6) | (bytes[at + 2]! & 0x3f))
    at += 2
    from = at + 1
  }
  return text + bytes.toString('utf8', from)
}
