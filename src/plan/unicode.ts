/** Text that is not Unicode: half of a surrogate pair, which JSON can write as an escape and no UTF-8 can hold. */

export const NOT_UTF8 = 'The record is not valid UTF-8'

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/

/**
 * The path of the first text or key in a record that is not Unicode, null when all are; `line` is the record's JSON, in
 * which only an escape can write one.
 */
export function pathNotUnicode(line: string, record: unknown): string | null {
  return SURROGATE_ESCAPE.test(line) ? search(record, '') : null
}

function search(value: unknown, path: string): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? null : path
  if (typeof value !== 'object' || value === null) return null
  for (const [key, inner] of Object.entries(value)) {
    const below = path === '' ? key : `${path}.${key}`
    if (!key.isWellFormed()) return below.toWellFormed()
    const found = search(inner, below)
    if (found !== null) return found
  }
  return null
}
