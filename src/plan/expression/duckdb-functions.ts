/**
 * The known functions in DuckDB SQL, with JavaScript's answers for NaN, infinities, halves and empty texts. None may raise
 * an error whatever its arguments: SQL does not promise that a guard beside it is looked at first.
 */
import {
  astralCount,
  INFINITY,
  type Let,
  NAN,
  numberLiteral,
  numberText,
  textLiteral,
  WHITE_SPACE,
} from './duckdb-text.ts'
import { formatTimeSql } from './format-time.ts'
import type { FunctionName } from './functions.ts'
import { constantNumber, constantText, type Expression } from './tree.ts'

export interface SqlArguments {
  /** The SQL of each argument. */
  readonly sql: readonly string[]
  readonly nodes: readonly Expression[]
  readonly bind: Let
}

/** There is no SQL for it; the message says what. */
export class NoSql extends Error {}

type Write = (args: SqlArguments) => string

const plain =
  (name: string): Write =>
  ({ sql }) =>
    `${name}(${sql.join(', ')})`

/** A formula that names its argument more than once. */
const formula =
  (write: (value: string) => string): Write =>
  ({ sql, bind }) =>
    bind(sql[0]!, value => `(${write(value)})`)

const guarded = (condition: (value: string) => string, name: string) =>
  formula(value => `CASE WHEN ${condition(value)} THEN ${NAN} ELSE ${name}(${value}) END`)

const logarithm = (name: string) =>
  formula(
    value => `CASE WHEN ${value} < 0 THEN ${NAN} WHEN ${value} = 0 THEN '-Infinity'::DOUBLE ELSE ${name}(${value}) END`,
  )

const notFinite = (value: string) => `NOT isfinite(${value})`
const outsideOne = (value: string) => `NOT (abs(${value}) <= 1)`

/** `least` and `greatest` of two, NaN when one of them is. */
const extreme =
  (name: string): Write =>
  ({ sql, bind }) =>
    sql.reduce((left, right) =>
      bind(left, a =>
        bind(right, b => `(CASE WHEN isnan(${a}) OR isnan(${b}) THEN ${NAN} ELSE ${name}(${a}, ${b}) END)`),
      ),
    )

const unsupported =
  (what: string): Write =>
  () => {
    throw new NoSql(`${what} has no SQL with the same answers`)
  }

const trimmed =
  (name: string): Write =>
  ({ sql }) =>
    `${name}(${sql[0]}, ${textLiteral(WHITE_SPACE)})`

/** A whole number among the arguments that is a constant. */
function whole({ nodes }: SqlArguments, index: number, what: string): number | null {
  if (nodes[index] === undefined) return null
  const value = constantNumber(nodes[index])
  if (value === null || !Number.isInteger(value) || Math.abs(value) > 1_000_000)
    throw new NoSql(`${what} needs constant whole numbers`)
  return value
}

/** The timestamp of a date's milliseconds; null where JavaScript has an invalid date. */
const timestamp = (date: string, bind: Let) =>
  bind(
    date,
    value => `make_timestamp(CASE WHEN abs(${value}) <= 8.64e15 THEN TRY_CAST(trunc(${value}) AS BIGINT) * 1000 END)`,
  )

const dateField =
  (write: (time: string) => string): Write =>
  ({ sql, bind }) =>
    `coalesce(CAST(${write(timestamp(sql[0]!, bind))} AS DOUBLE), ${NAN})`

const NUMERAL = '[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?'

/** A text that matches NUMERAL, as a double; beyond the largest double it is infinite. */
const parsed = (text: string) =>
  `coalesce(TRY_CAST(${text} AS DOUBLE), CASE WHEN starts_with(${text}, '-') THEN '-Infinity'::DOUBLE ELSE ${INFINITY} END)`

const infinite = (text: string) => `CASE WHEN starts_with(${text}, '-') THEN '-Infinity'::DOUBLE ELSE ${INFINITY} END`

/** Regular expressions that mean the same in JavaScript and RE2. */
const COMMON_PATTERN =
  /^(?:[A-Za-z0-9 _\-,:@/#%&=!<>~'"|^$*+?]|\((?:\?:)?|\)|\{\d+(?:,\d*)?\}|\\[dw.\\/\-+*?()[\]{}|^$]|\[[A-Za-z0-9 _,:@/#%&=!<>~'".+*?-]+\])*$/

export const DUCKDB_FUNCTIONS: { readonly [Name in FunctionName]: Write } = {
  'Math.abs': plain('abs'),
  'Math.acos': guarded(outsideOne, 'acos'),
  'Math.asin': guarded(outsideOne, 'asin'),
  'Math.atan': plain('atan'),
  'Math.atan2': plain('atan2'),
  'Math.cbrt': plain('cbrt'),
  'Math.ceil': plain('ceil'),
  'Math.cos': guarded(notFinite, 'cos'),
  'Math.cosh': plain('cosh'),
  'Math.exp': plain('exp'),
  'Math.floor': plain('floor'),
  'Math.hypot': ({ sql, bind }) => {
    if (sql.length === 1) return `abs(${sql[0]})`
    if (sql.length > 2)
      throw new NoSql('`Math.hypot` of more than two numbers has no SQL: write `Math.sqrt(x * x + ...)`')
    return bind(sql[0]!, a =>
      bind(sql[1]!, b =>
        bind(
          `greatest(abs(${a}), abs(${b}))`,
          largest =>
            `(CASE WHEN isinf(${a}) OR isinf(${b}) THEN ${INFINITY} WHEN isnan(${a}) OR isnan(${b}) THEN ${NAN} WHEN ${largest} = 0 THEN 0::DOUBLE ELSE ${largest} * sqrt((${a} / ${largest}) * (${a} / ${largest}) + (${b} / ${largest}) * (${b} / ${largest})) END)`,
        ),
      ),
    )
  },
  'Math.log': logarithm('ln'),
  'Math.log10': logarithm('log10'),
  'Math.log2': logarithm('log2'),
  'Math.max': extreme('greatest'),
  'Math.min': extreme('least'),
  'Math.round': formula(
    value => `CASE WHEN ${value} - floor(${value}) >= 0.5::DOUBLE THEN ceil(${value}) ELSE floor(${value}) END`,
  ),
  'Math.sign': formula(
    value => `CASE WHEN isnan(${value}) OR ${value} = 0 THEN ${value} ELSE CAST(sign(${value}) AS DOUBLE) END`,
  ),
  'Math.sin': guarded(notFinite, 'sin'),
  'Math.sinh': plain('sinh'),
  'Math.sqrt': guarded(value => `${value} < 0`, 'sqrt'),
  'Math.tan': guarded(notFinite, 'tan'),
  'Math.tanh': plain('tanh'),
  'Math.trunc': plain('trunc'),
  'Number.isFinite': plain('isfinite'),
  'Number.isInteger': formula(value => `isfinite(${value}) AND ${value} = floor(${value})`),
  'Number.isNaN': plain('isnan'),
  'int64.asNumber': ({ sql }) => `CAST(${sql[0]} AS DOUBLE)`,
  Number: ({ sql, bind }) =>
    bind(
      `trim(${sql[0]}, ${textLiteral(WHITE_SPACE)})`,
      text =>
        `(CASE WHEN ${text} = '' THEN 0::DOUBLE WHEN regexp_full_match(${text}, '[+-]?Infinity') THEN ${infinite(text)} WHEN regexp_full_match(${text}, '${NUMERAL}') THEN ${parsed(text)} ELSE ${NAN} END)`,
    ),
  parseFloat: ({ sql, bind }) =>
    bind(`ltrim(${sql[0]}, ${textLiteral(WHITE_SPACE)})`, text =>
      bind(
        `regexp_extract(${text}, '^${NUMERAL}')`,
        number =>
          `(CASE WHEN regexp_matches(${text}, '^[+-]?Infinity') THEN ${infinite(text)} WHEN ${number} = '' THEN ${NAN} ELSE ${parsed(number)} END)`,
      ),
    ),
  parseInt: unsupported('`parseInt`'),
  'number.toFixed': args => {
    const digits = whole(args, 1, '`toFixed`') ?? 0
    if (digits > 15) throw new NoSql('`toFixed` of more than 15 digits has no SQL')
    return args.bind(args.sql[0]!, value => fixed(value, digits, args.bind))
  },
  'text.at': args => {
    const index = whole(args, 1, '`at`')!
    const [text] = args.sql
    if (index >= 0) return `nullif(substring(${text}, ${index + 1}, 1), '')`
    return args.bind(
      text!,
      value =>
        `(CASE WHEN length(${value}) >= ${-index} THEN substring(${value}, length(${value}) - ${-index - 1}, 1) END)`,
    )
  },
  'text.charAt': args => {
    const index = whole(args, 1, '`charAt`')!
    return index < 0 ? `left(${args.sql[0]}, 0)` : `substring(${args.sql[0]}, ${index + 1}, 1)`
  },
  'text.endsWith': plain('ends_with'),
  'text.includes': plain('contains'),
  'text.indexOf': ({ sql, bind }) =>
    bind(sql[0]!, text =>
      bind(
        `instr(${text}, ${sql[1]})`,
        place =>
          `(CASE WHEN ${sql[1]} = '' THEN 0::DOUBLE WHEN ${place} = 0 THEN '-1'::DOUBLE ELSE CAST(${place} - 1 + ${astralCount(`left(${text}, ${place} - 1)`)} AS DOUBLE) END)`,
      ),
    ),
  'text.length': ({ sql, bind }) => bind(sql[0]!, text => `CAST(length(${text}) + ${astralCount(text)} AS DOUBLE)`),
  'text.padEnd': args => padded('rpad', args),
  'text.padStart': args => padded('lpad', args),
  'text.repeat': args => `repeat(${args.sql[0]}, ${whole(args, 1, '`repeat`')})`,
  'text.replace': ({ sql, bind }) =>
    bind(sql[0]!, text =>
      bind(
        `instr(${text}, ${sql[1]})`,
        place =>
          `(CASE WHEN ${sql[1]} = '' THEN ${sql[2]} || ${text} WHEN ${place} = 0 THEN ${text} ELSE left(${text}, ${place} - 1) || ${sql[2]} || substring(${text}, ${place} + length(${sql[1]})) END)`,
      ),
    ),
  'text.replaceAll': ({ sql, nodes }) => {
    if (constantText(nodes[1]) === '') throw new NoSql('`replaceAll` of the empty text has no SQL')
    return `replace(${sql.join(', ')})`
  },
  'text.slice': args => {
    const from = whole(args, 1, '`slice`')!
    const to = whole(args, 2, '`slice`')
    return args.bind(args.sql[0]!, text => {
      const place = (index: number) => (index < 0 ? `greatest(length(${text}) - ${-index}, 0)` : String(index))
      if (to === null) return `substring(${text}, ${place(from)} + 1)`
      return `substring(${text}, ${place(from)} + 1, greatest(${place(to)} - ${place(from)}, 0))`
    })
  },
  'text.splitPart': args => `string_split(${args.sql[0]}, ${args.sql[1]})[${whole(args, 2, '`split`')! + 1}]`,
  'text.startsWith': plain('starts_with'),
  'text.substring': args => {
    const from = Math.max(0, whole(args, 1, '`substring`')!)
    const to = whole(args, 2, '`substring`')
    if (to === null) return `substring(${args.sql[0]}, ${from + 1})`
    const end = Math.max(0, to)
    return `substring(${args.sql[0]}, ${Math.min(from, end) + 1}, ${Math.abs(end - from)})`
  },
  'text.test': ({ sql, nodes }) => {
    const pattern = constantText(nodes[1])!
    const flags = constantText(nodes[2])!
    if (!COMMON_PATTERN.test(pattern) || !/^u?$/.test(flags)) {
      throw new NoSql(`the regular expression /${pattern}/${flags} may mean something else in SQL`)
    }
    return `regexp_matches(${sql[0]}, ${textLiteral(pattern)})`
  },
  'text.toLowerCase': plain('lower'),
  'text.toUpperCase': plain('upper'),
  'text.trim': trimmed('trim'),
  'text.trimEnd': trimmed('rtrim'),
  'text.trimStart': trimmed('ltrim'),
  date: ({ sql }) => sql[0]!,
  'date.getTime': formula(
    value =>
      `CASE WHEN abs(${value}) <= 8.64e15 THEN CASE WHEN abs(${value}) < 1 THEN 0::DOUBLE ELSE trunc(${value}) END ELSE ${NAN} END`,
  ),
  'date.getUTCDate': dateField(time => `day(${time})`),
  'date.getUTCDay': dateField(time => `dayofweek(${time})`),
  'date.getUTCFullYear': dateField(time => `year(${time})`),
  'date.getUTCHours': dateField(time => `hour(${time})`),
  'date.getUTCMilliseconds': dateField(time => `millisecond(${time}) % 1000`),
  'date.getUTCMinutes': dateField(time => `minute(${time})`),
  'date.getUTCMonth': dateField(time => `month(${time}) - 1`),
  'date.getUTCSeconds': dateField(time => `second(${time})`),
  'date.toISOString': ({ sql, bind }) => `strftime(${timestamp(sql[0]!, bind)}, '%Y-%m-%dT%H:%M:%S.%gZ')`,
  '$.formatTime': ({ sql, nodes, bind }) =>
    formatTimeSql(sql[0]!, constantText(nodes[1])!, constantText(nodes[2]) ?? 'UTC', bind),
}

function padded(name: string, args: SqlArguments): string {
  const width = whole(args, 1, '`padStart`')!
  if (args.nodes[2] !== undefined && constantText(args.nodes[2]) === '') return args.sql[0]!
  return args.bind(
    args.sql[0]!,
    text =>
      `(CASE WHEN length(${text}) >= ${width} THEN ${text} ELSE ${name}(${text}, ${width}, ${args.sql[2] ?? "' '"}) END)`,
  )
}

/** `toFixed`: printf rounds exact ties to even and JavaScript away from zero, so ties are written digit by digit. */
function fixed(value: string, digits: number, bind: Let): string {
  const halves = numberLiteral(2 ** (digits + 1))
  const scale = numberLiteral(10 ** digits)
  const fraction = `(abs(${value}) - floor(abs(${value})))`
  const isTie = `${fraction} * ${halves} = floor(${fraction} * ${halves}) AND (${fraction} * ${scale}) % 1 = 0.5`
  const whole = `CAST(CAST(floor(abs(${value})) AS HUGEINT) AS VARCHAR)`
  // No carry: a fraction all of nines and a five is no sum of halves, unless there are no digits.
  const tie =
    digits === 0
      ? `printf('%.0f', ${value} + sign(${value}) * 0.5::DOUBLE)`
      : `CASE WHEN ${value} < 0 THEN '-' ELSE '' END || ${whole} || '.' || lpad(CAST(CAST(floor(${fraction} * ${scale}) + 1 AS BIGINT) AS VARCHAR), ${digits}, '0')`
  return `(CASE WHEN NOT (abs(${value}) < 1e21) THEN ${numberText(value, bind)} WHEN ${value} = 0 THEN printf('%.${digits}f', 0::DOUBLE) WHEN ${isTie} THEN ${tie} ELSE printf('%.${digits}f', ${value}) END)`
}
