/** Times as messages write them, and the whole microseconds since 1970 that a column holds: exact, rounded to the past. */
import type { NumberUnit } from './schema.ts'
import { dayOfDate } from './times/civil.ts'
import type { Zone } from './times/zone.ts'
import { MAXIMUM_TIME_US } from './wire.ts'

/** Decimal digits between one unit and the microsecond. */
const SHIFT = { s: 6, ms: 3, us: 0, ns: -3 } as const
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?: ?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?))?$/

/** Microseconds of a JSON number's own digits; null when they do not fit into MAXIMUM_TIME_US. */
export function microsecondsOfDigits(source: string, unit: NumberUnit): number | null {
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

/**
 * Microseconds of `2026-11-22T05:01:29.123456Z`; null for any other text. Seconds and fraction may be missing, a blank may
 * stand for the T, a comma for the point, and the offset is `Z`, `+01:00`, `+0100` or `+01`. A text without an offset is
 * the local time of a zone, where there is one.
 */
export function microsecondsOfIso(text: string, zone: Zone | null = null): number | null {
  const match = ISO.exec(text)
  if (match === null) return null
  const date = dayOfDate(Number(match[1]), Number(match[2]), Number(match[3]))
  const hour = Number(match[4])
  const minute = Number(match[5])
  const second = Number(match[6] ?? 0)
  const offsetHour = Number(match[10] ?? 0)
  const offsetMinute = Number(match[11] ?? 0)
  if (date === null || hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return null
  const local_s = date * 86_400 + hour * 3600 + minute * 60 + second
  let offset_s = 0
  if (match[9] !== undefined) offset_s = (offsetHour * 60 + offsetMinute) * 60 * (match[9] === '-' ? -1 : 1)
  else if (match[8] === undefined) {
    if (zone === null) return null
    offset_s = zone.offsetAtLocal_s(local_s)
  }
  const microseconds = (local_s - offset_s) * 1_000_000 + Number((match[7] ?? '').slice(0, 6).padEnd(6, '0'))
  return Math.abs(microseconds) <= MAXIMUM_TIME_US ? microseconds : null
}

/** `2026-11-22T05:01:29.123456Z`, the fraction only as long as it must be. */
export function isoOfMicroseconds(microseconds: number): string {
  const seconds = Math.floor(microseconds / 1_000_000)
  const rest = microseconds - seconds * 1_000_000
  const fraction = rest === 0 ? '' : `.${String(rest).padStart(6, '0').replace(/0+$/, '')}`
  return `${new Date(seconds * 1000).toISOString().slice(0, -5)}${fraction}Z`
}
