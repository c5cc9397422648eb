/** Messages as hostile clients, and unlucky ones, send them: right ones with something done to their bytes. */
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { type Random, seededRandom } from '../../src/system/random.ts'

export interface HttpMessage {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** As it is sent. */
  readonly body: Buffer
  /** As it was before it was packed; null: the headers do not say how it is packed, or say it wrongly. */
  readonly plain: Buffer | null
}

export interface Case {
  readonly pushes: readonly HttpMessage[]
  /** Bytes behind the handshake of a page's WebSocket. */
  readonly page: Buffer
  /** Whether it may cost more than most: it is sent alone then. */
  readonly isLarge: boolean
}

/** What is larger as it is sent may cost more. */
export const SENT_BYTES_MAX = 1 << 20
/** Some more than the listener takes. */
const PLAIN_BYTES_MAX = 9 << 20

const TOKENS = [
  '\uFEFF',
  '\0',
  '\n',
  '\r',
  ' ',
  '\t',
  '\v',
  '"',
  '\\',
  '\\"',
  '\\ud800',
  '\\u0000',
  '{',
  '}',
  '[',
  ']',
  '[]',
  '{}',
  ',',
  ':',
  '1',
  '-',
  'null',
  'true',
  '1e999',
  '-0',
  '9007199254740993',
  '0.1e-400',
  '\u2028',
  'ä',
  '😀',
  '"__proto__":{}',
  '"payload":[]',
  '"id":"x"',
  '\r\n',
  '\n\n',
] as const
const BYTES = [
  Buffer.from([0xff]),
  Buffer.from([0xc0, 0x80]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xf4]),
] as const
const KEYS = [
  '1',
  '"1"',
  'a:1',
  'a:2',
  '["http","","1"]',
  'k'.repeat(256),
  'k'.repeat(257),
  '',
  '\xe4',
  'dead letter 0/1@a:0',
]
const TYPES = ['application/json', 'application/x-ndjson', 'text/plain', 'application/x-www-form-urlencoded']
const ODD_TYPES = [
  'multipart/form-data; boundary=x',
  'application/json; charset=latin1',
  'application/json; charset=UTF-8',
  '',
]

/** The case of an index; `again` makes it one of the same form whose messages are new. */
export function caseOf(index: number, again = ''): Case {
  const random = seededRandom(index)
  const isLarge = random.integer(250) === 0
  const id = `c${index}${again}`
  const body = (kind: Kind) => {
    if (isLarge && random.integer(4) > 0) return bomb(kind, id, random)
    return mutated(MADE[kind](id, random), random, isLarge)
  }
  const pushes = [
    message('/events', body('events'), random),
    message('/lines', body('lines'), random),
    message('/phone', body('phone'), random, false),
  ]
  return { pushes, page: mutated(frames(random), random, false), isLarge }
}

const pick = <T>(from: readonly T[], random: Random): T => from[random.integer(from.length)]!

function events(id: string, random: Random): Buffer {
  const record = (n: number) => ({
    id: `${id}-${n}`,
    n: random.integer(5) === 0 ? 'none' : n,
    ...(random.integer(3) === 0 ? { flag: pick([true, false, null], random) } : {}),
    ...(random.integer(4) === 0 ? { inner: { values: [1, random.next()], note: pick(TOKENS, random) } } : {}),
  })
  const records = Array.from({ length: random.integer(6) }, (_, n) => record(n))
  const value = random.integer(3) === 0 ? (records[0] ?? {}) : records
  return Buffer.from(JSON.stringify(value, null, random.integer(4) === 0 ? 1 : undefined))
}

function ndjson(id: string, random: Random): Buffer {
  const lines = Array.from({ length: 1 + random.integer(8) }, (_, n) =>
    JSON.stringify({ id: `${id}-${n}`, n: n - random.integer(2) }),
  )
  return Buffer.from(lines.join(pick(['\n', '\r\n', '\n\n'], random)))
}

function phone(id: string, random: Random): Buffer {
  const payload = Array.from({ length: random.integer(4) }, (_, time) => ({ name: 'a', time, values: { x: 1 } }))
  // Said twice, so that one change does not make it the message of another case.
  const members = { messageId: random.integer(9), sessionId: id, deviceId: `${id}.${id}`, payload }
  return Buffer.from(JSON.stringify(members))
}

/** Frames of a client: text, binary, ping, close, with masks and lengths. */
function frames(random: Random): Buffer {
  const all = Array.from({ length: 1 + random.integer(3) }, () => {
    const payload = Buffer.from(pick(TOKENS, random).repeat(random.integer(40)))
    const length =
      payload.length < 126 ? Buffer.from([0x80 | payload.length]) : Buffer.from([0xfe, 0, payload.length & 0xff])
    const mask = Buffer.from([1, 2, 3, 4])
    return Buffer.concat([
      Buffer.from([pick([0x81, 0x82, 0x89, 0x8a, 0x88, 0x01, 0x80], random)]),
      length,
      mask,
      payload,
    ])
  })
  return Buffer.concat(all)
}

const MADE = { events, lines: ndjson, phone } as const
type Kind = keyof typeof MADE

/** Right JSON, of which there is far too much: of records, members, elements that are wrong, levels, escapes. */
function bomb(kind: Kind, id: string, random: Random): Buffer {
  const bytes = 1 + random.integer(PLAIN_BYTES_MAX)
  const many = (text: string, most = bytes) => text.repeat(Math.max(1, Math.floor(most / text.length)))
  const token = pick(['1', '[]', '{}', '""', 'null', `{"id":"${id}","n":1}`, '{"time":1}'], random)
  const list = `[${many(`${token},`)}${token}]`
  if (kind === 'lines') return Buffer.from(many(`${token}${pick(['\n', '\r\n', '\n\n'], random)}`))
  if (kind === 'phone')
    return Buffer.from(`{"messageId":1,"sessionId":"${id}","deviceId":"${id}.${id}","payload":${list}}`)
  const small = Math.min(bytes, random.integer(1_040_000))
  const record = (inner: string) => `{"id":"${id}","n":1,"inner":${inner}}`
  const levels = 1 + (small >> 1)
  const bodies = [
    list,
    list,
    list,
    record(`{"note":"","values":[${many('"a",', small)}"a"]}`),
    record(`{"note":"","values":[${many('1,', small)}1]}`),
    record(`{"note":"${many(pick(['\\n', '\\u00e4', '\\ud800', 'ä'], random), small)}","values":[]}`),
    record(`{${many('"a":1,', small)}"b":1}`),
    `${'['.repeat(levels)}${']'.repeat(levels)}`,
    `${'{"a":'.repeat(levels / 3 + 1)}1${'}'.repeat(levels / 3 + 1)}`,
    `{"id":"${id}","n":1${many('1', small)}}`,
  ]
  return Buffer.from(pick(bodies, random))
}

function mutated(bytes: Buffer, random: Random, isLarge: boolean): Buffer {
  let body = bytes
  for (let times = random.integer(4); times > 0; times--) body = once(body, random)
  if (!isLarge) return body
  const token = Buffer.from(pick([...TOKENS, '1,', '[1],', '{"a":', '"x",', '{}\n', '1\n', '\n', '\\n'], random))
  const most = Math.floor(PLAIN_BYTES_MAX / token.length)
  const many = Buffer.alloc(token.length * (1 + random.integer(most)), token)
  const at = random.integer(body.length + 1)
  return Buffer.concat([body.subarray(0, at), many, body.subarray(at)])
}

function once(body: Buffer, random: Random): Buffer {
  const at = random.integer(body.length + 1)
  const end = Math.min(body.length, at + random.integer(20))
  const splice = (middle: Uint8Array) => Buffer.concat([body.subarray(0, at), middle, body.subarray(at)])
  switch (random.integer(7)) {
    case 0:
      return splice(Buffer.from(pick(TOKENS, random)))
    case 1:
      return splice(pick(BYTES, random))
    case 2:
      return Buffer.concat([body.subarray(0, at), body.subarray(end)])
    case 3:
      return body.subarray(0, at)
    case 4:
      return splice(body.subarray(at, end))
    case 5: {
      const flipped = Buffer.from(body)
      if (flipped.length > 0) flipped[at % flipped.length]! ^= 1 << random.integer(8)
      return flipped
    }
    default:
      return Buffer.concat([body, Buffer.from(pick(['', '\n'], random)), body])
  }
}

const PACKED = {
  gzip: (body: Buffer) => gzipSync(body, { level: 6 }),
  br: (body: Buffer) => brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  zstd: (body: Buffer) => zstdCompressSync(body),
} as const

function message(path: string, plain: Buffer, random: Random, takesKeys = true): HttpMessage {
  const type = random.integer(12) === 0 ? pick(ODD_TYPES, random) : pick(TYPES, random)
  const headers: Record<string, string> = { 'content-type': type }
  if (takesKeys && random.integer(20) === 0) headers['idempotency-key'] = pick(KEYS, random)
  if (plain.length <= SENT_BYTES_MAX && random.integer(5) > 0) return { path, headers, body: plain, plain }
  const encoding = pick(['gzip', 'br', 'zstd'] as const, random)
  const packed = PACKED[encoding](plain)
  const said = random.integer(30) === 0 ? pick(['gzip', 'br', 'zstd', 'deflate', 'gzip, gzip', ''], random) : encoding
  headers['content-encoding'] = said
  const isCut = random.integer(40) === 0
  const body = isCut ? packed.subarray(0, random.integer(packed.length)) : packed
  return { path, headers, body, plain: said === encoding && !isCut ? plain : null }
}
