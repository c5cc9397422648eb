/** The functions that a lambda finds on its second argument, `$`, beside the parameters. */
import { type TimeFormatter, timeFormatter } from '../times/format.ts'
import type { Parameters } from './lambda.ts'

/** Where the clock stands on the wall that a time is written for. */
export interface TimeFormatOptions {
  /** A time zone such as `Europe/Madrid`; default `UTC`. */
  readonly zone?: string
}

export interface Library {
  /**
   * A timestamp as text, by a pattern in the letters of java.time: `$.formatTime(r.time, 'yyyy-MM-dd HH:mm:ss')`, in UTC
   * or `{ zone: 'Europe/Madrid' }`. Other letters stand in single quotes, `''` is a quote.
   */
  formatTime(time: number, pattern: string, options?: TimeFormatOptions): string
}

export const library: Library = { formatTime }

/** What a lambda is given as `$`: the parameters and the library. */
export function argumentOf(parameters: Parameters): Parameters & Library {
  return Object.freeze({ ...parameters, ...library }) as unknown as Parameters & Library
}

/** By zone and pattern; bounded, since an opaque lambda may make patterns out of rows. */
const formatters = new Map<string, Map<string, TimeFormatter>>()
const FORMATTERS_MAX = 1000

function formatTime(time: number, pattern: string, { zone = 'UTC' }: TimeFormatOptions = {}): string {
  let ofZone = formatters.get(zone)
  if (ofZone === undefined) {
    if (formatters.size >= FORMATTERS_MAX) formatters.clear()
    ofZone = new Map()
    formatters.set(zone, ofZone)
  }
  let formatter = ofZone.get(pattern)
  if (formatter === undefined) {
    if (ofZone.size >= FORMATTERS_MAX) ofZone.clear()
    formatter = timeFormatter(pattern, zone)
    ofZone.set(pattern, formatter)
  }
  return formatter(time)
}
