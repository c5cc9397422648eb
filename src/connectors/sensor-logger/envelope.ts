/**
 * A message of the app, `{ messageId, sessionId, deviceId, userId?, payload: [reading, ...] }`, as one line a reading.
 *
 * Each line is the envelope's members and behind them the reading's own bytes, so that a time in nanoseconds keeps its
 * digits; only the envelope's few values are read as JSON. Members may come in any order.
 */

import { Stretches, skipArray, skipString, skipValue } from '../../formats/json-scan.ts'
import { oneLine } from '../../ingress/lines.ts'
import type { PushLimits } from '../../ingress/source.ts'
import { skipBlank, withoutByteOrderMark } from '../../plan/white-space.ts'
import type { IdempotencyKey } from '../contract.ts'

export interface MessageLines {
  readonly bytes: Uint8Array
  readonly records: number
  readonly idempotencyKey: IdempotencyKey | null
  /** Why it is no message of the app; it is then all one line. */
  readonly fault: string | null
}

const QUOTE = 34
const COMMA = 44
const COLON = 58
const OPEN_BRACE = 123
const CLOSE_BRACE = 125
const OPEN_BRACKET = 91
const BACKSLASH = 92
const LINE_FEED = 10
const SPACE = 32

/** What each reading gets, in this order. */
const SHARED = ['messageId', 'sessionId', 'deviceId', 'userId'] as const
/** Longer names are no names: the lines would be many times the message. */
const SHARED_BYTES_MAX = 2048

/** `userId` is for messages without one. null: the lines would have more bytes. Throws TooMany for more readings. */
export function messageLines(
  body: Uint8Array,
  userId: string | null,
  { bytes: maximumBytes, records }: PushLimits,
): MessageLines | null {
  const text = withoutByteOrderMark(body)
  const elements = new Stretches(records)
  const members = new Map<string, Stretch>()
  const fault = readMembers(text, members, elements)
  if (fault !== null) return { bytes: oneLine(text), records: 1, idempotencyKey: null, fault }
  const shared = sharedMembers(text, members, userId)
  if (shared.length > SHARED_BYTES_MAX) {
    return {
      bytes: oneLine(text),
      records: 1,
      idempotencyKey: null,
      fault: 'its sessionId, deviceId or userId is too long',
    }
  }
  let length = 0
  for (let index = 0; index < elements.count; index++) {
    length += shared.length + elements.end(index) - elements.start(index) + 1
  }
  if (length > maximumBytes) return null
  return { ...lines(text, elements, shared, length), idempotencyKey: keyOf(text, members), fault: null }
}

interface Stretch {
  readonly start: number
  readonly end: number
}

/** Fills in where the members of the envelope are, and the elements of its payload; answers what is wrong with it. */
function readMembers(text: Uint8Array, members: Map<string, Stretch>, elements: Stretches): string | null {
  const broken = 'it is not JSON'
  let at = skipBlank(text, 0)
  if (text[at] !== OPEN_BRACE) return 'it is not a JSON object'
  at = skipBlank(text, at + 1)
  while (text[at] !== CLOSE_BRACE || members.size > 0) {
    if (text[at] !== QUOTE) return broken
    const nameEnd = skipString(text, at)
    if (nameEnd < 0) return broken
    const name = nameOf(text, at, nameEnd)
    at = skipBlank(text, nameEnd)
    if (name === null || text[at] !== COLON) return broken
    const start = skipBlank(text, at + 1)
    const isPayload = name === 'payload' && text[start] === OPEN_BRACKET
    // As with JSON.parse the last of several counts.
    if (name === 'payload') elements.count = 0
    const end = isPayload ? skipArray(text, start, elements) : skipValue(text, start)
    if (end < 0) return broken
    members.set(name, { start, end })
    at = skipBlank(text, end)
    if (text[at] === CLOSE_BRACE) break
    if (text[at] !== COMMA) return broken
    at = skipBlank(text, at + 1)
  }
  if (skipBlank(text, at + 1) < text.length) return broken
  const payload = members.get('payload')
  if (payload === undefined) return 'it has no payload'
  return text[payload.start] === OPEN_BRACKET ? null : 'its payload is not an array'
}

function nameOf(text: Uint8Array, start: number, end: number): string | null {
  const name = text.subarray(start + 1, end - 1)
  if (!name.includes(BACKSLASH)) return Buffer.from(name.buffer, name.byteOffset, name.length).toString()
  const value = parsed(text, { start, end })
  return typeof value === 'string' ? value : null
}

/** A value out of the envelope; undefined when it is no JSON. */
function parsed(text: Uint8Array, { start, end }: Stretch): unknown {
  try {
    return JSON.parse(Buffer.from(text.subarray(start, end)).toString())
  } catch {
    return undefined
  }
}

/** `{"messageId":1,"sessionId":"s","deviceId":"d",`: what stands before each reading's own members. */
function sharedMembers(text: Uint8Array, members: ReadonlyMap<string, Stretch>, userId: string | null): Buffer {
  const pieces: Uint8Array[] = [Buffer.from('{')]
  for (const name of SHARED) {
    const member = members.get(name)
    if (member !== undefined) {
      // A value that is an object may be written over several lines.
      const value = oneLine(text.subarray(member.start, member.end), SPACE)
      value[value.length - 1] = COMMA
      pieces.push(Buffer.from(`"${name}":`), value)
    } else if (name === 'userId' && userId !== null) pieces.push(Buffer.from(`"userId":${JSON.stringify(userId)},`))
  }
  return Buffer.concat(pieces)
}

function lines(text: Uint8Array, elements: Stretches, shared: Buffer, length: number) {
  const source = Buffer.from(text.buffer, text.byteOffset, text.length)
  const bytes = Buffer.allocUnsafe(length)
  const hasLineFeeds = source.includes(LINE_FEED)
  let at = 0
  for (let index = 0; index < elements.count; index++) {
    const start = elements.start(index)
    const end = elements.end(index)
    const from = at
    if (source[start] !== OPEN_BRACE) at += source.copy(bytes, at, start, end)
    else {
      at += shared.copy(bytes, at)
      // Without members of its own, or with none before it, a comma would stand alone.
      const first = skipBlank(source, start + 1)
      if (source[first] === CLOSE_BRACE && bytes[at - 1] === COMMA) at--
      at += source.copy(bytes, at, start + 1, end)
    }
    if (hasLineFeeds) spaces(bytes, from, at)
    bytes[at++] = LINE_FEED
  }
  return { bytes: bytes.subarray(0, at), records: elements.count }
}

/** Strings hold none: the scanner refuses them. */
function spaces(bytes: Buffer, from: number, end: number): void {
  for (let at = from; at < end; at++) if (bytes[at] === LINE_FEED) bytes[at] = SPACE
}

/**
 * Device, session and `messageId`, exactly: a number is taken as it is written, since two large ones may be one as a
 * double. null: one of them is missing or of another type, and the message is kept each time that it comes.
 */
function keyOf(text: Uint8Array, members: ReadonlyMap<string, Stretch>): IdempotencyKey | null {
  const [messageId, sessionId, deviceId] = SHARED.slice(0, 3).map(name => {
    const member = members.get(name)
    return member === undefined ? undefined : parsed(text, member)
  })
  if (typeof sessionId !== 'string' || typeof deviceId !== 'string') return null
  if (typeof messageId === 'string') return ['sensor-logger', deviceId, sessionId, JSON.stringify(messageId)]
  if (typeof messageId !== 'number') return null
  const { start, end } = members.get('messageId')!
  return ['sensor-logger', deviceId, sessionId, Buffer.from(text.subarray(start, end)).toString()]
}
