import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { decimal, timestamp } from '../../src/index.ts'
import { isNumberUnit, textTime } from '../../src/plan/schema.ts'
import { slowDecoder } from '../../src/plan/slow.ts'
import { timeReader } from '../../src/plan/times/text-time.ts'
import { isoOfMicroseconds, microsecondsOfDigits, microsecondsOfIso } from '../../src/plan/timestamp.ts'
import { MAXIMUM_TIME_US, type WireNode } from '../../src/plan/wire.ts'
import { readSchema } from '../../src/plan/zod.ts'

describe('times', () => {
  test.each([
    ['s', '1698501600', 1698501600000000],
    ['s', '1698501600.1234567', 1698501600123456],
    ['ms', '1698501600123', 1698501600123000],
    ['us', '1698501600123456', 1698501600123456],
    ['us', '1698501600123456.9', 1698501600123456],
    ['ns', '1698501145514000999', 1698501145514000],
    ['ns', '1.698501145514e18', 1698501145514000],
    ['ns', '999', 0],
    ['ns', '-1', -1],
    ['ns', '-1000', -1],
    ['ns', '-1001', -2],
    ['s', '-0', 0],
    ['s', '0.0000009', 0],
    ['s', '-0.0000001', -1],
    ['s', '1E+3', 1000000000],
    ['s', '1e-6', 1],
    ['ns', '1e-400', 0],
    ['us', '9007199254740991', MAXIMUM_TIME_US],
    ['us', '9007199254740992', null],
    ['us', '1698501145514000000', null],
    ['s', '1e999', null],
    ['s', '-1e300', null],
  ] as const)('%s %s', (unit, digits, expected) => {
    expect(microsecondsOfDigits(digits, unit)).toBe(expected)
  })

  test('law: nanoseconds are exact, by big integers', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -9_000_000_000_000_000_000n, max: 9_000_000_000_000_000_000n }), nanoseconds => {
        const whole = nanoseconds / 1000n
        const floored = nanoseconds % 1000n < 0n ? whole - 1n : whole
        expect(microsecondsOfDigits(String(nanoseconds), 'ns')).toBe(Number(floored))
      }),
    )
  })

  test.each([
    ['2026-11-22T05:01:29Z', 1795323689000000],
    ['2026-11-22T05:01Z', 1795323660000000],
    ['2026-11-22T05:01:29.1234567+01:30', 1795318289123456],
    ['1969-12-31T23:59:59.999999Z', -1],
    ['2024-02-29T00:00:00Z', 1709164800000000],
    ['2023-02-29T00:00:00Z', null],
    ['2026-13-01T00:00:00Z', null],
    ['2026-11-22T24:00:00Z', null],
    ['2026-11-22T05:01:60Z', null],
    ['2026-11-22 05:01:29Z', 1795323689000000],
    ['2026-11-22t05:01:29z', 1795323689000000],
    ['2026-11-22T05:01:29,5Z', 1795323689500000],
    ['2026-11-22T06:31:29+0130', 1795323689000000],
    ['2026-11-22 06:01:29+01', 1795323689000000],
    ['2026-11-22 03:01:29.25 -0200', 1795323689250000],
    ['2026-11-22  05:01:29Z', null],
    ['2026-11-22T05:01:29+1', null],
    ['2026-11-22T05:01:29+24', null],
    ['2026-11-22T05:01:29', null],
    ['2026-11-22', null],
    ['1500-01-01T00:00:00Z', null],
    ['', null],
  ] as const)('%s', (text, expected) => {
    expect(microsecondsOfIso(text)).toBe(expected)
  })

  test('law: ISO there and back', () => {
    fc.assert(
      fc.property(fc.integer({ min: -9e15, max: 9e15 }), microseconds => {
        expect(microsecondsOfIso(isoOfMicroseconds(microseconds))).toBe(microseconds)
      }),
    )
  })
})

describe('a record', () => {
  const schema = z.object({
    id: z.string(),
    time: timestamp('ns'),
    values: z.object({ x: z.number() }).optional(),
    extra: z.unknown().optional(),
  })
  const decode = slowDecoder(schema)
  const record = (more: string) => decode(`{"id":"a","time":1698501145514000999${more}}`)

  test('gives cells by column, null for what is missing', () => {
    expect(record('')).toMatchObject({ ok: true, cells: ['a', 1698501145514000, null, null] })
    expect(record(',"values":{"x":-0.5}')).toMatchObject({ ok: true, cells: ['a', 1698501145514000, -0.5, null] })
  })

  test('of two equal keys the last counts, for times too', () => {
    expect(decode('{"id":"a","id":"b","time":1,"time":1698501145514000999}')).toMatchObject({
      cells: ['b', 1698501145514000, null, null],
    })
  })

  test('keeps NUL, refuses a lone surrogate, and does not stumble over __proto__', () => {
    expect(decode('{"id":"x\\u0000","time":5000}')).toMatchObject({ cells: ['x\0', 5, null, null] })
    expect(decode('{"id":"\\ud800","time":5000}')).toMatchObject({ ok: false, code: 'TEXT_NOT_UNICODE', path: 'id' })
    expect(record(',"__proto__":{"values":{"x":1}}')).toMatchObject({
      ok: true,
      cells: ['a', 1698501145514000, null, null],
    })
    const times = slowDecoder(z.object({ at: z.record(z.string(), timestamp('ns')) }))
    expect(times('{"at":{"__proto__":3}}')).toMatchObject({ ok: true, cells: [{}] })
  })

  test.each([
    ['', 'Unexpected end of JSON input', ''],
    ['{"id":"a"', "Expected ',' or '}' after property value in JSON at position 9 (line 1 column 10)", ''],
    ['[]', 'Invalid input: expected object, received array', ''],
    ['{"id":7,"time":1}', 'Invalid input: expected string, received number', 'id'],
    ['{"time":1}', 'Invalid input: expected string, received undefined', 'id'],
    ['{"id":7,"time":"1"}', 'Invalid input: expected string, received number (and 1 more)', 'id'],
    [
      '{"id":"a","time":"1698501145514000999"}',
      'Invalid input: expected nanoseconds since 1970 as a number, received a text',
      'time',
    ],
    ['{"id":"a"}', 'Invalid input: expected nanoseconds since 1970 as a number, received nothing', 'time'],
    ['{"id":"a","time":null}', 'Invalid input: expected nanoseconds since 1970 as a number, received null', 'time'],
    [
      '{"id":"a","time":1e999}',
      'Invalid input: 1e999 nanoseconds since 1970 is outside the years 1684 to 2255; is the unit right?',
      'time',
    ],
    ['{"id":"a","time":1,"values":{"x":1e999}}', 'Invalid input: expected number, received Infinity', 'values.x'],
    ['{"id":"a","time":1,"values":null}', 'Invalid input: expected object, received null', 'values'],
    ['{"id":"a","time":1,"extra":{"deep":[1,1e999]}}', 'Invalid input: a number in it is not finite', 'extra'],
  ])('%s', (text, reason, path) => {
    expect(decode(text)).toEqual({ ok: false, code: 'RECORD_INVALID', reason, path })
  })

  test('nested too deep is refused, however deep, and 1,000 levels are not', () => {
    const nested = (levels: number) => `{"id":"a","time":1,"extra":${'['.repeat(levels)}${']'.repeat(levels)}}`
    expect(decode(nested(999))).toMatchObject({ ok: true })
    expect(decode(nested(1000))).toMatchObject({ ok: false, reason: 'It is nested deeper than 1000 levels', path: '' })
    expect(decode(nested(100_000))).toMatchObject({ ok: false })
    expect(decode('{"a":'.repeat(100_000))).toMatchObject({ ok: false })
    const brackets = JSON.stringify({ id: `${'['.repeat(5000)}\\"`, time: 1 })
    expect(decode(brackets)).toMatchObject({ ok: true })
  })

  test('digits survive in arrays, records and tuples', () => {
    const at = timestamp('ns')
    const inside = slowDecoder(
      z.object({
        a: z.array(z.object({ at })),
        b: z.record(z.string(), at),
        c: z.tuple([z.string(), at]),
        d: z.array(at),
      }),
    )
    const digits = '1698501145514001999'
    expect(Number(digits) / 1000).not.toBe(1698501145514001)
    expect(inside(`{"a":[{"at":${digits}}],"b":{"k":${digits}},"c":["",${digits}],"d":[${digits}]}`)).toMatchObject({
      ok: true,
      cells: [[{ at: 1698501145514001 }], { k: 1698501145514001 }, ['', 1698501145514001], [1698501145514001]],
    })
  })

  test('a function of the user sees a plain number, not our digits', () => {
    const seen: unknown[] = []
    const before = z.preprocess(value => {
      seen.push(value)
      return value
    }, timestamp('ms'))
    expect(slowDecoder(z.object({ at: before }))('{"at":5}')).toMatchObject({ cells: [5000] })
    expect(seen).toEqual([5])
  })

  test('a schema that throws is a reason', () => {
    const throwing = z.object({
      a: z.string().refine(() => {
        throw new Error('no luck')
      }),
    })
    expect(slowDecoder(throwing)('{"a":"x"}')).toMatchObject({
      ok: false,
      reason: 'The schema threw: Error: no luck',
      path: '',
    })
  })
})

describe('the wire tree promises no more than zod holds', () => {
  /** A schema, and a message that the fast path takes. */
  const schemas: readonly (readonly [z.ZodType, Record<string, unknown>])[] = [
    [
      z.object({
        a: z.string(),
        b: z.number().min(0).optional(),
        c: z.object({ d: z.boolean(), e: z.int().nullable() }).nullish(),
      }),
      { a: 'x', b: 3, c: { d: true, e: 5 } },
    ],
    [
      z.strictObject({ a: z.enum(['x', 'y']), b: z.number().default(3), c: z.string().trim().nullable().catch(null) }),
      { a: 'x', b: 4, c: 'k' },
    ],
    [
      z.object({
        a: z.coerce.number(),
        b: z.union([z.literal('x'), z.null()]),
        c: z.literal(['k', null]),
        d: decimal(4, 1).optional(),
      }),
      { a: 1, b: 'x', c: 'k', d: 99.5 },
    ],
    [
      z.object({
        a: z.number().default(1).optional(),
        b: z.string().optional().default('q'),
        c: z.literal(true),
        d: z.email().nullish(),
      }),
      { a: 1, b: '', c: true, d: 'a@b.ch' },
    ],
    [
      z.object({
        a: timestamp('us').refine(time => time % 2 === 0),
        b: timestamp('s').nullish(),
        c: timestamp('iso').optional(),
        d: timestamp('d.M.yyyy HH:mm', { zone: 'Europe/Zurich' }).refine(time => time > 0),
      }),
      { a: 4, b: 1698501600.5, c: '2026-01-01T00:00:00Z', d: '1.2.2026 13:05' },
    ],
    [
      z.object({
        a: z.object({ d: z.number() }).nullable().default(null),
        b: z.object({ x: z.string().prefault('p') }).prefault({}),
        c: z.number().catch(7).optional(),
        d: z.object({ e: z.number() }).optional().default({ e: 1 }),
      }),
      { a: { d: 1 }, b: { x: '' }, c: 3, d: { e: 2 } },
    ],
  ]

  const value = fc.oneof(
    fc.constantFrom<unknown>(null, true, false, 'x', 'k', ' y', '', 0, -1, 2.5, 3, 99.95, 1698501600, [], {}),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string(),
  )
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'other')
  const nested = fc.oneof(value, fc.dictionary(fc.constantFrom('d', 'e', 'x', 'z'), value))
  const change = fc.tuple(fc.dictionary(key, nested, { maxKeys: 2 }), fc.uniqueArray(key, { maxLength: 2 }))

  test.each(schemas)('schema %#', (schema, valid) => {
    const { wire, columns } = readSchema(schema)
    const decode = slowDecoder(schema)
    let sure = 0
    fc.assert(
      fc.property(change, ([changed, dropped]) => {
        const record: Record<string, unknown> = { ...valid, ...changed }
        for (const key of dropped) delete record[key]
        const cells: unknown[] = columns.map(() => null)
        const text = JSON.stringify(record)
        if (!interpret(wire, JSON.parse(text), cells)) return
        sure++
        expect(decode(text)).toMatchObject({ ok: true, cells })
      }),
      { numRuns: 2000, examples: [[[{}, []]]] },
    )
    expect(sure).toBeGreaterThan(100)
  })

  /** What the fast decoder may say yes to, read from the tree in the plainest way; fills in the cells. */
  function interpret(node: WireNode, value: unknown, cells: unknown[]): boolean {
    if (node.kind === 'slow') return false
    if (value === null) return node.nullable
    switch (node.kind) {
      case 'object': {
        if (typeof value !== 'object' || Array.isArray(value)) return false
        const known = new Set(node.fields.map(({ key }) => key))
        if (node.strict && Object.keys(value).some(key => !known.has(key))) return false
        return node.fields.every(({ key, optional, node: field }) =>
          Object.hasOwn(value, key) ? interpret(field, (value as Record<string, unknown>)[key], cells) : optional,
        )
      }
      case 'number': {
        const { minimum, maximum } = node
        if (typeof value !== 'number' || (node.integer && !Number.isInteger(value))) return false
        if (minimum && (minimum.exclusive ? value <= minimum.value : value < minimum.value)) return false
        if (maximum && (maximum.exclusive ? value >= maximum.value : value > maximum.value)) return false
        cells[node.column] = value
        return node.accepts?.(value) ?? true
      }
      case 'text':
        cells[node.column] = value
        return typeof value === 'string' && (node.accepts?.(value) ?? true)
      case 'boolean':
        cells[node.column] = value
        return typeof value === 'boolean' && (node.accepts?.(value) ?? true)
      case 'timestamp': {
        if (typeof value !== (isNumberUnit(node.unit) ? 'number' : 'string')) return false
        const time = isNumberUnit(node.unit)
          ? microsecondsOfDigits(String(value), node.unit)
          : timeReader(textTime(node.unit))(value as string)
        cells[node.column] = time
        return time !== null && (node.accepts?.(time) ?? true)
      }
    }
  }
})
