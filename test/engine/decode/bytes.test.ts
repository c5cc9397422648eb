import { expect, test } from 'vitest'
import { z } from 'zod'
import { timestamp } from '../../../src/plan/types.ts'
import { decodeInLoads, decodePlainly, decoderOf, difference } from './plain.ts'

const readings = z.object({
  sessionId: z.string(),
  name: z.enum(['accelerometer', 'gravity']),
  time: timestamp('ns'),
  moving: z.boolean(),
  battery: z.number().min(0).max(1).nullable(),
  values: z.object({ x: z.number(), n: z.int() }).optional(),
})
const LINE =
  '{"sessionId":"9e3779b19e37","name":"gravity","time":1698501145527000123,"moving":true,"battery":null,"values":{"x":-0.133923,"n":-12},"more":"é"}'
const ASCII = LINE.replace('é', 'e')

/** The faulty lines among good ones, so that the shape is known each time. */
function expectPlain(lines: readonly Buffer[], schema: z.ZodType = readings) {
  const input = Buffer.concat(lines.flatMap(line => [line, Buffer.from('\n')]))
  const expected = decodePlainly(schema, input)
  const { decoder } = decoderOf(schema, null, input.length)
  expect(difference(decodeInLoads(decoder, input, []), expected)).toBeNull()
  return expected
}

test.each([ASCII, LINE])('each byte of a line replaced by each other byte: %s', line => {
  const good = Buffer.from(line)
  const lines = [good]
  for (let at = 0; at < good.length; at++) {
    for (let byte = 0; byte < 256; byte += byte >= 0x80 ? 13 : 1) {
      const faulty = Buffer.from(good)
      faulty[at] = byte
      lines.push(faulty)
    }
  }
  const { rows, refused } = expectPlain(lines)
  expect(rows.length).toBeGreaterThan(1000)
  expect(refused.length).toBeGreaterThan(1000)
})

test('a line cut at each byte, each byte left out, each byte doubled', () => {
  const good = Buffer.from(ASCII)
  const lines = [good]
  for (let at = 0; at < good.length; at++) {
    lines.push(good.subarray(0, at), good.subarray(at))
    lines.push(Buffer.concat([good.subarray(0, at), good.subarray(at + 1)]))
    lines.push(Buffer.concat([good.subarray(0, at), good.subarray(at, at + 1), good.subarray(at)]))
  }
  expectPlain(lines)
})

test('the last line without a line feed, cut at each byte, with what an earlier load left behind it', () => {
  const good = Buffer.from(`${ASCII}\n`)
  const { decoder } = decoderOf(readings, null, 4 * good.length)
  for (let end = 1; end < good.length; end++) {
    const input = Buffer.concat([good, good.subarray(0, end)])
    expect(
      difference(decodeInLoads(decoder, Buffer.concat([good, good, good, good]), []), {
        ...decodePlainly(readings, Buffer.concat([good, good, good, good])),
      }),
    ).toBeNull()
    expect(difference(decodeInLoads(decoder, input, []), decodePlainly(readings, input))).toBeNull()
  }
})

test('texts of each length that differ in one byte are different texts', () => {
  const texts: string[] = []
  for (let length = 0; length <= 45; length++) {
    const base = 'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz'.slice(0, length)
    texts.push(base)
    for (let at = 0; at < length; at++) texts.push(`${base.slice(0, at)}_${base.slice(at + 1)}`)
  }
  // Twice, so that the second time all are looked up.
  const lines = [...texts, ...texts].map(text => Buffer.from(`{"t":"${text}","u":"${text}"}`))
  const { rows } = expectPlain(lines, z.object({ t: z.string(), u: z.string().nullable() }))
  expect(rows.length).toBe(2 * texts.length)
})

test('values do not come from the line before', () => {
  const schema = z.object({
    a: z.object({ n: z.number(), t: z.string(), b: z.boolean(), at: timestamp('ms') }).nullish(),
    n: z.number().nullish(),
    t: z.string().nullish(),
    b: z.boolean().nullish(),
    at: timestamp('iso').nullish(),
  })
  const full = '"n":1.5,"t":"x","b":true'
  const forms = [
    `{"a":{${full},"at":1700000000000},${full},"at":"2026-01-01T00:00:00Z"}`,
    '{"a":null,"n":null,"t":null,"b":null,"at":null}',
    '{}',
    `{"a":{${full},"at":1700000000000}}`,
    `{${full}}`,
    '{"a":null}',
    '{"a":{"n":1}}',
    `{"t":"\\u0041","a":{"at":1.5,${full}}}`,
  ]
  const lines = forms.flatMap(one => forms.flatMap(other => [one, other, one])).map(line => Buffer.from(line))
  expectPlain(lines, schema)
})
