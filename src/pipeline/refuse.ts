/** Errors of the pipeline file, each with its place. */
import { formatLocation } from '../plan/location.ts'
import type { Column, ColumnType, Location } from '../plan/schema.ts'
import { type ErrorCode, MillraceError, nearest } from '../system/errors.ts'

export function refusal(code: ErrorCode, message: string, location: Location | null, next?: string): MillraceError {
  return new MillraceError(code, `${message} (${formatLocation(location)})`, next === undefined ? {} : { next })
}

/** Runs a part of a step so that its errors name the step's place. */
export function located<T>(location: Location | null, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof MillraceError) || error.message.includes(formatLocation(location))) throw error
    throw new MillraceError(error.code, `${error.message} (${formatLocation(location)})`, {
      next: error.next,
      cause: error,
    })
  }
}

/** The column of this name; the error lists the names there are and the nearest one. */
export function columnNamed(
  columns: readonly Column[],
  name: string,
  step: string,
  location: Location | null,
  types?: readonly ColumnType[],
): Column {
  const column = columns.find(candidate => candidate.name === name)
  const usable = types === undefined ? columns : columns.filter(({ type }) => types.includes(type))
  const names = usable.map(candidate => candidate.name)
  if (column === undefined) {
    const near = nearest(String(name), names)
    const guess = near === null ? '' : ` Did you mean '${near}'?`
    throw refusal(
      'COLUMN_UNKNOWN',
      `${step}: there is no column '${name}'.${guess} There are: ${names.join(', ')}`,
      location,
    )
  }
  if (types !== undefined && !types.includes(column.type)) {
    // 64-bit integers and decimals are numbers too.
    const wanted = types.filter(type => type !== 'int64' && type !== 'decimal')
    const message = `${step}: column '${name}' is ${column.type}, not ${wanted.join(' or ')}`
    throw refusal('COLUMN_TYPE', names.length === 0 ? message : `${message}. Usable: ${names.join(', ')}`, location)
  }
  return column
}

/** Checks the name of a new column. */
export function checkNewName(name: string, step: string, location: Location | null): void {
  if (name === '' || name === '__proto__' || name.includes('.')) {
    throw refusal(
      'PIPELINE_INVALID',
      `${step}: ${JSON.stringify(name)} cannot be the name of a column`,
      location,
      'Use a name without dots.',
    )
  }
}

export function refuseTaken(columns: readonly Column[], step: string, location: Location | null): readonly Column[] {
  const seen = new Set<string>()
  for (const { name } of columns) {
    // A column cannot be the parent of another one either: `values` beside `values.x`.
    const within = [...seen].some(
      other => name === other || name.startsWith(`${other}.`) || other.startsWith(`${name}.`),
    )
    if (within) throw refusal('COLUMN_TAKEN', `${step}: '${name}' is already a column of the result`, location)
    seen.add(name)
  }
  return columns
}

/** Refuses an option that there is not, with the nearest one that there is. */
export function refuseUnknown(
  options: object,
  known: readonly string[],
  step: string,
  location: Location | null,
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    const guess = near === null ? '' : ` Did you mean '${near}'?`
    const next = `Use ${known.join(', ')}.`
    throw refusal('PIPELINE_INVALID', `${step}: there is no option '${name}'.${guess}`, location, next)
  }
}
