import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { decimal, timestamp } from '../../src/index.ts'
import { decimalOfDigits } from '../../src/plan/exact.ts'
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

  test('keeps NUL and pairs of surrogates, and does not stumble over __proto__', () => {
    expect(decode('{"id":"\\ud83d\\ude00\\u0000","time":5000}')).toMatchObject({
      cells: ['\u{1f600}\0', 5, null, null],
    })
    expect(decode('{"id":"\\ud83d","time":5000}')).toMatchObject({ ok: false, code: 'TEXT_NOT_UNICODE', path: 'id' })
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
  ])('%s', (text, reason, path) => {
    expect(decode(text)).toEqual({ ok: false, code: 'RECORD_INVALID', reason, path })
  })

  test('nested too deep is refused, however deep, and 1,000 levels are not', () => {
    const nested = (levels: number) => `{"id":"a","time":1,"extra":${'['.repeat(levels)}${']'.repeat(levels)}}`
    expect(decode(nested(999))).toMatchObject({ ok: true })
    expect(decode(nested(1000))).toEqual({
      ok: false,
      code: 'RECORD_INVALID',
      reason: 'It is nested deeper than 1000 levels',
      path: '',
    })
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
      code: 'RECORD_INVALID',
      reason: 'The schema threw: Error: no luck',
      path: '',
    })
  })
})

describe('numbers whose digits count', () => {
  const cells = (schema: z.ZodType, json: string) => {
    const result = slowDecoder(z.object({ x: schema }))(`{"x":${json}}`)
    return result.ok ? result.cells[0] : `${result.path}: ${result.reason}`
  }
  const written = (json: string, schema: z.ZodType = z.unknown()) => JSON.stringify(cells(schema, json))

  test.each([
    ['9223372036854775807', 9223372036854775807n],
    ['-9223372036854775808', -9223372036854775808n],
    ['9007199254740993', 9007199254740993n],
    ['1e3', 1000n],
    ['12.0', 12n],
    ['-0', 0n],
    ['9223372036854775808', 'x: Invalid input: 9223372036854775808 does not fit into 64 bits'],
    ['1e30', 'x: Invalid input: 1e30 does not fit into 64 bits'],
    ['1.5', 'x: Invalid input: expected bigint, received number'],
    ['"12"', 'x: Invalid input: expected bigint, received string'],
  ])('64-bit integer %s', (json, expected) => {
    expect(cells(z.bigint(), json)).toBe(expected)
    expect(cells(z.bigint().nullish(), json)).toBe(expected)
    expect(cells(z.union([z.bigint(), z.null()]), json)).toEqual(
      typeof expected === 'string' ? expect.stringMatching(/^x: /) : expected,
    )
  })

  test('64-bit integers given as texts are for z.coerce', () => {
    expect(cells(z.coerce.bigint(), '"9223372036854775807"')).toBe(9223372036854775807n)
    expect(cells(z.coerce.bigint(), '9223372036854775807')).toBe(9223372036854775807n)
    expect(cells(z.coerce.bigint(), '"9223372036854775808"')).toMatch('does not fit into 64 bits')
    expect(cells(z.uint64(), '18446744073709551615')).toMatch('does not fit into 64 bits')
    expect(cells(z.int64(), '9223372036854775808')).toMatch('Too big')
  })

  test.each([
    [5, 2, '1.00', 100n],
    [5, 2, '1.5', 150n],
    [5, 2, '-999.99', -99999n],
    [5, 2, '1.005', 'x: Invalid input: 1.005 does not fit decimal(5, 2)'],
    [5, 2, '1.0050e1', 1005n],
    [5, 2, '1000', 'x: Too big: expected number to be <1000'],
    [5, 2, '999.999', 'x: Invalid input: 999.999 does not fit decimal(5, 2)'],
    [18, 4, '99999999999999.9999', 999999999999999999n],
    [18, 4, '12345678901234.5678', 123456789012345678n],
    [18, 0, '999999999999999999', 999999999999999999n],
    [20, 2, '1.005', 'x: Invalid input: 1.005 does not fit decimal(20, 2)'],
    [20, 2, '1.25', 1.25],
  ])('decimal(%i, %i) %s', (precision, scale, json, expected) => {
    expect(cells(decimal(precision, scale), json)).toBe(expected)
    expect(cells(z.union([decimal(precision, scale), z.null()]), json)).toBe(
      precision > 18 && typeof expected === 'string' ? Number(json) : expected,
    )
  })

  test('what zod computes goes by its shortest digits', () => {
    expect(cells(decimal(18, 4).default(0.1).optional(), 'null')).toMatch('expected number')
    expect(slowDecoder(z.object({ x: decimal(18, 4).default(0.1) }))('{}')).toMatchObject({ ok: true, cells: [1000n] })
    expect(slowDecoder(z.object({ x: z.int().default(0.5) }))('{}')).toMatchObject({ ok: false, path: 'x' })
  })

  test('json is kept as it is written', () => {
    const odd = '[12345678901234567828,1e400,-0,1.50,1E5,{"a":0.0000001,"b":[null,true,"1.50"],"__proto__":1.0}]'
    expect(written(odd)).toBe(odd)
    expect(written('12345678901234567828')).toBe('12345678901234567828')
    expect(written('[1, 2.5 , {"b" : 3}]')).toBe('[1,2.5,{"b":3}]')
    expect(cells(z.unknown(), '[1,2.5]')).toEqual([1, 2.5])
    expect(written('[12345678901234567828,1.0]', z.array(z.number()))).toBe('[12345678901234567828,1.0]')
    expect(
      written(
        '[1.0,2]',
        z.array(
          z
            .number()
            .transform(x => x + 1)
            .pipe(z.number()),
        ),
      ),
    ).toBe('[2,3]')
    expect(written('{"id":9223372036854775807}', z.record(z.string(), z.int64()))).toBe('{"id":9223372036854775807}')
    expect(written('[{"a":1.50},{"a":2}]', z.array(z.object({ a: decimal(9, 2) })))).toBe('[{"a":1.50},{"a":2}]')
    expect(cells(z.array(z.object({ a: decimal(9, 2) })), '[{"a":1.505}]')).toMatch(/^x.0.a: .*1.505 does not fit/)
    expect(cells(z.array(z.number()), '[1e400]')).toMatch('received Infinity')
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
        e: z.int64().min(-1n).nullable(),
      }),
      { a: 1, b: 'x', c: 'k', d: 99.5, e: 5 },
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
      case 'int64':
        if (typeof value !== 'number' || !Number.isSafeInteger(value)) return false
        cells[node.column] = BigInt(value)
        return node.accepts?.(BigInt(value)) ?? true
      case 'decimal': {
        const scaled = typeof value === 'number' ? decimalOfDigits(String(value), node) : null
        cells[node.column] = scaled
        return scaled !== null && (node.accepts?.(value as number) ?? true)
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
