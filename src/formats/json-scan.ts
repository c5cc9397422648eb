/**
 * Finds where JSON values begin and end, by their bytes alone: strings and the depth of brackets are looked at, nothing
 * is checked beyond that. What is wrong inside a value is the decoder's to say.
 *
 * The loops are the hot path of what is pushed over HTTP; `KIND` sorts bytes so that most are passed with one load.
 */
import { skipBlank } from '../plan/white-space.ts'

const QUOTE = 34
const COMMA = 44
const OPEN_BRACKET = 91
const BACKSLASH = 92
const CLOSE_BRACKET = 93
const LINE_FEED = 10

/** In a value, outside of strings: what changes the depth, or begins a string. */
const PLAIN = 0
const STRING = 1
const OPEN = 2
const CLOSE = 3
const KIND = new Uint8Array(256)
KIND[QUOTE] = STRING
KIND[OPEN_BRACKET] = KIND[123] = OPEN
KIND[CLOSE_BRACKET] = KIND[125] = CLOSE

/** What ends a number, true, false or null. */
const DELIMITER = new Uint8Array(256)
for (const byte of [32, 9, 10, 13, COMMA, 58, QUOTE, OPEN_BRACKET, CLOSE_BRACKET, 123, 125]) DELIMITER[byte] = 1

/** Inside a string: what ends it, hides the next byte, or may not be there. */
const IN_STRING = new Uint8Array(256)
IN_STRING[QUOTE] = IN_STRING[BACKSLASH] = IN_STRING[LINE_FEED] = 1

/** More stretches than there may be. */
export class TooMany extends Error {}

/** Where stretches of bytes begin and end. */
export class Stretches {
  readonly #most: number
  #bounds = new Uint32Array(512)
  count = 0

  constructor(most = Number.POSITIVE_INFINITY) {
    this.#most = most
  }

  /** Throws TooMany for one more than there may be. */
  add(start: number, end: number): void {
    if (this.count >= this.#most) throw new TooMany()
    const at = this.count++ * 2
    if (at === this.#bounds.length) {
      const grown = new Uint32Array(at * 2)
      grown.set(this.#bounds)
      this.#bounds = grown
    }
    this.#bounds[at] = start
    this.#bounds[at + 1] = end
  }

  start(index: number): number {
    return this.#bounds[index * 2]!
  }

  end(index: number): number {
    return this.#bounds[index * 2 + 1]!
  }
}

/** Behind the string whose quote is at `at`; -1: it does not end, or a raw line feed is in it. */
export function skipString(bytes: Uint8Array, at: number): number {
  const end = bytes.length
  at++
  while (at < end) {
    while (IN_STRING[bytes[at]!] === 0) at++
    const byte = bytes[at]
    if (byte === QUOTE) return at + 1
    if (byte !== BACKSLASH || bytes[at + 1] === LINE_FEED) return -1
    at += 2
  }
  return -1
}

/** Behind the value that begins at `at`; -1: it does not end, or there is none. */
export function skipValue(bytes: Uint8Array, at: number): number {
  const first = KIND[bytes[at]!]
  if (first === STRING) return skipString(bytes, at)
  if (first === OPEN) return skipNested(bytes, at)
  const start = at
  while (at < bytes.length && DELIMITER[bytes[at]!] === 0) at++
  return at === start ? -1 : at
}

function skipNested(bytes: Uint8Array, at: number): number {
  const end = bytes.length
  let depth = 0
  while (at < end) {
    while (KIND[bytes[at]!] === PLAIN) at++
    const kind = KIND[bytes[at]!]
    if (kind === STRING) {
      at = skipString(bytes, at)
      if (at < 0) return -1
      continue
    }
    at++
    if (kind === OPEN) depth++
    else if (kind === CLOSE && --depth === 0) return at
  }
  return -1
}

/**
 * The elements of the array whose bracket is at `at`; answers where it ends. -1: it does not end, or something is
 * between its elements that is no comma.
 */
export function skipArray(bytes: Uint8Array, at: number, elements: Stretches): number {
  at = skipBlank(bytes, at + 1)
  if (bytes[at] === CLOSE_BRACKET) return at + 1
  for (;;) {
    const end = skipValue(bytes, at)
    if (end < 0) return -1
    elements.add(at, end)
    at = skipBlank(bytes, end)
    if (bytes[at] === CLOSE_BRACKET) return at + 1
    if (bytes[at] !== COMMA) return -1
    at = skipBlank(bytes, at + 1)
    // A comma behind the last element takes nothing away.
    if (bytes[at] === CLOSE_BRACKET) return at + 1
  }
}
