/** Random schemas, senders that write records of them in their own way, and what goes wrong on the line. */
import { z } from 'zod'
import { rest } from '../../../src/plan/rest.ts'
import { decimal, timestamp } from '../../../src/plan/types.ts'
import type { Random } from '../../../src/system/random.ts'

/** The choices of one line; a tame one holds what its schema accepts, written plainly. */
export type Values = Random & { readonly isTame: boolean }

/** One field: its schema, and the JSON text of a value that it accepts (most of the time). */
interface Field {
  readonly key: string
  readonly schema: z.ZodType
  readonly write: (random: Values) => string | null
  /** For an object: its fields, so that a sender orders and spaces them too. */
  readonly object?: ObjectForm
}

export interface ObjectForm {
  readonly fields: readonly Field[]
  readonly schema: z.ZodType
}

export const pick = <T>(random: Random, list: readonly T[]): T => list[random.integer(list.length)]!
const chance = (random: Random, probability: number) => random.next() < probability

const KEYS = [
  ...['a', 'b', 'id', 'time', 'values', 'temperature', 'name', 'deviceId', 'x y', '1', 'null', 'eightlen', '~'],
  ...['a_key_that_has_more_than_sixteen_bytes', 'a_key_that_has_fifteen'],
]
/** The fast decoder leaves schemas with such keys alone. */
const ODD_KEYS = ['größe', '🎉', 'q"k', 'back\\slash', 'tab\there']

const digits = (random: Random, count: number) =>
  Array.from({ length: count }, (_, index) => (index === 0 ? 1 + random.integer(9) : random.integer(10))).join('')

/** Any JSON number, and a few that are none. */
function numberText(random: Random): string {
  const sign = chance(random, 0.3) ? '-' : ''
  switch (random.integer(16)) {
    case 0:
      return pick(random, ['0', '-0', '0.0', '-0.0', '1', '-1', '0e5', '-0e-5', '1e5', '1E+2', '0.1', '10', '1.0'])
    case 1:
      return pick(random, ['1e999', '-1e999', '1e-400', '4.9e-324', '2e-324', '1.7976931348623157e308', '1e23', '9e15'])
    case 2:
      return pick(random, [
        '00',
        '01',
        '-01',
        '00.5',
        '1.',
        '.5',
        '-',
        '+1',
        '1e',
        '1e+',
        '0x10',
        'NaN',
        'Infinity',
        '1.e5',
      ])
    case 3:
      return pick(random, [
        '9007199254740991',
        '9007199254740992',
        '9007199254740993',
        '-9007199254740993',
        '1e16',
        '2.5',
      ])
    case 4:
      return `${sign}${digits(random, 1 + random.integer(25))}`
    case 5:
      return `${sign}${digits(random, 1 + random.integer(18))}.${digits(random, 1 + random.integer(20))}`
    case 6:
      return `${sign}${digits(random, 1 + random.integer(18))}${chance(random, 0.5) ? '.5' : ''}e${random.integer(60) - 30}`
    case 7:
      return `${sign}0.${'0'.repeat(random.integer(20))}${digits(random, 1 + random.integer(19))}`
    case 8:
      return `${sign}${random.next()}`
    case 9:
      return `${sign}${random.next() * 1000}`
    case 10:
      return `${sign}${random.next() * 10 ** (random.integer(40) - 20)}`
    case 11:
    case 12:
      return `${sign}${random.integer(100)}`
    default:
      return `${sign}${random.integer(1000)}.${String(random.integer(1e6)).padStart(1 + random.integer(6), '0')}`
  }
}

const LENGTHS = [0, 1, 2, 3, 6, 7, 8, 9, 12, 14, 15, 16, 17, 18, 23, 24, 25, 31, 32, 33, 40]
const PIECES = [
  ...[
    '\\n',
    '\\"',
    '\\\\',
    '\\/',
    '\\u0041',
    '\\ud800',
    '\\ud83c\\udf89',
    '\\u0000',
    '\\b',
    'é',
    '🎉',
    '\u2028',
    '\x7f',
  ],
  ...['\\x', '\\u00g0', '\t', '\x00', '\x1f', '\r'],
]

/** A JSON text of about the given length, mostly ASCII, few distinct ones. */
function textText(random: Random, plain = false): string {
  const length = chance(random, 0.01) ? 4000 + random.integer(1100) : pick(random, LENGTHS)
  const letter = String.fromCharCode(97 + random.integer(4))
  let text = letter.repeat(length)
  if (!plain && chance(random, 0.25)) {
    const at = random.integer(length + 1)
    // The last ones are no JSON.
    const piece = PIECES[random.integer(chance(random, 0.1) ? PIECES.length : 13)]!
    text = text.slice(0, at) + piece + text.slice(at)
  }
  return `"${text}"`
}

function timeText(random: Random, unit: 's' | 'ms' | 'us' | 'ns' | 'iso', plain = false): string {
  const microseconds = BigInt(Math.floor(random.next() * 2e15))
  if (unit === 'iso') {
    const text = new Date(Number(microseconds / 1000n)).toISOString()
    if (plain) return `"${text}"`
    const forms = [
      text,
      text.replace('Z', '+01:30'),
      text.replace(/\.\d+/, '.123456789'),
      text.replace(/:\d\d\.\d+/, ''),
    ]
    return `"${pick(random, [...forms, text.replace('T', ' '), text.slice(0, -1), 'yesterday', `${text} `])}"`
  }
  const whole = { s: microseconds / 1_000_000n, ms: microseconds / 1000n, us: microseconds, ns: microseconds * 1000n }[
    unit
  ]
  if (plain) return unit === 'ns' ? `${whole + BigInt(random.integer(1000))}` : `${whole}`
  const forms = [`${whole}`, `${whole}`, `${whole}`, `${whole + 1n}.5`, `-${whole}`, `${Number(whole)}`, `${whole}e0`]
  const odd = [
    '0',
    '-0',
    '1',
    '999',
    '1000',
    '-1',
    `${whole}000`,
    '9007199254740991',
    '9007199254740992999',
    `0${whole}`,
  ]
  return chance(random, 0.1)
    ? pick(random, odd)
    : unit === 'ns'
      ? `${whole + BigInt(random.integer(1000))}`
      : pick(random, forms)
}

const word = (random: Random) => pick(random, ['true', 'false', 'null', 'tru', 'True'])

interface Leaf {
  readonly schema: z.ZodType
  /** A value that the schema accepts. */
  readonly good: (random: Random) => string
  readonly wild: (random: Random) => string
}

const fixed = (random: Random) => String(random.integer(1e9) / 1e6)
const whole = (random: Random) => String(random.integer(pick(random, [10, 1e6, 2 ** 31])))

function leafSchema(random: Random, slowFields: boolean): Leaf {
  const number = (schema: z.ZodType, good: (random: Random) => string) => ({ schema, good, wild: numberText })
  const text = (schema: z.ZodType) => ({
    schema,
    good: (r: Random) => textText(r, true),
    wild: (r: Random) => textText(r),
  })
  const texts = (schema: z.ZodType, good: readonly string[], bad: readonly string[]) => ({
    schema,
    good: (r: Random) => JSON.stringify(pick(r, good)),
    wild: (r: Random) => (chance(r, 0.5) ? JSON.stringify(pick(r, bad)) : textText(r)),
  })
  const any = (r: Random) => anyValue(r, 2)
  if (chance(random, 0.2)) {
    const exact: readonly (readonly [z.ZodType, (r: Random) => string])[] = [
      [z.int64(), r => pick(r, ['', '-']) + digits(r, 1 + r.integer(18))],
      [z.bigint(), r => pick(r, [digits(r, 17 + r.integer(3)), '9223372036854775807', '-9223372036854775808'])],
      [
        z
          .int64()
          .min(-5n)
          .refine(value => value % 7n !== 0n),
        whole,
      ],
      [z.coerce.bigint(), whole],
      [decimal(9, 2), r => `${whole(r).slice(0, 7)}.${pick(r, ['5', '05', '50', '99'])}`],
      [decimal(18, 4), r => `${digits(r, 1 + r.integer(14))}.${digits(r, 4)}`],
      [decimal(18, 18), r => `0.${digits(r, 1 + r.integer(18))}`],
      [decimal(5, 0).min(-1000), r => String(r.integer(1e5))],
      [decimal(16, 3).refine(value => value !== 1.5), r => `${digits(r, 1 + r.integer(13))}.125`],
      [decimal(25, 3), r => `${digits(r, 1 + r.integer(22))}.125`],
    ]
    const [schema, good] = pick(random, exact)
    return number(schema, good)
  }
  switch (random.integer(slowFields ? 24 : 20)) {
    case 0:
    case 1:
      return number(z.number(), r => (chance(r, 0.7) ? fixed(r) : String(r.normal())))
    case 2:
      return number(z.int(), whole)
    case 3: {
      const maximum = pick(random, [100, 0.5, 1e6])
      return number(z.number().min(0).max(maximum), r => String(r.next() * maximum))
    }
    case 4:
      return number(pick(random, [z.number().positive(), z.number().gt(-1).lt(1), z.number().nonnegative()]), r =>
        String(r.next()),
      )
    case 5: {
      const schemas = [
        z.number().multipleOf(0.5),
        decimal(12, 2),
        z.int32(),
        z.uint32(),
        z.number().refine(x => x !== 1),
      ]
      return number(pick(random, schemas), r => String(2 + r.integer(1e6)))
    }
    case 6:
    case 7:
    case 8:
      return text(z.string())
    case 9: {
      const good = ['accelerometer', 'gyroscope', 'g', 'gravity', 'größe', 'a text of more than sixteen bytes']
      return texts(z.enum(good), good, ['gravit', 'Gravity', 'accelerometers', 'a text of more than sixteen byteS'])
    }
    case 10:
      return texts(z.literal('on'), ['on'], ['off', 'on '])
    case 11:
      return texts(z.email(), ['a@b.org', 'somebody.else@example.org'], ['nobody', 'somebody.else.at.example.org'])
    case 12:
      return texts(z.string().regex(/^[ab]+$/), ['a', 'abab', 'aaaaaaaabbbbbbbbbbbbbbbbb'], ['abc'])
    case 13:
      return {
        ...text(pick(random, [z.string().min(3), z.string().max(8), z.string().trim()])),
        good: r => pick(r, ['"abc"', '"abcdefgh"']),
      }
    case 14: {
      const onlyTrue = chance(random, 0.3)
      const booleans = onlyTrue ? z.literal(true) : z.boolean()
      return {
        schema: booleans,
        good: r => pick(r, ['true', onlyTrue ? 'true' : 'false']),
        wild: r => (chance(r, 0.8) ? word(r) : '1'),
      }
    }
    case 15:
      return number(z.union([z.literal(1), z.literal(10), z.literal(100)]), r => pick(r, ['1', '10', '100']))
    case 16: {
      const unit = pick(random, ['s', 'ms', 'us', 'ns', 'iso'] as const)
      return { schema: timestamp(unit), good: r => timeText(r, unit, true), wild: r => timeText(r, unit) }
    }
    case 17: {
      const zone = pick(random, ['Europe/Madrid', 'America/St_Johns', '+05:30'])
      const good = (r: Random) =>
        `"${new Date(Math.floor(r.next() * 2e12)).toISOString().slice(0, 19).replace('T', ' ')}"`
      const wild = (r: Random) => {
        const text = good(r).slice(1, -1)
        const forms = [
          text,
          text.replace(' ', 'T'),
          text.replace(/-\d\d /, '-31 '),
          `${text}.5`,
          `${text}.123`,
          ` ${text}`,
        ]
        return `"${pick(r, [...forms, text.replace('2', 'é'), text.replace(' ', '\\u0020')])}"`
      }
      const schema = timestamp('yyyy-MM-dd HH:mm:ss[.SSS]', { zone })
      return { schema: chance(random, 0.5) ? schema : schema.refine(time => time % 2_000_000 === 0), good, wild }
    }
    case 18: {
      const schema = timestamp('ns').refine(time => time % 2 === 0)
      return { schema, good: r => timeText(r, 'ns', true), wild: r => timeText(r, 'ns') }
    }
    case 19:
      return number(z.number().default(7), fixed)
    case 20: {
      const wild = (r: Random) => `[${numberText(r)},${chance(r, 0.8) ? numberText(r) : '"x"'}]`
      return { schema: z.array(z.number()), good: r => `[${fixed(r)}]`, wild }
    }
    case 21: {
      const wild = (r: Random) => `{${textText(r, true)}:${numberText(r)}}`
      return { schema: z.record(z.string(), z.number()), good: wild, wild }
    }
    case 22:
      return { schema: z.union([z.string(), z.number()]), good: fixed, wild: any }
    default:
      return { schema: pick(random, [z.unknown(), z.coerce.number()]), good: fixed, wild: any }
  }
}

const WRAPS: readonly ((schema: z.ZodType) => z.ZodType)[] = [
  schema => schema.optional(),
  schema => schema.nullable(),
  schema => schema.nullish(),
  schema => schema.nullable().optional(),
  schema => schema.optional().nullable(),
  schema => schema.readonly(),
]

export function randomSchema(random: Random, depth = 0, slowFields = chance(random, 0.12)): ObjectForm {
  const keys = new Set<string>()
  const count = depth === 0 ? 1 + random.integer(7) : random.integer(4)
  while (keys.size < count) keys.add(pick(random, chance(random, 0.02) ? ODD_KEYS : KEYS))
  const fields = [...keys].map((key): Field => {
    const object = depth < 2 && chance(random, 0.2) ? randomSchema(random, depth + 1, slowFields) : undefined
    const leaf = object
      ? { schema: object.schema, good: () => '{}', wild: (r: Random) => (chance(r, 0.9) ? '{}' : word(r)) }
      : leafSchema(random, slowFields)
    const wrapped = chance(random, 0.4)
    const schema = wrapped ? pick(random, WRAPS)(leaf.schema) : leaf.schema
    const missing = wrapped ? 0.2 : 0.003
    const write = (r: Values) => {
      if (chance(r, missing)) return chance(r, 0.5) ? 'null' : null
      return r.isTame || chance(r, 0.6) ? leaf.good(r) : leaf.wild(r)
    }
    return object ? { key, schema, write, object } : { key, schema, write }
  })
  const shape = Object.fromEntries(fields.map(({ key, schema }) => [key, schema]))
  if (slowFields && chance(random, 0.2)) return { fields, schema: z.looseObject({ ...shape, ...rest('the rest') }) }
  const make = pick(random, [z.object, z.object, z.object, z.strictObject])
  return { fields, schema: make(shape) }
}

/** Any JSON value, as an unknown field may have. */
function anyValue(random: Random, depth: number): string {
  switch (random.integer(depth > 0 ? 8 : 6)) {
    case 0:
    case 1:
      return numberText(random)
    case 2:
    case 3:
      return textText(random)
    case 4:
    case 5:
      return word(random)
    case 6:
      return `[${Array.from({ length: random.integer(3) }, () => anyValue(random, depth - 1)).join(',')}]`
    default: {
      const keys = ['"a"', '"values"', '"__proto__"', '"constructor"', '"\\u0061"']
      return `{${Array.from({ length: random.integer(3) }, () => `${pick(random, keys)}:${anyValue(random, depth - 1)}`).join(',')}}`
    }
  }
}

export type Sender = (random: Values) => string

/** A sender: it has its own order of fields, white space and extra fields, and keeps to them (mostly). */
export function randomSender(random: Random, form: ObjectForm): Sender {
  return objectWriter(random, form, chance(random, 0.3))
}

function objectWriter(random: Random, form: ObjectForm, spaced: boolean): Sender {
  const space = () => (spaced && chance(random, 0.5) ? pick(random, [' ', '  ', '\t', ' \t ', '\r']) : '')
  type Part = { readonly before: string; readonly write: Sender }
  const parts: Part[] = form.fields.map(field => {
    const inner = field.object && objectWriter(random, field.object, spaced)
    const key = chance(random, 0.005) ? escapedKey(field.key) : JSON.stringify(field.key)
    const value = (values: Values) => {
      const text = field.write(values)
      return text === '{}' && inner ? inner(values) : text
    }
    const before = `${space()}${key}${space()}:${space()}`
    const after = space()
    return {
      before,
      write: values => {
        const text = value(values)
        return text === null ? '' : `${before}${text}${after}`
      },
    }
  })
  if (chance(random, 0.3)) shuffle(random, parts)
  for (let extras = chance(random, 0.3) ? 1 + random.integer(2) : 0; extras > 0; extras--) {
    const known = form.fields.map(field => field.key)
    const key =
      chance(random, 0.1) && known.length > 0
        ? pick(random, known)
        : pick(random, ['extra', 'toString', 'more', chance(random, 0.2) ? 'e"' : '__proto__', ''])
    const before = `${space()}${JSON.stringify(key)}${space()}:${space()}`
    const kind = random.integer(4)
    const tame = [fixed, (r: Random) => textText(r, true), (r: Random) => pick(r, ['true', 'null']), fixed][kind]!
    const wild = [numberText, (r: Random) => textText(r), word, (r: Random) => anyValue(r, 3)][kind]!
    const write = (values: Values) => {
      const text = (values.isTame ? tame : wild)(values)
      return `${before}${text}`
    }
    parts.splice(random.integer(parts.length + 1), 0, { before, write })
  }
  const [open, close] = [`${space()}{${space()}`, `${space()}}${space()}`]
  return values => {
    const ordered = !values.isTame && chance(values, 0.05) ? shuffle(values, [...parts]) : parts
    return `${open}${ordered
      .map(part => part.write(values))
      .filter(text => text !== '')
      .join(',')}${close}`
  }
}

const escapedKey = (key: string) =>
  `"${Array.from({ length: key.length }, (_, index) => `\\u${key.charCodeAt(index).toString(16).padStart(4, '0')}`).join('')}"`

function shuffle<T>(random: Random, list: T[]): T[] {
  for (let index = list.length - 1; index > 0; index--) {
    const other = random.integer(index + 1)
    ;[list[index], list[other]] = [list[other]!, list[index]!]
  }
  return list
}

const BYTES = [...Buffer.from('"\\{}[]:,0123456789-+.eE tfn\t\r'), 0, 10, 0x1f, 0x7f, 0x80, 0xc3, 0xe2, 0xf0, 0xff]

/** A line as it arrives: some of them with a fault of one kind. */
export function mutated(random: Random, line: Buffer): Buffer {
  const at = random.integer(line.length + 1)
  const byte = Buffer.from([pick(random, BYTES)])
  switch (random.integer(8)) {
    case 0:
      return Buffer.concat([line.subarray(0, at), byte, line.subarray(at + 1)])
    case 1:
      return Buffer.concat([line.subarray(0, at), byte, line.subarray(at)])
    case 2:
      return Buffer.concat([line.subarray(0, at), line.subarray(at + 1)])
    case 3:
      return line.subarray(0, at)
    case 4:
      return Buffer.concat([line, line])
    case 5:
      return Buffer.concat([line, byte])
    case 6: {
      const other = random.integer(line.length + 1)
      return Buffer.concat([line.subarray(0, Math.max(at, other)), line.subarray(Math.min(at, other))])
    }
    default: {
      const flipped = Buffer.from(line)
      if (at < flipped.length) flipped[at] = flipped[at]! ^ (1 << random.integer(8))
      return flipped
    }
  }
}
