/** `$.formatTime(time, pattern, { zone })` in a lambda: its arguments checked, and its SQL. */
import type { Expression as Syntax } from 'acorn'
import { type PatternPart, parsePattern, type TimeField } from '../times/pattern.ts'
import { zoneAdvice, zoneNamed } from '../times/zone.ts'
import { type Let, textLiteral } from './duckdb-text.ts'
import { unwrapped } from './source.ts'
import { constantText, type Expression } from './tree.ts'
import { Opaque, Refused } from './value.ts'

/**
 * The syntax of each argument: of the options that of their zone, null where they say none. `text` quotes a piece of
 * syntax.
 */
export function formatTimeArguments(args: readonly Syntax[], text: (node: Syntax) => string): readonly Syntax[] {
  const [time, pattern, options] = args
  if (time === undefined || pattern === undefined || options === undefined || args.length > 3) return args
  const object = unwrapped(options)
  if (object.type !== 'ObjectExpression') {
    throw new Opaque(
      `takes the options of \`$.formatTime\` from ${text(options)}`,
      "write them there: `{ zone: 'UTC' }`",
    )
  }
  const [property, ...more] = object.properties
  if (property === undefined) return [time, pattern]
  const isZone =
    property.type === 'Property' &&
    !property.computed &&
    ((property.key.type === 'Identifier' && property.key.name === 'zone') ||
      (property.key.type === 'Literal' && property.key.value === 'zone'))
  if (!isZone || more.length > 0) throw new Refused(`${text(options)}: \`$.formatTime\` has one option, \`zone\``)
  return [time, pattern, property.value as Syntax]
}

/** Throws Refused for a pattern or a zone that there is not. */
export function checkFormatTime(args: readonly Expression[], call: string): void {
  const pattern = parsePattern(constantText(args[1])!, { optional: false })
  if ('problem' in pattern) throw new Refused(`${call}: in the pattern ${pattern.problem}`)
  const zone = constantText(args[2])
  if (zone !== null && zoneNamed(zone) === null) {
    throw new Refused(`${call}: there is no time zone '${zone}'. ${zoneAdvice(zone)}`)
  }
}

const STRFTIME: { readonly [Field in TimeField]?: string } = {
  yyyy: '%Y',
  uuuu: '%Y',
  yy: '%y',
  M: '%-m',
  MM: '%m',
  MMM: '%b',
  MMMM: '%B',
  d: '%-d',
  dd: '%d',
  E: '%a',
  EEE: '%a',
  EEEE: '%A',
  H: '%-H',
  HH: '%H',
  h: '%-I',
  hh: '%I',
  a: '%p',
  m: '%-M',
  mm: '%M',
  s: '%-S',
  ss: '%S',
  SSS: '%g',
  SSSSSS: '%f',
  SSSSSSSSS: '%n',
}

/** SQL for a time that is given as SQL for its microseconds. */
export function formatTimeSql(time: string, pattern: string, zoneName: string, bind: Let): string {
  const parts = parsePattern(pattern, { optional: false }) as readonly PatternPart[]
  const zone = zoneNamed(zoneName)!
  const utc = `TRY_CAST(floor(${time}) AS BIGINT)`
  const local =
    zone.fixed_s === null
      ? `timezone(${textLiteral(zone.name)}, make_timestamptz(${utc}))`
      : `make_timestamp(${zone.fixed_s === 0 ? utc : `${utc} + ${zone.fixed_s}000000`})`
  return bind(local, wall => {
    const pieces: string[] = []
    let format = ''
    const flush = () => {
      if (format !== '') pieces.push(`strftime(${wall}, ${textLiteral(format)})`)
      format = ''
    }
    for (const part of parts) {
      const plain = 'field' in part ? STRFTIME[part.field] : 'text' in part ? part.text.replaceAll('%', '%%') : ''
      if (plain !== undefined) format += plain
      else {
        flush()
        const { field } = part as { readonly field: TimeField }
        pieces.push(field.startsWith('S') ? fraction(field.length, wall) : offset(field, wall, utc, bind))
      }
    }
    flush()
    return pieces.length === 0 ? "''" : pieces.length === 1 ? pieces[0]! : `(${pieces.join(' || ')})`
  })
}

const fraction = (digits: number, wall: string) => `left(strftime(${wall}, '%n'), ${digits})`

function offset(field: TimeField, wall: string, utc: string, bind: Let): string {
  // DuckDB's // rounds towards zero.
  return bind(`((epoch_us(${wall}) - ${utc}) // 60000000)`, minutes => {
    const size = `abs(${minutes})`
    const hours = `CASE WHEN ${minutes} < 0 THEN '-' ELSE '+' END || lpad((${size} // 60)::VARCHAR, 2, '0')`
    const colon = field === 'XXX' || field === 'xxx' ? `':' || ` : ''
    const rest = `${colon}lpad((${size} % 60)::VARCHAR, 2, '0')`
    const all = field === 'X' || field === 'x' ? `CASE WHEN ${size} % 60 = 0 THEN '' ELSE ${rest} END` : rest
    const text = `${hours} || ${all}`
    return field.startsWith('X') ? `(CASE WHEN ${minutes} = 0 THEN 'Z' ELSE ${text} END)` : `(${text})`
  })
}
