/**
 * Times written as text, read from their bytes: the common forms, without making a text of each. What these readers accept
 * the readers of texts (plan/times) accept with the same moment; NaN is 'not sure'.
 */
import type { TextTime } from '../../plan/schema.ts'
import { dayOfDate } from '../../plan/times/civil.ts'
import { parsePattern } from '../../plan/times/pattern.ts'
import { type Zone, zoneNamed } from '../../plan/times/zone.ts'
import { MAXIMUM_TIME_US } from '../../plan/wire.ts'

export type ByteTimeReader = (bytes: Uint8Array, start: number, length: number) => number

/** The reader of a form; null for a form of which only the text tells what it says. */
export function byteTimeReader({ pattern, zone }: TextTime): ByteTimeReader | null {
  const known = zone === null ? null : zoneNamed(zone)
  if (pattern === 'iso') return (bytes, start, length) => isoTime(bytes, start, length, known)
  const pieces = known === null ? null : piecesOf(pattern)
  return pieces === null ? null : patternReader(pieces, known!)
}

const COLON = 0x3a
const MINUS = 0x2d
const PLUS = 0x2b

/** The number that so many digits write; NaN when one of them is none. */
function digits(bytes: Uint8Array, start: number, count: number): number {
  let value = 0
  for (let at = start; at < start + count; at++) {
    const digit = bytes[at]! - 0x30
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

/** `2026-11-22T05:01:29.123456Z`: seconds always, up to nine digits of a fraction, `Z`, `+01:00` or the zone's own time. */
function isoTime(bytes: Uint8Array, start: number, length: number, zone: Zone | null): number {
  const end = start + length
  const separator = bytes[start + 10]
  if (length < 19 || bytes[start + 4] !== MINUS || bytes[start + 7] !== MINUS || bytes[start + 13] !== COLON)
    return Number.NaN
  if ((separator !== 0x54 && separator !== 0x20) || bytes[start + 16] !== COLON) return Number.NaN
  let at = start + 19
  let micros = 0
  if (at < end && bytes[at] === 0x2e) {
    const first = ++at
    for (let scale = 100_000; at < end; at++) {
      const digit = bytes[at]! - 0x30
      if (digit < 0 || digit > 9) break
      if (at - first < 6) micros += digit * scale
      scale /= 10
    }
    if (at === first) return Number.NaN
  }
  let offset_s: number | null = null
  if (at === end - 1 && bytes[at] === 0x5a) offset_s = 0
  else if (at === end - 6 && bytes[at + 3] === COLON && (bytes[at] === PLUS || bytes[at] === MINUS)) {
    const hours = digits(bytes, at + 1, 2)
    const minutes = digits(bytes, at + 4, 2)
    if (!(hours <= 23 && minutes <= 59)) return Number.NaN
    offset_s = (hours * 3600 + minutes * 60) * (bytes[at] === MINUS ? -1 : 1)
  } else if (at !== end || zone === null) return Number.NaN
  const year = digits(bytes, start, 4)
  const month = digits(bytes, start + 5, 2)
  const day = digits(bytes, start + 8, 2)
  const hour = digits(bytes, start + 11, 2)
  const minute = digits(bytes, start + 14, 2)
  const local_s = localSeconds(year, month, day, hour, minute, digits(bytes, start + 17, 2))
  if (Number.isNaN(local_s)) return Number.NaN
  return moment(local_s, offset_s ?? zone!.offsetAtLocal_s(local_s), micros)
}

/** NaN when there is no such time of day or date, or when one of the numbers is none. */
function localSeconds(year: number, month: number, day: number, hour: number, minute: number, second: number): number {
  if (!(hour <= 23 && minute <= 59 && second <= 59 && year + month + day >= 0)) return Number.NaN
  const date = dayOfDate(year, month, day)
  return date === null ? Number.NaN : date * 86_400 + hour * 3600 + minute * 60 + second
}

function moment(local_s: number, offset_s: number, micros: number): number {
  const microseconds = (local_s - offset_s) * 1_000_000 + micros
  return Math.abs(microseconds) <= MAXIMUM_TIME_US ? microseconds : Number.NaN
}

/** A number of so many digits that goes to a place, or a byte that stands there. */
type Piece = { readonly digits: number; readonly place: number } | { readonly byte: number }

const YEAR = 0
const FRACTION = 6
const PLACES: Readonly<Record<string, number>> = { yyyy: YEAR, uuuu: YEAR, MM: 1, dd: 2, HH: 3, mm: 4, ss: 5 }

/** Null unless all fields are of a fixed number of digits. */
function piecesOf(pattern: string): readonly Piece[] | null {
  const parts = parsePattern(pattern, { optional: true })
  if ('problem' in parts) return null
  const pieces: Piece[] = []
  for (const part of parts) {
    if ('optional' in part) return null
    if ('field' in part) {
      const place = part.field.startsWith('S') ? FRACTION : PLACES[part.field]
      if (place === undefined) return null
      pieces.push({ digits: part.field.length, place })
    } else {
      // Letters are read without regard to case, and what is not ASCII takes several bytes.
      if (!/^[ -@[-`{-~]*$/.test(part.text)) return null
      for (const character of part.text) pieces.push({ byte: character.charCodeAt(0) })
    }
  }
  return pieces
}

function patternReader(pieces: readonly Piece[], zone: Zone): ByteTimeReader {
  const total = pieces.reduce((sum, piece) => sum + ('byte' in piece ? 1 : piece.digits), 0)
  const fraction = pieces.find(piece => 'place' in piece && piece.place === FRACTION)
  const digitsOfFraction = fraction !== undefined && 'digits' in fraction ? fraction.digits : 0
  const values = [0, 0, 0, 0, 0, 0, 0]
  return (bytes, start, length) => {
    if (length !== total) return Number.NaN
    let at = start
    for (const piece of pieces) {
      if ('byte' in piece) {
        if (bytes[at++] !== piece.byte) return Number.NaN
      } else {
        values[piece.place] = digits(bytes, at, piece.digits)
        at += piece.digits
      }
    }
    const [year, month, day, hour, minute, second, part] = values as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    const local_s = localSeconds(year, month, day, hour, minute, second)
    if (Number.isNaN(local_s) || Number.isNaN(part)) return Number.NaN
    const micros =
      digitsOfFraction > 6 ? Math.floor(part / 10 ** (digitsOfFraction - 6)) : part * 10 ** (6 - digitsOfFraction)
    return moment(local_s, zone.offsetAtLocal_s(local_s), micros)
  }
}
