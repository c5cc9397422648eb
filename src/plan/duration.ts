/** Durations as users write them: `'500 ms'`, `'10 s'`, `'15 m'`, `'1 h'`, `'2 d'`. */
import { MillraceError } from '../system/errors.ts'

const UNITS_US = { ms: 1_000, s: 1_000_000, m: 60_000_000, h: 3_600_000_000, d: 86_400_000_000 } as const

/** A number and a unit: milliseconds, seconds, minutes, hours or days. */
export type Duration = `${number} ${keyof typeof UNITS_US}`

const FORM = /^(\d+(?:\.\d+)?) (ms|s|m|h|d)$/

/**
 * Whole microseconds of a duration. Throws DURATION_INVALID for another form (negative, an exponent, hexadecimal), for
 * a fraction of a microsecond, and for zero where it must be positive.
 */
export function microsecondsOf(duration: string, what: string, minimum: 'zero' | 'positive' = 'positive'): number {
  const match = typeof duration === 'string' ? FORM.exec(duration) : null
  if (match === null) throw invalid(duration, what, 'is not a duration')
  // Rounded first: 0.1 of a unit is not exact as a double, its microseconds are.
  const exact = Number(match[1]) * UNITS_US[match[2] as keyof typeof UNITS_US]
  const microseconds = Math.round(exact)
  if (Math.abs(exact - microseconds) > 1e-6 * Math.max(1, exact))
    throw invalid(duration, what, 'is no whole number of microseconds')
  if (microseconds > Number.MAX_SAFE_INTEGER) throw invalid(duration, what, 'is longer than two centuries')
  if (microseconds === 0 && minimum === 'positive') throw invalid(duration, what, 'must be longer than nothing')
  return microseconds
}

/** The shortest form of a duration, for people: `15 m`. */
export function formatDuration(microseconds: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (microseconds > 0 && microseconds % UNITS_US[unit] === 0) return `${microseconds / UNITS_US[unit]} ${unit}`
  }
  if (microseconds === 0) return '0 s'
  return microseconds % 1000 === 0 ? `${microseconds / 1000} ms` : `${microseconds} us`
}

const UNITS_BYTES = { kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 } as const

/** A number and a unit: kilobytes, megabytes, gigabytes or terabytes (powers of 1000). */
export type Size = `${number} ${keyof typeof UNITS_BYTES}`

/** Whole bytes of a size such as `'10 GB'`. Throws PIPELINE_INVALID for another form. */
export function bytesOf(size: string, what: string): number {
  const match = typeof size === 'string' ? /^(\d+(?:\.\d+)?) (kB|MB|GB|TB)$/.exec(size) : null
  const bytes = match === null ? 0 : Math.round(Number(match[1]) * UNITS_BYTES[match[2] as keyof typeof UNITS_BYTES])
  if (bytes <= 0) {
    throw new MillraceError('PIPELINE_INVALID', `${what}: ${JSON.stringify(size)} is not a size`, {
      next: "Write a size such as '500 MB' or '10 GB'.",
    })
  }
  return bytes
}

/** The shortest form of a size, for people: `10 GB`. */
export function formatBytes(bytes: number): string {
  for (const unit of ['TB', 'GB', 'MB', 'kB'] as const) {
    if (bytes > 0 && bytes % UNITS_BYTES[unit] === 0) return `${bytes / UNITS_BYTES[unit]} ${unit}`
  }
  return `${bytes} bytes`
}

function invalid(duration: unknown, what: string, why: string): MillraceError {
  return new MillraceError('DURATION_INVALID', `${what}: ${JSON.stringify(duration) ?? String(duration)} ${why}`)
}
