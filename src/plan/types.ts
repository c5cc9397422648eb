/** The two types that zod does not have, as zod schemas that carry what they mean. */
import { z } from 'zod'
import { MillraceError } from '../system/errors.ts'
import type { TimestampUnit } from './schema.ts'
import { microsecondsOfDigits, microsecondsOfIso } from './timestamp.ts'

declare const timestampBrand: unique symbol

/**
 * A moment: whole microseconds since 1970 in UTC. Two moments can be compared and subtracted (the difference is a number
 * of microseconds); they cannot be averaged or summed.
 */
export type Timestamp = number & { readonly [timestampBrand]: true }

/** What our own schemas mean; refined and described copies inherit it. */
export const meanings = z.registry<{
  timestamp?: TimestampUnit
  decimal?: { readonly precision: number; readonly scale: number }
}>()

/** A number as its own digits, put in the place of a time before zod sees it: a double has too few for nanoseconds. */
export class Digits {
  readonly source: string
  constructor(source: string) {
    this.source = source
  }
}

const UNITS = { s: 'seconds', ms: 'milliseconds', us: 'microseconds', ns: 'nanoseconds' } as const

/**
 * A time in the unit in which the message writes it: a number of `s`, `ms`, `us` or `ns` since 1970 (fractions allowed),
 * or `iso`, a text such as `2026-11-22T05:01:29.5Z` with its zone. Rows hold microseconds, rounded to the past; times
 * outside the years 1684 to 2255 are refused.
 */
export function timestamp(unit: TimestampUnit): z.ZodType<Timestamp, number | string> {
  const schema = (unit === 'iso' ? isoSchema() : numberSchema(unit)) as unknown as z.ZodType<Timestamp, number | string>
  return schema.register(meanings, { timestamp: unit })
}

function numberSchema(unit: Exclude<TimestampUnit, 'iso'>) {
  if (!Object.hasOwn(UNITS, unit)) {
    throw new MillraceError('SCHEMA_UNSUPPORTED', `timestamp(${JSON.stringify(unit)}): there is no such unit`, {
      next: "Use 's', 'ms', 'us', 'ns' or 'iso'.",
    })
  }
  return z
    .custom<number>(value => value instanceof Digits || (typeof value === 'number' && Number.isFinite(value)), {
      error: issue => `Invalid input: expected ${UNITS[unit]} since 1970 as a number, received ${kindOf(issue.input)}`,
    })
    .transform((value: number | Digits, context) => {
      const source = typeof value === 'number' ? String(value) : value.source
      const microseconds = microsecondsOfDigits(source, unit)
      if (microseconds === null) {
        context.issues.push({
          code: 'custom',
          input: source,
          message: `Invalid input: ${source} ${UNITS[unit]} since 1970 is outside the years 1684 to 2255; is the unit right?`,
        })
        return z.NEVER
      }
      return microseconds
    })
}

function isoSchema() {
  return z
    .custom<string>(value => typeof value === 'string', {
      error: issue => `Invalid input: expected a time such as 2026-11-22T05:01:29Z, received ${kindOf(issue.input)}`,
    })
    .transform((value, context) => {
      const microseconds = microsecondsOfIso(value)
      if (microseconds === null) {
        context.issues.push({
          code: 'custom',
          input: value,
          message: `Invalid input: expected a time with its zone such as 2026-11-22T05:01:29Z, received ${JSON.stringify(value.slice(0, 40))}`,
        })
        return z.NEVER
      }
      return microseconds
    })
}

/**
 * A fixed-point number with `precision` digits, `scale` of them after the point: a double in rows, DECIMAL(precision,
 * scale) in a warehouse. Values that such a DECIMAL cannot hold are refused.
 */
export function decimal(precision: number, scale: number): z.ZodNumber {
  if (
    !Number.isInteger(precision) ||
    !Number.isInteger(scale) ||
    precision < 1 ||
    precision > 38 ||
    scale < 0 ||
    scale > precision
  ) {
    throw new MillraceError('SCHEMA_UNSUPPORTED', `decimal(${precision}, ${scale}): there is no such type`, {
      next: 'Use a whole precision from 1 to 38 and a scale from 0 to the precision.',
    })
  }
  const limit = 10 ** (precision - scale) - 0.5 * 10 ** -scale
  return z.number().gt(-limit).lt(limit).register(meanings, { decimal: { precision, scale } })
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'string') return 'a text'
  return typeof value === 'object' ? 'an object' : typeof value === 'number' ? String(value) : `a ${typeof value}`
}
