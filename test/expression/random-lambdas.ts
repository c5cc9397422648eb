/** Random typed lambdas as JavaScript source, and the tricky rows they are held against. */
import fc from 'fast-check'
import type { Column } from '../../src/plan/schema.ts'
import { seededRandom } from '../../src/system/random.ts'

export const COLUMNS: readonly Column[] = [
  { name: 'n', type: 'number', nullable: false },
  { name: 'o.n', type: 'number', nullable: false },
  { name: 'm', type: 'number', nullable: true },
  { name: 's', type: 'text', nullable: false },
  { name: 'u', type: 'text', nullable: true },
  { name: 'b', type: 'boolean', nullable: false },
  { name: 'p', type: 'boolean', nullable: true },
  { name: 't', type: 'timestamp', nullable: false },
  { name: 'k', type: 'text', nullable: false, labels: ['low', 'mid', 'high'] },
]

export const PARAMETERS = {
  limit: 0.5,
  word: 'a',
  words: ['a', 'b', '', 'mid'],
  marks: [1, 0.1, Number.NaN],
  maybe: null,
}

const NUMBERS = [
  ...[0, -0, 1, -1, 2, 0.5, -0.5, 1.5, 2.5, -1.5, 0.1, 0.2, 0.3, 1.005, 2.675, 8.345, 100, 1e-7, 1e-6, 1.5e-5, 0.0001],
  ...[
    1e15,
    1e16,
    123456789012345680000,
    1e20,
    1e21,
    1.5e300,
    5e-324,
    1.7976931348623157e308,
    2 ** 53,
    2 ** 53 + 2,
    -(2 ** 53),
  ],
  ...[2 ** 31, 2 ** 31 - 1, -(2 ** 31), 2 ** 32, 2 ** 32 + 5, 2 ** 52 + 1, 0.49999999999999994, 4503599627370495.5],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Math.PI, 1 / 3],
]
const TEXTS = [
  ...[
    '',
    ' ',
    'a',
    'b',
    'A',
    'ab',
    'abc',
    'a,b',
    ',',
    'a,b,c',
    "it's",
    '"',
    '\\',
    '$&',
    '%',
    '_',
    'null',
    'a a a',
    'low',
    'mid',
  ],
  ...[
    '1',
    '-1.5',
    ' 12 ',
    '1e3',
    '1_000',
    'inf',
    'nan',
    'NaN',
    'Infinity',
    '-Infinity',
    '.5',
    '5.',
    '1e999',
    '+3',
    '12px',
    '1e',
  ],
  ...[
    '\u00e9',
    '\ufeff',
    '\ufeffa',
    '\u00a0x\u3000',
    '\t\n',
    '\ue000',
    '\uffff',
    '\u{1f600}',
    'a\u{1f600}b',
    '\u{10000}',
    '\u2028',
    'é',
    '漢字',
  ],
]
const TIMES = [
  ...[1743296400000000, 1743296399999999, 1761440400000000, 1761444000000000, 1325239199000000, -3786912000000000],
  0,
  1,
  -1,
  999,
  1000,
  -1000,
  -1001,
  1700000000123456,
  1700000000999999,
  -62135596800000000,
  951782400000000,
]

export type TrickyRow = { readonly [name: string]: number | string | boolean | null }

export function trickyRows(count: number): TrickyRow[] {
  const random = seededRandom(7)
  const pick = <T>(values: readonly T[]): T => values[random.integer(values.length)]!
  const number = () => (random.next() < 0.5 ? pick(NUMBERS) : random.normal() * 10 ** (random.integer(9) - 4))
  return Array.from({ length: count }, (_, index) => ({
    n: index < NUMBERS.length ? NUMBERS[index]! : number(),
    'o.n': number(),
    m: random.next() < 0.3 ? null : number(),
    s: index < TEXTS.length ? TEXTS[index]! : pick(TEXTS),
    u: random.next() < 0.3 ? null : pick(TEXTS),
    b: random.next() < 0.5,
    p: random.next() < 0.3 ? null : random.next() < 0.5,
    t: random.next() < 0.3 ? pick(TIMES) : random.integer(2_000_000_000) * 1_000_000 + random.integer(1_000_000),
    k: pick(['low', 'mid', 'high']),
  }))
}

const quote = (text: string) => JSON.stringify(text)
const numberSource = (value: number) =>
  Object.is(value, -0) || value < 0 ? `(${Object.is(value, -0) ? '-0' : value})` : String(value)
const numbers = fc.constantFrom(...NUMBERS.filter(value => !Number.isNaN(value))).map(numberSource)
const texts = fc.constantFrom(...TEXTS).map(quote)
const shortTexts = fc.constantFrom(...['', 'a', 'b', ',', 'A', ' ', "'", '\\']).map(quote)
const timePatterns = fc
  .array(
    fc.constantFrom(
      ...[
        'yyyy',
        'yy',
        'M',
        'MM',
        'MMM',
        'MMMM',
        'd',
        'dd',
        'E',
        'EEEE',
        'H',
        'HH',
        'h',
        'hh',
        'a',
        'm',
        'mm',
        's',
        'ss',
      ],
      ...['S', 'SSS', 'SSSSS', 'SSSSSS', 'SSSSSSSS', 'X', 'XX', 'XXX', 'x', 'xx', 'xxx', 'Z'],
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map(fields => quote(fields.join("'%T'-[")))
const timeZones = fc
  .constantFrom('UTC', 'Europe/Madrid', 'America/St_Johns', 'Pacific/Apia', 'Asia/Kathmandu', '+05:45', '-03:00')
  .map(quote)
const wholes = fc.integer({ min: -4, max: 4 }).map(numberSource)

const source = (parts: TemplateStringsArray, ...values: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...values).map(texts => parts.map((part, index) => part + (texts[index] ?? '')).join(''))

type Grammar = {
  readonly number: string
  readonly text: string
  readonly boolean: string
  readonly nullable: string
}

const built = fc.letrec<Grammar>(tie => {
  const number = tie('number')
  const text = tie('text')
  const boolean = tie('boolean')
  return {
    number: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'tree' },
      fc.constantFrom(
        'r.n',
        'r.o.n',
        "r['o.n']",
        '(r.m ?? 0)',
        '(r.m ?? r.n)',
        '$.limit',
        'NaN',
        'Infinity',
        'r.t',
        '(r.m || 7)',
      ),
      numbers,
      source`(${number} ${fc.constantFrom('+', '-', '*', '%', '|', '&')} ${number})`,
      // Not by what may be a zero of another sign in SQL: floor, round, min and max do not keep it.
      source`(${number} / ${fc.constantFrom('r.n', 'r.o.n', '(r.m ?? 0)', '3', '0.1', '(-0)', 'r.t')})`,
      source`((${number}) ** 2)`,
      source`(-${number})`,
      source`Math.${fc.constantFrom('abs', 'ceil', 'floor', 'round', 'trunc', 'sign', 'sqrt')}(${number})`,
      source`Math.${fc.constantFrom('min', 'max')}(${number}, ${number}, ${number})`,
      source`(${boolean} ? ${number} : ${number})`,
      source`(r.m !== null ? r.m * 2 : ${number})`,
      source`(r.m === null || ${boolean} ? ${number} : r.m - 1)`,
      source`(r.u == null ? ${number} : r.u.length)`,
      source`${text}.length`,
      source`${text}.indexOf(${shortTexts})`,
      source`Number(${text})`,
      source`parseFloat(${text})`,
      source`(r.t - ${number})`,
      source`new Date(${fc.constantFrom('r.t / 1000', 'r.n', 'r.o.n * 1000')}).${fc.constantFrom('getTime', ...['Date', 'Day', 'FullYear', 'Hours', 'Milliseconds', 'Minutes', 'Month', 'Seconds'].map(part => `getUTC${part}`))}()`,
    ),
    text: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'tree' },
      fc.constantFrom('r.s', 'r.k', "(r.u ?? 'none')", '(r.u || r.s)', '$.word'),
      texts,
      source`\`\${${number}}-\${${text}}\``,
      source`\`\${r.u}\${r.m}\${r.p}\``,
      source`(${text} + ${text})`,
      source`(${text} + ${number})`,
      source`String(${fc.oneof(number, boolean)})`,
      source`(${boolean} ? ${text} : ${text})`,
      source`(${number} < 1 ? 'low' : ${boolean} ? 'mid' : 'high')`,
      source`${text}.${fc.constantFrom('trim', 'trimStart', 'trimEnd', 'toLowerCase', 'toUpperCase')}()`,
      source`${text}.slice(${wholes})`,
      source`${text}.slice(${wholes}, ${wholes})`,
      source`${text}.substring(${wholes}, ${wholes})`,
      source`${text}.charAt(${wholes})`,
      source`(${text}.at(${wholes}) ?? '-')`,
      source`(${text}.split(',')[${fc.constantFrom('0', '1', '2')}] ?? '-')`,
      source`${text}.replace(${shortTexts}, ${shortTexts})`,
      source`${text}.replaceAll(${fc.constantFrom('"a"', '","', '" "')}, ${shortTexts})`,
      source`${text}.${fc.constantFrom('padStart', 'padEnd')}(4, ${shortTexts})`,
      source`${text}.repeat(2)`,
      source`(${number}).toFixed(${fc.constantFrom('', '1', '2', '5')})`,
      source`$.formatTime(r.t, 'yyyy-MM-dd HH:mm:ss.SSSSSS')`,
      source`$.formatTime(r.t, ${timePatterns}, { zone: ${timeZones} })`,
      fc.constant('new Date(r.t / 1000).toISOString()'),
    ),
    boolean: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'tree' },
      fc.constantFrom(
        'r.b',
        '(r.p ?? false)',
        '!r.p',
        '(r.m !== null)',
        '(r.u === null)',
        '!r.m',
        '!!r.u',
        'true',
        '!r.n',
      ),
      source`(${number} ${fc.constantFrom('<', '<=', '>', '>=', '===', '!==')} ${number})`,
      source`(${text} ${fc.constantFrom('<', '<=', '>', '>=', '===', '!==')} ${text})`,
      source`(r.m ${fc.constantFrom('===', '!==')} ${number})`,
      source`(r.u ${fc.constantFrom('===', '!==')} ${text})`,
      source`(r.p === ${boolean})`,
      source`(r.k === ${fc.constantFrom("'low'", "'high'")})`,
      source`(r.s === ${texts})`,
      source`(${boolean} ${fc.constantFrom('&&', '||')} ${boolean})`,
      source`(r.m !== null && r.m > ${number})`,
      source`(r.p && ${boolean} ? ${boolean} : !${boolean})`,
      source`(!${boolean})`,
      source`!!${fc.oneof(number, text)}`,
      source`$.words.includes(${text})`,
      source`$.marks.includes(${number})`,
      source`['a', null].includes(r.u)`,
      source`${text}.${fc.constantFrom('includes', 'startsWith', 'endsWith')}(${fc.oneof(shortTexts, text)})`,
      source`Number.${fc.constantFrom('isFinite', 'isInteger', 'isNaN')}(${number})`,
      source`${fc.constantFrom('/^a/', '/[0-9]+$/', '/^(a|b),?/')}.test(${text})`,
    ),
    nullable: fc.oneof(
      fc.constantFrom('r.m', 'r.u', 'r.p', '$.maybe', 'r.u?.trim()', 'r.u?.length', 'r.s.at(0)'),
      source`(${boolean} ? ${number} : null)`,
      source`(${boolean} ? ${text} : null)`,
      source`(${boolean} ? 'yes' : ${boolean} ? null : 'no')`,
      source`(r.m ?? (${boolean} ? ${number} : null))`,
      source`(r.u && ${text})`,
      source`(r.m !== null && r.m > 0 ? r.m : null)`,
    ),
  }
})

const lambda = (body: fc.Arbitrary<string>) => body.map(text => `(r, $) => ${text}`)

export const numberLambda = lambda(built.number)
export const textLambda = lambda(built.text)
export const booleanLambda = lambda(built.boolean)
export const anyLambda = fc.oneof(numberLambda, textLambda, booleanLambda, lambda(built.nullable))

/** Functions whose SQL differs in the last bits, over exact arguments and at the top, where nothing can magnify it. */
export const inexactLambda = lambda(
  fc.oneof(
    source`Math.${fc.constantFrom('exp', 'log', 'log10', 'log2', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'cbrt', 'tanh', 'sinh', 'cosh')}(${fc.constantFrom('r.n', 'r.o.n', 'r.m ?? 0', 'r.n * r.o.n')})`,
    source`Math.${fc.constantFrom('atan2', 'hypot')}(r.n, ${fc.constantFrom('r.o.n', 'r.m ?? 1')})`,
    source`${fc.constantFrom('r.n', 'r.o.n', '(r.m ?? 1)')} ** ${fc.constantFrom('3', '0.5', '(-1)', 'r.o.n', '(r.m ?? 0)')}`,
  ),
)

/** The function that a source text stands for. */
export function functionOf(source: string): (row: never, parameters: never) => unknown {
  return new Function(`'use strict'; return ${source}`)()
}
