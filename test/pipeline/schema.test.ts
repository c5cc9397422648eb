import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { decimal, rest, timestamp } from '../../src/index.ts'
import { slowReason } from '../../src/plan/wire.ts'
import { readSchema } from '../../src/plan/zod.ts'

const shown = (schema: z.ZodType) =>
  readSchema(schema).columns.map(({ name, type, nullable }) => `${name} ${type}${nullable ? '?' : ''}`)

describe('columns', () => {
  test('are the leaves, named by their path', () => {
    const values = z.object({ x: z.number(), more: z.object({ y: z.int() }) })
    expect(shown(z.object({ id: z.string(), values, ok: z.boolean(), at: timestamp('ns') }))).toEqual([
      'id text',
      'values.x number',
      'values.more.y number',
      'ok boolean',
      'at timestamp',
    ])
  })

  test('are nullable where zod can give null or undefined, and below an object that can be missing', () => {
    const schema = z.object({
      a: z.string().optional(),
      b: z.string().nullable(),
      c: z.string().nullish(),
      d: z.string().optional().default('x'),
      e: z.string().nullable().default('x'),
      f: z.string().default('x').optional(),
      g: z.string().optional().nonoptional(),
      h: z.string().catch('x'),
      i: z.object({ j: z.number(), k: z.object({ l: timestamp('s') }) }).optional(),
      m: z.union([z.string(), z.null()]),
      n: z.literal(['a', null]),
      o: timestamp('iso').nullish(),
      p: z.unknown(),
      q: z.object({ r: z.number() }).optional().default({ r: 1 }),
    })
    expect(shown(schema)).toEqual([
      'a text?',
      'b text?',
      'c text?',
      'd text',
      'e text?',
      'f text?',
      'g text',
      'h text',
      'i.j number?',
      'i.k.l timestamp?',
      'm text?',
      'n text?',
      'o timestamp?',
      'p json?',
      'q.r number',
    ])
  })

  test('of formats, enums, unions, pipes and brands have the type of what comes out', () => {
    const schema = z.object({
      a: z.uuid(),
      b: z.enum(['x', 'y']),
      c: z.enum({ One: 1, Two: 2 }),
      d: z.literal('k'),
      e: z.union([z.literal('p'), z.enum(['q', 'r'])]),
      f: z.union([z.string(), z.number()]),
      g: z.stringbool(),
      h: z.string().transform(Number).pipe(z.number()),
      i: z.preprocess(value => value, z.int()),
      j: z.coerce.number(),
      k: z.number().brand<'metres'>().readonly(),
      l: z.templateLiteral(['v', z.number()]),
      m: z.array(z.string()),
      n: z.record(z.string(), z.number()),
      o: z.lazy(() => z.string()),
      p: z.iso.datetime(),
    })
    expect(shown(schema)).toEqual([
      'a text',
      'b text',
      'c number',
      'd text',
      'e text',
      'f json',
      'g boolean',
      'h number',
      'i number',
      'j number',
      'k number',
      'l text',
      'm json',
      'n json',
      'o text',
      'p text',
    ])
    const { columns } = readSchema(schema)
    expect(columns.filter(column => column.labels).map(({ name, labels }) => [name, labels])).toEqual([
      ['b', ['x', 'y']],
      ['d', ['k']],
      ['e', ['p', 'q', 'r']],
    ])
  })

  test('of an array of objects hold the columns of an element', () => {
    const part = z.object({ at: timestamp('ms'), size: z.object({ x: z.number() }).nullable() })
    expect(readSchema(z.object({ parts: z.array(part) })).columns).toEqual([
      {
        name: 'parts',
        type: 'json',
        nullable: false,
        element: [
          { name: 'at', type: 'timestamp', nullable: false, unit: 'ms' },
          { name: 'size.x', type: 'number', nullable: true },
        ],
      },
    ])
  })

  test('of decimals know their digits, and refuse what a DECIMAL cannot hold', () => {
    const price = decimal(5, 2)
    expect(readSchema(z.object({ price: price.nullable() })).columns).toEqual([
      { name: 'price', type: 'decimal', nullable: true, decimal: { precision: 5, scale: 2 } },
    ])
    expect([999.99, -999.99].map(value => price.safeParse(value).success)).toEqual([true, true])
    expect([1000, -1000].map(value => price.safeParse(value).success)).toEqual([false, false])
    expect(readSchema(z.object({ long: decimal(38, 2) })).columns).toMatchObject([{ type: 'number' }])
    expect(() => decimal(2, 3)).toThrow('decimal(2, 3): there is no such type')
  })
})

describe('the form on the wire', () => {
  test('bounds of numbers are data, other checks a predicate', () => {
    const schema = z.object({
      a: z.number().min(1).lt(5).gt(1),
      b: z.int32(),
      c: z.number().multipleOf(3),
      d: z.number(),
    })
    const { wire } = readSchema(schema)
    if (wire.kind !== 'object') throw new Error('an object')
    const nodes = wire.fields.map(field => field.node)
    expect(nodes[0]).toEqual({
      kind: 'number',
      column: 0,
      nullable: false,
      integer: false,
      minimum: { value: 1, exclusive: true },
      maximum: { value: 5, exclusive: true },
      accepts: null,
    })
    expect(nodes[1]).toMatchObject({ integer: true, minimum: { value: -2147483648 }, maximum: { value: 2147483647 } })
    const third = nodes[2]
    if (third?.kind !== 'number') throw new Error('a number')
    expect([6, 7].map(value => third.accepts?.(value))).toEqual([true, false])
    expect(nodes[3]).toMatchObject({ accepts: null, minimum: null, maximum: null })
  })

  test('a text that zod would change is not accepted unseen', () => {
    const { wire } = readSchema(z.object({ a: z.string().trim().min(2) }))
    const node = wire.kind === 'object' ? wire.fields[0]?.node : undefined
    if (node?.kind !== 'text') throw new Error('a text')
    expect(['ab', ' ab', 'a'].map(text => node.accepts?.(text))).toEqual([true, false, false])
  })

  test('what a refinement says of a time is asked in microseconds', () => {
    for (const unit of ['s', 'ms', 'us', 'ns', 'iso'] as const) {
      const { wire } = readSchema(z.object({ at: timestamp(unit).refine(time => time > 1_000_001) }))
      const node = wire.kind === 'object' ? wire.fields[0]?.node : undefined
      if (node?.kind !== 'timestamp') throw new Error('a timestamp')
      expect([1_000_001, 1_000_002].map(time => node.accepts?.(time))).toEqual([false, true])
    }
  })

  test.each([
    [z.object({ a: z.object({ b: z.array(z.string()) }) }), 'a.b: it is an array'],
    [z.object({ a: z.string() }).refine(() => true), 'the record: the object has a refinement of its own'],
    [z.object({ a: z.string() }).catchall(z.number()), 'the record: its other fields are checked too (catchall)'],
    [
      z.object({
        a: z
          .string()
          .optional()
          .refine(() => true),
      }),
      'a: the refinement is on the optional',
    ],
    [z.object({ a: z.stringbool() }), 'a: it is a pipe or a transform'],
    [z.strictObject({ a: z.string(), b: z.number().default(3), c: z.coerce.number() }), null],
    [z.object({ a: z.string().trim(), b: z.union([z.literal('x'), z.string()]) }), null],
    [z.looseObject({ a: z.string(), ...rest('b') }), 'b: it keeps the fields that the schema does not name'],
  ])('fast or slow, with the reason: %#', (schema, reason) => {
    expect(slowReason(readSchema(schema).wire)).toBe(reason)
  })
})

test.each([
  [z.array(z.object({})), 'Schema: a message must be an object, not z.array()'],
  [z.object({ a: z.symbol() }), "Field 'a': z.symbol() has no column form"],
  [z.object({ a: z.union([z.int64(), z.string()]) }), "Field 'a': a 64-bit integer inside a union is not supported"],
  [z.object({ a: z.object({ b: z.date() }) }), "Field 'a.b': z.date() has no column form"],
  [
    z.object({ a: z.array(z.object({ b: z.map(z.string(), z.string()) })) }),
    "Field 'a[].b': z.map() has no column form",
  ],
  [
    z.object({ a: z.string().transform(text => text.length) }),
    "Field 'a': zod does not say what comes out of a transform",
  ],
  [z.object({ a: z.intersection(z.object({}), z.object({})) }), "Field 'a': an intersection has no columns"],
  [z.object({ a: z.union([timestamp('ns'), z.string()]) }), "Field 'a': a timestamp inside a union is not supported"],
  [z.looseObject({ a: z.string() }), 'Schema: a z.looseObject lets fields through that have no column'],
  [z.object({ a: z.string() }).catchall(z.unknown()), 'Schema: a z.looseObject lets fields through'],
  [z.object({ a: z.looseObject({ b: z.string() }) }), "Field 'a': a z.looseObject lets fields through"],
  [z.object({ a: z.string(), ...rest('b') }), "Schema: rest('b') keeps fields that only a z.looseObject lets through"],
  [z.looseObject({ ...rest('a'), ...rest('b') }), 'Schema: it keeps its other fields twice'],
  [z.object({ 'a.b': z.string() }), `Field 'a.b': "a.b" cannot be the name of a column`],
])('a schema that has no columns is refused, naming the field: %#', (schema, message) => {
  expect(() => readSchema(schema)).toThrow(message)
})

test('an object that contains itself is refused', () => {
  const node = z.object({
    get next() {
      return node.optional()
    },
  })
  expect(() => readSchema(node)).toThrow("Field 'next': it contains itself")
})
