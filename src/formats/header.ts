/** Holds the header of a file against the columns of its topic, once a file. */
import type { Column } from '../plan/schema.ts'
import { MillraceError, nearest } from '../system/errors.ts'

export interface HeaderField {
  /** A path, as a column has one. */
  readonly name: string
  /** It holds objects whose fields are not known: any column below its name may be in them. */
  readonly isOpen?: boolean
}

export interface HeaderCheck {
  readonly path: string
  readonly topic: string
  readonly columns: readonly Column[]
  readonly required: ReadonlySet<string>
  /** What else the file may be, asked only when the header does not fit: what is wrong, and what to do. */
  readonly suspect?: () => { readonly what: string; readonly next: string } | null
}

/** Longer lists of names are cut. */
const NAMES_SHOWN = 20

/**
 * What somebody should know of a header that can be read: columns of the topic that the file lacks and that may be null,
 * names that are no columns of the topic, names that stand there twice.
 *
 * Throws HEADER_MISMATCH when no row could become a record, or a wrong one: a required column is missing, none of the
 * names is a column of the topic, or one that is stands there twice.
 */
export function checkHeader(fields: readonly HeaderField[], check: HeaderCheck): MillraceError[] {
  const { path, topic, columns, required } = check
  const names = fields.map(({ name }) => name)
  const missing = columns.filter(column => !fields.some(field => supplies(field, column))).map(({ name }) => name)
  const unknown = names.filter((_, index) => !columns.some(column => supplies(fields[index]!, column)))
  const twice = [...new Set(names.filter((name, index) => names.indexOf(name) < index))]

  const ambiguous = twice.filter(name => !unknown.includes(name))
  if (ambiguous.length > 0) {
    throw new MillraceError('HEADER_MISMATCH', `${path}: the header has ${listOf(ambiguous)} more than once.`, {
      next: 'Give each column a name of its own: nobody can say which of them is meant.',
    })
  }
  const lacking = missing.filter(name => required.has(name))
  if (lacking.length > 0 || (columns.length > 0 && missing.length === columns.length)) {
    const suspicion = check.suspect?.() ?? null
    const what =
      lacking.length > 0
        ? `the header lacks ${listOf(lacking.map(name => withHint(name, unknown)))}, which topic ${topic} requires`
        : `none of the names in the header is a column of topic ${topic}`
    throw new MillraceError(
      'HEADER_MISMATCH',
      `${path}: ${what}${suspicion === null ? '' : `; ${suspicion.what}`}. The header is: ${listOf(names)}.`,
      suspicion === null ? {} : { next: suspicion.next },
    )
  }
  const warnings: MillraceError[] = []
  const warn = (what: string, next: string) =>
    warnings.push(new MillraceError('HEADER_MISMATCH', `${path}: ${what}.`, { next }))
  if (missing.length > 0) {
    warn(
      `the header lacks ${listOf(missing.map(name => withHint(name, unknown)))}: null in every row`,
      'Nothing, unless the file has them under another name.',
    )
  }
  const extra = [...new Set(unknown)]
  if (extra.length > 0) {
    warn(
      `the header has ${listOf(extra)}, which ${extra.length === 1 ? 'is no column' : 'are no columns'} of topic ${topic}`,
      'Nothing, unless they belong to the schema of the topic.',
    )
  }
  return warnings
}

function supplies({ name, isOpen = false }: HeaderField, column: Column): boolean {
  if (name === column.name) return true
  return (
    (isOpen && column.name.startsWith(`${name}.`)) || (column.type === 'json' && name.startsWith(`${column.name}.`))
  )
}

function withHint(name: string, unknown: readonly string[]): string {
  const near = nearest(name, unknown)
  return near === null ? name : `${name} (it has ${JSON.stringify(near)})`
}

function listOf(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).map(name => (name.length > 80 ? `${name.slice(0, 80)}...` : name))
  return shown.join(', ') + (names.length > shown.length ? ` and ${names.length - shown.length} more` : '')
}
