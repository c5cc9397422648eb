/** Times written by a pattern, as local time of a zone. */
import { MONTHS, type PatternPart, parsePattern, type TimeField, WEEKDAYS } from './pattern.ts'
import { UTC, type Zone, zoneAdvice, zoneNamed } from './zone.ts'

export type TimeFormatter = (time_us: number) => string

/** What a pattern's fields are written from: local time as a Date in UTC, and what a Date does not hold. */
interface LocalTime {
  readonly date: Date
  /** Microseconds of the second. */
  readonly fraction_us: number
  /** Whole minutes east of UTC. */
  readonly offset_min: number
}

const padded = (value: number, digits: number) => String(value).padStart(digits, '0')
const fraction = (digits: number) => (time: LocalTime) => padded(time.fraction_us, 6).padEnd(9, '0').slice(0, digits)
const month = (time: LocalTime) => MONTHS[time.date.getUTCMonth()]!
const weekday = (time: LocalTime) => WEEKDAYS[time.date.getUTCDay()]!
const halfHour = (time: LocalTime) => ((time.date.getUTCHours() + 11) % 12) + 1
const short = (name: string) => name.slice(0, 3)
const year = (time: LocalTime) => padded(time.date.getUTCFullYear(), 4)

/** `colon` between hours and minutes; `zero`: what no offset at all is written as. */
const offset =
  (colon: string, zero: string | null, minutes: 'always' | 'if any') =>
  ({ offset_min }: LocalTime) => {
    if (offset_min === 0 && zero !== null) return zero
    const size = Math.abs(offset_min)
    const hours = `${offset_min < 0 ? '-' : '+'}${padded(Math.floor(size / 60), 2)}`
    return minutes === 'if any' && size % 60 === 0 ? hours : `${hours}${colon}${padded(size % 60, 2)}`
  }

const WRITE: { readonly [Field in TimeField]: (time: LocalTime) => string } = {
  yyyy: year,
  uuuu: year,
  yy: time => padded(((time.date.getUTCFullYear() % 100) + 100) % 100, 2),
  M: time => String(time.date.getUTCMonth() + 1),
  MM: time => padded(time.date.getUTCMonth() + 1, 2),
  MMM: time => short(month(time)),
  MMMM: month,
  d: time => String(time.date.getUTCDate()),
  dd: time => padded(time.date.getUTCDate(), 2),
  E: time => short(weekday(time)),
  EEE: time => short(weekday(time)),
  EEEE: weekday,
  H: time => String(time.date.getUTCHours()),
  HH: time => padded(time.date.getUTCHours(), 2),
  h: time => String(halfHour(time)),
  hh: time => padded(halfHour(time), 2),
  a: time => (time.date.getUTCHours() < 12 ? 'AM' : 'PM'),
  m: time => String(time.date.getUTCMinutes()),
  mm: time => padded(time.date.getUTCMinutes(), 2),
  s: time => String(time.date.getUTCSeconds()),
  ss: time => padded(time.date.getUTCSeconds(), 2),
  S: fraction(1),
  SS: fraction(2),
  SSS: fraction(3),
  SSSS: fraction(4),
  SSSSS: fraction(5),
  SSSSSS: fraction(6),
  SSSSSSS: fraction(7),
  SSSSSSSS: fraction(8),
  SSSSSSSSS: fraction(9),
  X: offset('', 'Z', 'if any'),
  XX: offset('', 'Z', 'always'),
  XXX: offset(':', 'Z', 'always'),
  x: offset('', null, 'if any'),
  xx: offset('', null, 'always'),
  xxx: offset(':', null, 'always'),
  Z: offset('', null, 'always'),
}

/** Writes microseconds since 1970 by a pattern, in UTC unless a zone is named. Throws RangeError for an unknown field or zone. */
export function timeFormatter(pattern: string, zoneName = 'UTC'): TimeFormatter {
  const parts = parsePattern(pattern, { optional: false })
  if ('problem' in parts) throw new RangeError(`formatTime: in the pattern '${pattern}' ${parts.problem}`)
  const zone = zoneNamed(zoneName)
  if (zone === null) throw new RangeError(`formatTime: there is no time zone '${zoneName}'. ${zoneAdvice(zoneName)}`)
  return time_us => written(parts, zone, time_us)
}

function written(parts: readonly PatternPart[], zone: Zone, time_us: number): string {
  const utc_s = Math.floor(time_us / 1_000_000)
  const offset_s = zone === UTC ? 0 : zone.offset_s(utc_s)
  const time: LocalTime = {
    date: new Date((utc_s + offset_s) * 1000),
    fraction_us: Math.floor(time_us) - utc_s * 1_000_000,
    offset_min: Math.trunc(offset_s / 60),
  }
  let text = ''
  for (const part of parts) {
    if ('field' in part) text += WRITE[part.field](time)
    else if ('text' in part) text += part.text
  }
  return text
}
