/** Numbers and times as bytes of text, written in place: no text is made for a whole number or a time. */

const NULL_BYTES = Buffer.from('null')

export function copyBytes(from: Uint8Array, target: Uint8Array, position: number): number {
  const length = from.length
  for (let index = 0; index < length; index++) target[position + index] = from[index]!
  return position + length
}

/** `String(value)` as bytes. */
export function writeNumber(value: number, target: Uint8Array, position: number): number {
  if (value === (value | 0)) return writeInteger(value, target, position)
  if (Number.isSafeInteger(value)) {
    let at = position
    let size = value
    if (size < 0) {
      target[at++] = 45
      size = -size
    }
    const high = Math.floor(size / 1e9)
    const low = size - high * 1e9
    if (high === 0) return writeInteger(low, target, at)
    at = writeInteger(high, target, at)
    return writeDigits(low, 9, target, at)
  }
  const text = String(value)
  const length = text.length
  for (let index = 0; index < length; index++) target[position + index] = text.charCodeAt(index)
  return position + length
}

/** A whole number below 2^53 / 1e9 or within 32 bits, without leading zeros. */
function writeInteger(value: number, target: Uint8Array, position: number): number {
  let at = position
  let size = value
  if (size < 0) {
    target[at++] = 45
    size = -size
  }
  let digits = 1
  for (let limit = 10; size >= limit; limit *= 10) digits++
  return writeDigits(size, digits, target, at)
}

/** The last digits of a whole number within 32 bits. */
function writeDigits(value: number, digits: number, target: Uint8Array, position: number): number {
  let rest = value
  for (let index = position + digits - 1; index >= position; index--) {
    // As a whole number of 32 bits, so that no division is left in the loop.
    const next = (rest / 10) | 0
    target[index] = 48 + (rest - next * 10)
    rest = next
  }
  return position + digits
}

const DAY_US = 86_400_000_000
let cachedDay = Number.NaN
const cachedDate = Buffer.alloc(11)

/** An ISO 8601 time in UTC; the date is worked out once for a run of times on one day. */
export function writeIso(time_us: number, quoted: boolean, target: Uint8Array, position: number): number {
  let at = position
  if (quoted) target[at++] = 34
  const whole = Math.floor(time_us)
  const day = Math.floor(whole / DAY_US)
  if (day < -719_528 || day > 2_932_896) {
    // Outside the years 0 to 9999: the extended form, or null beyond what a Date can hold.
    const date = new Date(whole / 1000)
    if (Number.isNaN(date.getTime())) return quoted ? copyBytes(NULL_BYTES, target, position) : position
    at = copyBytes(Buffer.from(date.toISOString()), target, at)
    if (quoted) target[at++] = 34
    return at
  }
  if (day !== cachedDay) {
    cachedDate.write(new Date(day * 86_400_000).toISOString().slice(0, 11), 0, 'latin1')
    cachedDay = day
  }
  at = copyBytes(cachedDate, target, at)
  const rest = whole - day * DAY_US
  const seconds = Math.floor(rest / 1e6)
  const micros = rest - seconds * 1e6
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  at = writeDigits(hours, 2, target, at)
  target[at++] = 58
  at = writeDigits(minutes - hours * 60, 2, target, at)
  target[at++] = 58
  at = writeDigits(seconds - minutes * 60, 2, target, at)
  target[at++] = 46
  at = micros % 1000 === 0 ? writeDigits(micros / 1000, 3, target, at) : writeDigits(micros, 6, target, at)
  target[at++] = 90
  if (quoted) target[at++] = 34
  return at
}
