/**
 * Patterns of times, in the letters of Unicode TR35 that java.time and Spark use: `yyyy-MM-dd HH:mm:ss.SSSXXX`. Other
 * letters stand in single quotes, `''` is a quote. Names of months and days are English.
 */

export type TimeField = keyof typeof FIELDS

/** By field the part of a time that it says; a pattern says no part twice. */
const FIELDS = {
  yyyy: 'year',
  uuuu: 'year',
  yy: 'year',
  M: 'month',
  MM: 'month',
  MMM: 'month',
  MMMM: 'month',
  d: 'day',
  dd: 'day',
  E: 'weekday',
  EEE: 'weekday',
  EEEE: 'weekday',
  H: 'hour',
  HH: 'hour',
  h: 'half hour',
  hh: 'half hour',
  a: 'half',
  m: 'minute',
  mm: 'minute',
  s: 'second',
  ss: 'second',
  S: 'fraction',
  SS: 'fraction',
  SSS: 'fraction',
  SSSS: 'fraction',
  SSSSS: 'fraction',
  SSSSSS: 'fraction',
  SSSSSSS: 'fraction',
  SSSSSSSS: 'fraction',
  SSSSSSSSS: 'fraction',
  X: 'offset',
  XX: 'offset',
  XXX: 'offset',
  x: 'offset',
  xx: 'offset',
  xxx: 'offset',
  Z: 'offset',
} as const

export type TimePart = (typeof FIELDS)[TimeField]

export const partOf = (field: TimeField): TimePart => FIELDS[field]

/** `optional`: the beginning or the end of a section that may be missing. */
export type PatternPart =
  | { readonly field: TimeField }
  | { readonly text: string }
  | { readonly optional: 'begins' | 'ends' }

/** For messages: the fields that there are. */
const KNOWN_FIELDS = 'yyyy yy M MM MMM MMMM d dd E EEEE H HH h hh a m mm s ss S to SSSSSSSSS X XX XXX x xx xxx Z'

/** What is often written for another field. */
const MISTAKEN: Readonly<Record<string, string>> = {
  YYYY: 'yyyy',
  YY: 'yy',
  D: 'd',
  DD: 'dd',
  A: 'a',
  aa: 'a',
  T: "'T'",
  ZZ: 'xx',
  ZZZ: 'xx',
  ZZZZZ: 'XXX',
  f: 'S',
  ffffff: 'SSSSSS',
  SSSSSSSSSSSS: 'SSSSSSSSS',
}

const months = 'January February March April May June July August September October November December'
const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'
/** From January; from Sunday. Their short forms are the first three letters. */
export const MONTHS: readonly string[] = months.split(' ')
export const WEEKDAYS: readonly string[] = days.split(' ')

const PIECE = /''|'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z']+|'/g

/** The parts of a pattern, or what is wrong with it. With `optional`, brackets stand around what may be missing. */
export function parsePattern(
  pattern: string,
  { optional }: { readonly optional: boolean },
): readonly PatternPart[] | { readonly problem: string } {
  const parts: PatternPart[] = []
  for (const [piece] of pattern.matchAll(PIECE)) {
    if (piece === "''") parts.push({ text: "'" })
    else if (piece.startsWith("'") && piece.length > 1) parts.push({ text: piece.slice(1, -1).replaceAll("''", "'") })
    else if (Object.hasOwn(FIELDS, piece)) parts.push({ field: piece as TimeField })
    else if (piece === "'") return { problem: 'a single quote is not closed' }
    else if (/[A-Za-z]/.test(piece)) {
      const instead = MISTAKEN[piece]
      return {
        problem: `there is no field '${piece}'${instead === undefined ? '' : ` (write ${instead})`}; the fields are ${KNOWN_FIELDS}, other letters stand in single quotes`,
      }
    } else if (!optional) parts.push({ text: piece })
    else {
      for (const [each] of piece.matchAll(/[[\]]|[^[\]]+/g)) {
        parts.push(each === '[' ? { optional: 'begins' } : each === ']' ? { optional: 'ends' } : { text: each })
      }
    }
  }
  return parts
}
