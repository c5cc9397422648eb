/**
 * Time zones: how far local time is from UTC, at a moment and at a local time.
 *
 * The rules are those of the platform (Intl). Asking it takes microseconds, so what it says is kept for pieces of six
 * hours: most pieces have one offset throughout, and rows that follow each other lie in the same one.
 *
 * A local time that exists twice (clocks are put back) means the first of the two; one that does not exist (clocks are
 * put forward) is taken as later by the length of the gap. Both are the offset from before the change: the rule of
 * java.time and Spark.
 */
import { nearest } from '../../system/errors.ts'

/** Shorter than any two changes of a zone lie apart, longer than any change of the offset takes effect. */
const PIECE_S = 21_600
const DAY_S = 86_400
/** Pieces kept of a zone: more than thirty years. */
const PIECES_MAX = 50_000
/** No zone changes before 1684, and years of fewer than four digits are easily misread. */
const RULES_BEGIN_S = -9_025_000_000
const FIXED = /^([+-])(\d\d):?(\d\d)$/

export class Zone {
  /** As Intl and DuckDB know it; for a fixed offset the offset itself, `+02:00`. */
  readonly name: string
  /** Seconds east of UTC throughout, null where that depends on the moment. */
  readonly fixed_s: number | null
  readonly #format: Intl.DateTimeFormat | null
  /** By piece of UTC: its offset, or where in it the offset changes. */
  readonly #pieces = new Map<number, Piece>()
  /** By piece of local time: its offset, null where that depends on the time. */
  readonly #localPieces = new Map<number, number | null>()
  #lastPiece = Number.NaN
  #last_s: number | null = null

  constructor(name: string, fixed_s: number | null) {
    this.name = name
    this.fixed_s = fixed_s
    this.#format = fixed_s === null ? new Intl.DateTimeFormat('en-US', { timeZone: name, ...NUMERIC }) : null
  }

  /** Seconds east of UTC at a moment, in whole seconds since 1970. */
  offset_s(utc_s: number): number {
    if (this.fixed_s !== null) return this.fixed_s
    const { change_s, before_s, after_s } = this.#piece(Math.floor(utc_s / PIECE_S))
    return utc_s < change_s ? before_s : after_s
  }

  /** Seconds east of UTC at a local time, in whole seconds since 1970 on the clock's face. */
  offsetAtLocal_s(local_s: number): number {
    if (this.fixed_s !== null) return this.fixed_s
    const index = Math.floor(local_s / PIECE_S)
    if (index !== this.#lastPiece) {
      this.#lastPiece = index
      this.#last_s = this.#localPiece(index)
    }
    if (this.#last_s !== null) return this.#last_s
    const before_s = this.offset_s(local_s - DAY_S)
    if (this.offset_s(local_s - before_s) === before_s) return before_s
    const after_s = this.offset_s(local_s + DAY_S)
    return this.offset_s(local_s - after_s) === after_s ? after_s : before_s
  }

  #localPiece(index: number): number | null {
    const known = this.#localPieces.get(index)
    if (known !== undefined) return known
    // No zone is a day and a quarter away from UTC.
    const first = this.#piece(index - 5)
    let offset_s: number | null = first.before_s
    for (let piece = index - 5; piece <= index + 5; piece++) {
      const { before_s, after_s } = this.#piece(piece)
      if (before_s !== offset_s || after_s !== offset_s) offset_s = null
    }
    if (this.#localPieces.size >= PIECES_MAX) this.#localPieces.clear()
    this.#localPieces.set(index, offset_s)
    return offset_s
  }

  #piece(index: number): Piece {
    const known = this.#pieces.get(index)
    if (known !== undefined) return known
    const start_s = index * PIECE_S
    const before_s = this.#pieces.get(index - 1)?.after_s ?? this.#ask(start_s)
    const after_s = this.#ask(start_s + PIECE_S)
    let low_s = start_s
    let high_s = start_s + PIECE_S
    // The first second with the new offset.
    while (before_s !== after_s && high_s - low_s > 1) {
      const middle_s = Math.floor((low_s + high_s) / 2)
      if (this.#ask(middle_s) === before_s) low_s = middle_s
      else high_s = middle_s
    }
    const piece = { change_s: before_s === after_s ? start_s : high_s, before_s, after_s }
    if (this.#pieces.size >= PIECES_MAX) this.#pieces.clear()
    this.#pieces.set(index, piece)
    return piece
  }

  #ask(asked_s: number): number {
    const utc_s = Math.max(asked_s, RULES_BEGIN_S)
    const numbers = this.#format!.format(utc_s * 1000)
      .match(/\d+/g)!
      .map(Number)
    const [month, day, year, hour, minute, second] = numbers as [number, number, number, number, number, number]
    return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - utc_s
  }
}

interface Piece {
  /** The first second of the new offset; the piece's start where nothing changes. */
  readonly change_s: number
  readonly before_s: number
  readonly after_s: number
}

const NUMERIC = {
  calendar: 'gregory',
  numberingSystem: 'latn',
  hourCycle: 'h23',
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
} as const

const zones = new Map<string, Zone>()

export const UTC = new Zone('UTC', 0)

/** The zone of a name such as `Europe/Madrid`, `UTC` or `+02:00`; null when there is none. */
export function zoneNamed(name: string): Zone | null {
  if (name === 'UTC') return UTC
  const known = zones.get(name)
  if (known !== undefined) return known
  const made = makeZone(name)
  if (made !== null) zones.set(name, made)
  return made
}

function makeZone(name: string): Zone | null {
  const [, sign, hours, minutes] = FIXED.exec(name) ?? []
  if (hours !== undefined && minutes !== undefined) {
    if (Number(hours) > 18 || Number(minutes) > 59) return null
    return new Zone(`${sign}${hours}:${minutes}`, (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60)
  }
  // Intl takes more forms of offsets than others do.
  if (!/^[A-Za-z]/.test(name)) return null
  try {
    return new Zone(new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone, null)
  } catch {
    return null
  }
}

/** What to write in place of a zone that there is not. */
export function zoneAdvice(name: string): string {
  const near = nearest(name, Intl.supportedValuesOf('timeZone'))
  return `Use a name such as '${near ?? 'Europe/Madrid'}', 'UTC' or an offset such as '+02:00'.`
}
