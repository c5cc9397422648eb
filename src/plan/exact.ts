/** Exact numbers: 64-bit integers, and decimals as whole numbers of their last digit. */

/** A decimal of up to so many digits is a scaled 64-bit integer; a longer one is the nearest double. */
export const EXACT_DIGITS_MAX = 18

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

export interface DecimalType {
  readonly precision: number
  readonly scale: number
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
/** Exponents beyond this belong to no number that a column holds. */
const EXPONENT_MAX = 400

export function fitsInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX
}

/** The number with these JSON digits times 10^scale, null where that is not whole (or far too large). */
export function scaledOfDigits(source: string, scale: number): bigint | null {
  const match = NUMBER.exec(source)
  if (match === null) return null
  const fraction = match[3] ?? ''
  const digits = (match[2]! + fraction).replace(/^0+/, '')
  if (digits === '') return 0n
  const exponent = Number(match[4] ?? 0) + scale - fraction.length
  if (Math.abs(exponent) > EXPONENT_MAX) return null
  const kept = exponent < 0 ? digits.slice(0, exponent) : digits + '0'.repeat(exponent)
  if (exponent < 0 && /[1-9]/.test(digits.slice(exponent))) return null
  const size = BigInt(kept === '' ? '0' : kept)
  return match[1] === '-' ? -size : size
}

/** The decimal with these digits, null where the type cannot hold it: too many digits before or behind the point. */
export function decimalOfDigits(source: string, { precision, scale }: DecimalType): bigint | null {
  const scaled = scaledOfDigits(source, scale)
  const limit = 10n ** BigInt(precision)
  return scaled === null || scaled >= limit || scaled <= -limit ? null : scaled
}

/** `-12.50`: all digits behind the point. */
export function decimalText(scaled: bigint, scale: number): string {
  if (scale === 0) return String(scaled)
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(scale + 1, '0')
  return `${scaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** `-12.5`: without the zeros at its end. */
export function shortDecimalText(scaled: bigint, scale: number): string {
  const text = decimalText(scaled, scale)
  return scale === 0 ? text : text.replace(/\.?0+$/, '')
}

/** The double nearest to a decimal. */
export function decimalNumber(scaled: bigint, scale: number): number {
  const value = Number(scaled)
  // Both exact: one rounding. The longest decimals have theirs read as text.
  return Number.isSafeInteger(value) ? value / 10 ** scale : Number(decimalText(scaled, scale))
}

/** A double keeps so many decimal digits, whatever they are. */
export const DOUBLE_DIGITS = 15
