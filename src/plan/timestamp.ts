/** Times as messages write them, and the whole microseconds since 1970 that a column holds: exact, rounded to the past. */
import type { TimestampUnit } from './schema.ts'
import { MAXIMUM_TIME_US } from './wire.ts'

/** Decimal digits between one unit and the microsecond. */
const SHIFT = { s: 6, ms: 3, us: 0, ns: -3 } as const
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:Z|([+-])(\d\d):(\d\d))$/

/** Microseconds of a JSON number's own digits; null when they do not fit into MAXIMUM_TIME_US. */
export function microsecondsOfDigits(source: string, unit: Exclude<TimestampUnit, 'iso'>): number | null {
  const match = NUMBER.exec(source)
  if (match === null) return null
  const fraction = match[3] ?? ''
  const written = match[2]! + fraction
  const digits = written.replace(/^0+/, '')
  if (digits === '') return 0
  const point = digits.length - fraction.length + Number(match[4] ?? 0) + SHIFT[unit]
  if (point > 16) return null
  const whole = point <= 0 ? 0 : Number(digits.slice(0, point).padEnd(point, '0'))
  const rest = /[1-9]/.test(digits.slice(Math.max(0, point)))
  const microseconds = match[1] === '-' ? (rest ? -whole - 1 : 0 - whole) : whole
  return Math.abs(microseconds) <= MAXIMUM_TIME_US ? microseconds : null
}

/** Microseconds of `2026-11-22T05:01:29.123456Z` (or `+01:00`, seconds optional); null for any other text. */
export function microsecondsOfIso(text: string): number | null {
  const match = ISO.exec(text)
  if (match === null) return null
  const [year, month, day, hour, minute] = [match[1], match[2], match[3], match[4], match[5]].map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const second = Number(match[6] ?? 0)
  const offsetHour = Number(match[9] ?? 0)
  const offsetMinute = Number(match[10] ?? 0)
  if (hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return null
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  const offset_s = (offsetHour * 60 + offsetMinute) * 60 * (match[8] === '-' ? -1 : 1)
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset_s
  const microseconds = seconds * 1_000_000 + Number((match[7] ?? '').slice(0, 6).padEnd(6, '0'))
  return Math.abs(microseconds) <= MAXIMUM_TIME_US ? microseconds : null
}

/** `2026-11-22T05:01:29.123456Z`, the fraction only as long as it must be. */
export function isoOfMicroseconds(microseconds: number): string {
  const seconds = Math.floor(microseconds / 1_000_000)
  const rest = microseconds - seconds * 1_000_000
  const fraction = rest === 0 ? '' : `.${String(rest).padStart(6, '0').replace(/0+$/, '')}`
  return `${new Date(seconds * 1000).toISOString().slice(0, -5)}${fraction}Z`
}
