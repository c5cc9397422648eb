/** Numbers, sizes and times as people read them. Digits that change keep their width: see `tabular-nums` in the styles. */
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('en', { notation: 'compact', minimumFractionDigits: 1, maximumFractionDigits: 1 })
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const clockShort = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const dayClock = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
})

export const NOTHING = '–'

/** With a capital at its beginning and a full stop at its end. */
export const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`

/** The reader's time zone by name: `Europe/Berlin`. */
export const timeZone: string = new Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'local time'

/** About three significant digits. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return NOTHING
  const size = Math.abs(value)
  if (size >= 1e6) return compact.format(value)
  if (Number.isInteger(value) || size >= 1e3) return whole.format(value)
  if (size >= 100) return value.toFixed(1)
  if (size >= 1 || size === 0) return value.toFixed(2)
  return size < 0.001 ? value.toExponential(1) : value.toFixed(3)
}

export const countText = (value: number): string => (value >= 1e7 ? compact.format(value) : whole.format(value))

/** `1,234 rows` */
export const rowsText = (rows: number): string => (rows === 1 ? '1 row' : `${countText(rows)} rows`)

/** `12.3 k/s` */
export const rateText = (value: number): string =>
  `${value >= 1e4 ? compact.format(value) : value >= 10 || value === 0 ? whole.format(value) : value.toFixed(1)}/s`

export function bytesText(value: number | null): string {
  if (value === null) return NOTHING
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let [size, unit] = [value, 0]
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000
  return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`
}

/** `850 ms`, `4.2 s`, `12 min`, `3 h 05` */
export function durationText(value_ms: number): string {
  if (value_ms < 1_000) return `${Math.round(value_ms)} ms`
  const seconds = value_ms / 1_000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.round(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${String(minutes % 60).padStart(2, '0')}` : `${Math.floor(hours / 24)} d`
}

/** `14:03:07`, with the day when that is not today's. */
export function timeText(time_ms: number, now_ms: number): string {
  return Math.abs(now_ms - time_ms) < 20 * 3_600_000
    ? clock.format(time_ms)
    : `${day.format(time_ms)} ${clock.format(time_ms)}`
}

/** A mark on a time axis, as long as the distance of the marks asks for. */
export function tickText(mark_ms: number, distance_ms: number): string {
  // Marks are sums of fractions, and a clock rounds down.
  const time_ms = Math.round(mark_ms)
  if (distance_ms < 60_000) return clock.format(time_ms)
  return distance_ms < 12 * 3_600_000 ? clockShort.format(time_ms) : dayClock.format(time_ms)
}
