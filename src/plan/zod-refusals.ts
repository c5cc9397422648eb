/** What a schema may not hold, and what to use in its place. */
import { MillraceError } from '../system/errors.ts'

const NOT_FROM_JSON: Readonly<Record<string, string>> = {
  date: "Use timestamp('iso').",
  symbol: 'Leave the field out.',
  undefined: 'Leave the field out.',
  void: 'Leave the field out.',
  never: 'Leave the field out, or use z.strictObject().',
  nan: 'Use z.number(); JSON has no NaN.',
  map: 'Use z.record(z.string(), ...).',
  set: 'Use z.array(...).',
  file: 'Use z.string().',
  function: 'Leave the field out.',
  promise: 'Leave the field out.',
  transform: 'Say what comes out: .pipe(z.number()).',
}

/** What to use in place of a zod type that has no column form. */
export function insteadOf(type: string): string {
  return NOT_FROM_JSON[type] ?? 'Use another zod type, or z.unknown().'
}

/** SCHEMA_UNSUPPORTED for a field, or for the schema as a whole where the path is empty. */
export function unsupported(path: string, what: string, next: string): MillraceError {
  return new MillraceError('SCHEMA_UNSUPPORTED', path === '' ? `Schema: ${what}` : `Field '${path}': ${what}`, { next })
}
