/** The types that zod does not have, as zod schemas that carry what they mean. */
import { z } from 'zod'
import { MillraceError } from '../system/errors.ts'
import { type DecimalType, DOUBLE_DIGITS } from './exact.ts'
import type { NumberUnit, TextTime, TimestampUnit } from './schema.ts'
import { textTime } from './schema.ts'
import { checkedTextTime, timeReader } from './times/text-time.ts'
import { microsecondsOfDigits } from './timestamp.ts'

declare const timestampBrand: unique symbol

/**
 * A moment: whole microseconds since 1970 in UTC. Two moments can be compared and subtracted (the difference is a number
 * of microseconds); they cannot be averaged or summed.
 */
export type Timestamp = number & { readonly [timestampBrand]: true }

/** What our own schemas mean; refined and described copies inherit it. */
export const meanings = z.registry<{
  timestamp?: TimestampUnit
  decimal?: DecimalType
  /** Keeps the fields that the object around it does not name. */
  rest?: true
}>()

/**
 * A number as its own digits, put in the place of a time before zod sees it: a double has too few for nanoseconds. In the
 * place of a time that is written as text they are its microseconds.
 */
export class Digits {
  readonly source: string
  constructor(source: string) {
    this.source = source
  }
}

const UNITS = { s: 'seconds', ms: 'milliseconds', us: 'microseconds', ns: 'nanoseconds' } as const

/** Of times written as text. */
export interface TimestampOptions {
  /** The time zone of texts without an offset: a name such as `Europe/Madrid`, `UTC`, or an offset such as `+02:00`. */
  readonly zone?: string
}

/**
 * A time as the message writes it. Rows hold microseconds, rounded to the past; times outside the years 1684 to 2255 are
 * refused.
 *
 * - `s`, `ms`, `us` or `ns`: a number of these since 1970, fractions allowed.
 * - `iso`: a text such as `2026-11-22T05:01:29.5Z`. A blank may stand for the T, and the offset is `Z`, `+01:00`, `+0100`
 *   or `+01`; texts without one are refused, or with `{ zone }` they are that zone's local time.
 * - a pattern in the letters of java.time, such as `yyyy-MM-dd HH:mm:ss`, with the `zone` of these times unless the
 *   pattern reads an offset (`XXX`, `Z`). Brackets stand around what may be missing: `HH:mm:ss[.SSS]`.
 *
 * Throws SCHEMA_UNSUPPORTED for unknown letters, zones, and patterns that do not say a moment.
 */
export function timestamp(unit: NumberUnit): z.ZodType<Timestamp, number>
export function timestamp(pattern: 'iso' | (string & {}), options?: TimestampOptions): z.ZodType<Timestamp, string>
export function timestamp(
  form: string,
  options: TimestampOptions = {},
): z.ZodType<Timestamp, number> | z.ZodType<Timestamp, string> {
  const unit = unitOf(form, options)
  const schema = typeof unit === 'string' && unit !== 'iso' ? numberSchema(unit) : textSchema(textTime(unit))
  return (schema as unknown as z.ZodType<Timestamp, number>).register(meanings, { timestamp: unit })
}

function unitOf(form: string, options: TimestampOptions): TimestampUnit {
  for (const name of Object.keys(options)) {
    if (name !== 'zone') {
      throw new MillraceError(
        'SCHEMA_UNSUPPORTED',
        `timestamp(${JSON.stringify(form)}): there is no option '${name}'`,
        {
          next: "Use { zone: 'Europe/Madrid' }.",
        },
      )
    }
  }
  if (Object.hasOwn(UNITS, form)) {
    if (options.zone === undefined) return form as NumberUnit
    throw new MillraceError('SCHEMA_UNSUPPORTED', `timestamp('${form}'): a number since 1970 has no time zone`, {
      next: 'Leave zone out.',
    })
  }
  const text = checkedTextTime(String(form), options.zone)
  return text.pattern === 'iso' && text.zone === null ? 'iso' : text
}

function numberSchema(unit: NumberUnit) {
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

function textSchema(form: TextTime) {
  const read = timeReader(form)
  const expected =
    form.pattern !== 'iso'
      ? `expected a time such as '${form.pattern}'`
      : form.zone === null
        ? 'expected a time with its zone such as 2026-11-22T05:01:29Z'
        : 'expected a time such as 2026-11-22T05:01:29'
  return z
    .custom<string>(value => typeof value === 'string' || value instanceof Digits, {
      error: issue => `Invalid input: ${expected}, received ${kindOf(issue.input)}`,
    })
    .transform((value: string | Digits, context) => {
      const microseconds = typeof value === 'string' ? read(value) : Number(value.source)
      if (microseconds === null) {
        context.issues.push({
          code: 'custom',
          input: value,
          message: `Invalid input: ${expected}, received ${JSON.stringify((value as string).slice(0, 40))}`,
        })
        return z.NEVER
      }
      return microseconds
    })
}

/**
 * A fixed-point number with `precision` digits, `scale` of them after the point; DECIMAL(precision, scale) in a
 * warehouse. Up to 18 digits it is exact from the digits of the message on; longer ones are the nearest double. A value
 * with more digits than the type holds, before or behind the point, is rejected. Lambdas see the nearest double.
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
  const limit = decimalLimit({ precision, scale })
  const number = precision <= DOUBLE_DIGITS ? z.number().gt(-limit).lt(limit) : z.number().min(-limit).max(limit)
  return number.register(meanings, { decimal: { precision, scale } })
}

/** The double that no value of the type goes beyond; what its digits can hold is judged by the digits. */
export const decimalLimit = ({ precision, scale }: DecimalType): number => 10 ** (precision - scale)

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'string') return 'a text'
  return typeof value === 'object' ? 'an object' : typeof value === 'number' ? String(value) : `a ${typeof value}`
}
