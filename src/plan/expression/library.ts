/** The functions that a lambda finds on its second argument, `$`, beside the parameters. */
import type { Parameters } from './lambda.ts'

export interface Library {
  /**
   * A timestamp as text in UTC: `$.formatTime(r.time, 'yyyy-MM-dd HH:mm:ss')`. Fields: yyyy MM dd HH mm ss SSS SSSSSS;
   * other letters stand in single quotes, `''` is a quote.
   */
  formatTime(time: number, pattern: string): string
}

export const library: Library = { formatTime }

/** What a lambda is given as `$`: the parameters and the library. */
export function argumentOf(parameters: Parameters): Parameters & Library {
  return Object.freeze({ ...parameters, ...library }) as unknown as Parameters & Library
}

export type TimeField = 'yyyy' | 'MM' | 'dd' | 'HH' | 'mm' | 'ss' | 'SSS' | 'SSSSSS'
export type PatternPart = { readonly field: TimeField } | { readonly text: string }

const FIELDS: ReadonlySet<string> = new Set<TimeField>(['yyyy', 'MM', 'dd', 'HH', 'mm', 'ss', 'SSS', 'SSSSSS'])
const patterns = new Map<string, readonly PatternPart[]>()

/** The parts of a pattern, or the letters in it that are no field. */
export function parsePattern(pattern: string): readonly PatternPart[] | { readonly unknown: string } {
  const known = patterns.get(pattern)
  if (known) return known
  const parts: PatternPart[] = []
  for (const [piece] of pattern.matchAll(/''|'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z']+|'/g)) {
    if (piece === "''") parts.push({ text: "'" })
    else if (piece.startsWith("'") && piece.length > 1) parts.push({ text: piece.slice(1, -1).replaceAll("''", "'") })
    else if (FIELDS.has(piece)) parts.push({ field: piece as TimeField })
    else if (/[A-Za-z']/.test(piece)) return { unknown: piece }
    else parts.push({ text: piece })
  }
  if (patterns.size < 1000) patterns.set(pattern, parts)
  return parts
}

const padded = (value: number, digits: number) => String(value).padStart(digits, '0')

const FIELD: { readonly [Field in TimeField]: (date: Date, time: number) => string } = {
  yyyy: date => padded(date.getUTCFullYear(), 4),
  MM: date => padded(date.getUTCMonth() + 1, 2),
  dd: date => padded(date.getUTCDate(), 2),
  HH: date => padded(date.getUTCHours(), 2),
  mm: date => padded(date.getUTCMinutes(), 2),
  ss: date => padded(date.getUTCSeconds(), 2),
  SSS: date => padded(date.getUTCMilliseconds(), 3),
  SSSSSS: (_date, time) => padded(time - Math.floor(time / 1_000_000) * 1_000_000, 6),
}

function formatTime(time: number, pattern: string): string {
  const parts = parsePattern(pattern)
  if ('unknown' in parts)
    throw new RangeError(`formatTime does not know '${parts.unknown}' in the pattern '${pattern}'`)
  const date = new Date(Math.floor(time / 1000))
  let text = ''
  for (const part of parts) text += 'text' in part ? part.text : FIELD[part.field](date, time)
  return text
}
