/**
 * Times written as text in a form that the schema names: what such a form must say, and the function that reads it.
 */
import { MillraceError } from '../../system/errors.ts'
import type { TextTime } from '../schema.ts'
import { microsecondsOfIso } from '../timestamp.ts'
import { MAXIMUM_TIME_US } from '../wire.ts'
import { dayOfDate } from './civil.ts'
import { MONTHS, type PatternPart, parsePattern, partOf, type TimeField, type TimePart, WEEKDAYS } from './pattern.ts'
import { type Zone, zoneAdvice, zoneNamed } from './zone.ts'

/** Whole microseconds since 1970 in UTC, rounded to the past; null for a text that is no such time. */
export type TimeReader = (text: string) => number | null

/** A form as its user wrote it. Throws SCHEMA_UNSUPPORTED for one that does not say a moment. */
export function checkedTextTime(pattern: string, zone: string | undefined): TextTime {
  const refuse = (problem: string, next: string) =>
    new MillraceError('SCHEMA_UNSUPPORTED', `timestamp(${JSON.stringify(pattern)}): ${problem}`, { next })
  if (zone !== undefined && (typeof zone !== 'string' || zoneNamed(zone) === null)) {
    throw refuse(`there is no time zone ${JSON.stringify(zone)}`, zoneAdvice(String(zone)))
  }
  const form = Object.freeze({ pattern, zone: zone ?? null })
  if (pattern === 'iso') return form
  const parts = parsePattern(pattern, { optional: true })
  if ('problem' in parts) {
    throw refuse(
      `it is no unit, and as a pattern ${parts.problem}`,
      "Use a pattern such as 'yyyy-MM-dd HH:mm:ss', or 's', 'ms', 'us', 'ns' or 'iso'.",
    )
  }
  const problem = problemOf(parts, zone !== undefined)
  if (problem !== null) throw refuse(...problem)
  return form
}

/** What keeps a pattern from saying a moment, with what to write. */
function problemOf(parts: readonly PatternPart[], hasZone: boolean): readonly [problem: string, next: string] | null {
  const always = new Set<TimePart>()
  const all = new Set<TimePart>()
  let isOptional = false
  for (const part of parts) {
    if ('optional' in part) {
      if (isOptional === (part.optional === 'begins')) return BRACKETS
      isOptional = part.optional === 'begins'
    } else if ('field' in part) {
      const said = partOf(part.field)
      if (all.has(said)) return [`it says the ${said} twice`, 'Leave one of the two out.']
      all.add(said)
      if (!isOptional) always.add(said)
    }
  }
  if (isOptional) return BRACKETS
  for (const [part, example] of NEEDED) {
    if (!always.has(part)) return [`it does not say the ${part} of every time`, `Add ${example}, outside of brackets.`]
  }
  if (all.has('half hour') !== all.has('half') || (all.has('half hour') && all.has('hour'))) {
    return ['hours from 1 to 12 need their half of the day', "Use HH, or hh with a: 'hh:mm a'."]
  }
  for (const [part, above] of WITHIN) {
    if (all.has(part) && !above.some(each => all.has(each))) {
      return [`it says the ${part} without the ${above[0]}`, 'Add the field, or leave the other one out.']
    }
  }
  if (!hasZone && !always.has('offset')) {
    const next = "Say it: { zone: 'Europe/Madrid' } or { zone: 'UTC' }; or have the offset read by XXX."
    return ['it does not say in which time zone the times are', next]
  }
  if (hasZone && always.has('offset')) {
    return ['its times have their own offset, so the zone would not be used', 'Leave zone out.']
  }
  return null
}

const BRACKETS = ['brackets stand in pairs, not within each other', 'Put a bracket itself in single quotes.'] as const
const NEEDED: readonly (readonly [TimePart, string])[] = [
  ['year', 'yyyy'],
  ['month', 'MM'],
  ['day', 'dd'],
]
const WITHIN: readonly (readonly [TimePart, readonly TimePart[]])[] = [
  ['fraction', ['second']],
  ['second', ['minute']],
  ['minute', ['hour', 'half hour']],
]

const readers = new Map<string, TimeReader>()

/** The function that reads times of a checked form; one for equal forms. */
export function timeReader({ pattern, zone }: TextTime): TimeReader {
  const key = `${zone ?? ''} ${pattern}`
  let reader = readers.get(key)
  if (reader === undefined) {
    const known = zone === null ? null : zoneNamed(zone)
    reader = pattern === 'iso' ? text => microsecondsOfIso(text, known) : patternReader(pattern, known)
    readers.set(key, reader)
  }
  return reader
}

/** By field what its texts look like, for a regular expression without regard to case. */
const WRITTEN: { readonly [Field in TimeField]: string } = {
  yyyy: '\\d{4}',
  uuuu: '\\d{4}',
  yy: '\\d\\d',
  M: '\\d\\d?',
  MM: '\\d\\d',
  MMM: MONTHS.map(short).join('|'),
  MMMM: MONTHS.join('|'),
  d: '\\d\\d?',
  dd: '\\d\\d',
  E: WEEKDAYS.map(short).join('|'),
  EEE: WEEKDAYS.map(short).join('|'),
  EEEE: WEEKDAYS.join('|'),
  H: '\\d\\d?',
  HH: '\\d\\d',
  h: '\\d\\d?',
  hh: '\\d\\d',
  a: 'AM|PM',
  m: '\\d\\d?',
  mm: '\\d\\d',
  s: '\\d\\d?',
  ss: '\\d\\d',
  S: '\\d{1}',
  SS: '\\d{2}',
  SSS: '\\d{3}',
  SSSS: '\\d{4}',
  SSSSS: '\\d{5}',
  SSSSSS: '\\d{6}',
  SSSSSSS: '\\d{7}',
  SSSSSSSS: '\\d{8}',
  SSSSSSSSS: '\\d{9}',
  X: 'Z|[+-]\\d\\d(?:\\d\\d)?',
  XX: 'Z|[+-]\\d{4}',
  XXX: 'Z|[+-]\\d\\d:\\d\\d',
  x: '[+-]\\d\\d(?:\\d\\d)?',
  xx: '[+-]\\d{4}',
  xxx: '[+-]\\d\\d:\\d\\d',
  Z: '[+-]\\d{4}',
}

function short(name: string): string {
  return name.slice(0, 3)
}

function patternReader(pattern: string, zone: Zone | null): TimeReader {
  const parts = parsePattern(pattern, { optional: true }) as readonly PatternPart[]
  const fields = parts.flatMap(part => ('field' in part ? [part.field] : []))
  const source = parts.map(part =>
    'field' in part
      ? `(${WRITTEN[part.field]})`
      : 'text' in part
        ? part.text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
        : part.optional === 'begins'
          ? '(?:'
          : ')?',
  )
  const form = new RegExp(`^${source.join('')}$`, 'i')
  /** Where the match has a part; 0 for a part that the pattern does not say. */
  const place = (part: TimePart) => fields.findIndex(field => partOf(field) === part) + 1
  const at = {
    year: place('year'),
    month: place('month'),
    day: place('day'),
    weekday: place('weekday'),
    hour: place('hour'),
    halfHour: place('half hour'),
    half: place('half'),
    minute: place('minute'),
    second: place('second'),
    fraction: place('fraction'),
    offset: place('offset'),
  }
  const century = fields.includes('yy') ? 2000 : 0
  const monthIsNamed = fields.some(field => field === 'MMM' || field === 'MMMM')
  return text => {
    const match = form.exec(text)
    if (match === null) return null
    const number = (index: number) => (index === 0 ? 0 : Number(match[index] ?? 0))
    const year = century + number(at.year)
    const month = monthIsNamed ? indexOfName(MONTHS, match[at.month]!) + 1 : number(at.month)
    const date = dayOfDate(year, month, number(at.day))
    const minute = number(at.minute)
    const second = number(at.second)
    let hour = number(at.hour)
    if (at.halfHour > 0 && match[at.halfHour] !== undefined) {
      const half = number(at.halfHour)
      if (half < 1 || half > 12) return null
      hour = (half % 12) + (/^p/i.test(match[at.half] ?? '') ? 12 : 0)
    }
    if (date === null || hour > 23 || minute > 59 || second > 59) return null
    const weekday = at.weekday === 0 ? undefined : match[at.weekday]
    if (weekday !== undefined && indexOfName(WEEKDAYS, weekday) !== (((date + 4) % 7) + 7) % 7) return null
    const local_s = date * 86_400 + hour * 3600 + minute * 60 + second
    const written = at.offset === 0 ? undefined : match[at.offset]
    const offset_s = written === undefined ? zone!.offsetAtLocal_s(local_s) : secondsOfOffset(written)
    if (offset_s === null) return null
    const fraction = at.fraction === 0 ? '' : (match[at.fraction] ?? '')
    const microseconds = (local_s - offset_s) * 1_000_000 + Number(fraction.slice(0, 6).padEnd(6, '0'))
    return Math.abs(microseconds) <= MAXIMUM_TIME_US ? microseconds : null
  }
}

/** The first three letters tell all names apart. */
function indexOfName(names: readonly string[], text: string): number {
  const start = text.slice(0, 3).toLowerCase()
  return names.findIndex(name => name.toLowerCase().startsWith(start))
}

function secondsOfOffset(text: string): number | null {
  if (text === 'Z' || text === 'z') return 0
  const hours = Number(text.slice(1, 3))
  const minutes = Number(text.slice(3).replace(':', ''))
  if (hours > 23 || minutes > 59) return null
  return (hours * 60 + minutes) * 60 * (text.startsWith('-') ? -1 : 1)
}
