/** What zod checks of a value beside its type: bounds as data, all else as predicates that zod itself answers. */
import type { z } from 'zod'
import { isNumberUnit, type TimestampUnit } from './schema.ts'
import { Digits } from './types.ts'
import type { Bound } from './wire.ts'
import type { CheckDefinition, Definition } from './zod-definition.ts'

/** Whether zod lets a value pass just as it is. */
export function unchanged<T>(schema: z.ZodType): (value: T) => boolean {
  return value => {
    try {
      const result = schema.safeParse(value)
      return result.success && Object.is(result.data, value)
    } catch {
      return false
    }
  }
}

/** The refinements of a time, which see microseconds: they run on a time written so that it gives just these. */
export function acceptsOutput(schema: z.ZodType, unit: TimestampUnit): (value: number) => boolean {
  const exponent = isNumberUnit(unit) ? { s: 'e-6', ms: 'e-3', us: '', ns: 'e3' }[unit] : ''
  return value => {
    try {
      const result = schema.safeParse(new Digits(`${value}${exponent}`))
      return result.success && result.data === value
    } catch {
      return false
    }
  }
}

const INTEGER_RANGES: Readonly<Record<string, readonly [number, number]>> = {
  safeint: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  int32: [-2147483648, 2147483647],
  uint32: [0, 4294967295],
}

/** The bounds among the checks of a number; not exact when there are checks beside them. */
export function boundsOf(definition: Definition) {
  let integer = false
  let minimum: Bound | null = null
  let maximum: Bound | null = null
  let exact = true
  const own: CheckDefinition[] = definition.check === undefined ? [] : [definition as unknown as CheckDefinition]
  for (const check of [...own, ...(definition.checks ?? []).map(({ _zod }) => _zod.def)]) {
    const range = check.check === 'number_format' ? INTEGER_RANGES[check.format ?? ''] : undefined
    const bound = { value: check.value as number, exclusive: check.inclusive !== true }
    if (range !== undefined) {
      integer = true
      minimum = tighter(minimum, { value: range[0], exclusive: false }, 1)
      maximum = tighter(maximum, { value: range[1], exclusive: false }, -1)
    } else if (check.check === 'greater_than' && typeof check.value === 'number') {
      minimum = tighter(minimum, bound, 1)
    } else if (check.check === 'less_than' && typeof check.value === 'number') {
      maximum = tighter(maximum, bound, -1)
    } else {
      exact = false
    }
  }
  return { integer, minimum, maximum, exact }
}

function tighter(known: Bound | null, other: Bound, sign: 1 | -1): Bound {
  if (known === null) return other
  const difference = (other.value - known.value) * sign
  return difference > 0 || (difference === 0 && other.exclusive) ? other : known
}
