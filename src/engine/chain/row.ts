/** Rows as the user's lambdas see them: objects nested as in the schema. */

import { quoteJavaScript } from '../../plan/expression/javascript.ts'
import type { Lambda } from '../../plan/expression/lambda.ts'
import { argumentOf } from '../../plan/expression/library.ts'
import { rawNumber } from '../../plan/json-text.ts'
import type { Column } from '../../plan/schema.ts'
import { MillraceError } from '../../system/errors.ts'

/** `values.x` as the lambda may write it: nested, and flat where its text names the column so. */
function isFlat(lambda: Lambda, name: string): boolean {
  return name.includes('.') && [`'${name}'`, `"${name}"`, `\`${name}\``].some(quoted => lambda.text.includes(quoted))
}

type Tree = Map<string, string | Tree>

/** Source of an object literal; `value` gives the source of each cell. */
export function rowSource(columns: readonly Column[], lambda: Lambda, value: (name: string) => string): string {
  const root: Tree = new Map()
  for (const { name } of columns) {
    const source = value(name)
    if (!placeNested(root, name, source) || isFlat(lambda, name)) root.set(name, source)
  }
  return print(root)
}

function print(tree: Tree): string {
  // In brackets a key is only a key: "__proto__" without them sets the prototype.
  const entry = ([key, value]: [string, string | Tree]) =>
    `${key === '__proto__' ? '["__proto__"]' : quoteJavaScript(key)}: ${typeof value === 'string' ? value : print(value)}`
  return `{ ${[...tree].map(entry).join(', ')} }`
}

/** false where a column of a shorter name is in the way. */
function placeNested(root: Tree, name: string, source: string): boolean {
  const path = name.split('.')
  let tree = root
  for (const part of path.slice(0, -1)) {
    let next = tree.get(part)
    if (next === undefined) {
      next = new Map()
      tree.set(part, next)
    }
    if (typeof next === 'string') return false
    tree = next
  }
  const last = path.at(-1)!
  if (tree.get(last) instanceof Map) return false
  tree.set(last, source)
  return true
}

/** Calls a lambda with a row; what it throws becomes LAMBDA_FAILED with the place and the row. */
export function callerOf(lambda: Lambda, subject: string): (row: unknown) => unknown {
  const argument = argumentOf(lambda.parameters)
  const run = lambda.function as (row: unknown, parameters: unknown) => unknown
  return row => {
    try {
      return run(row, argument) ?? null
    } catch (cause) {
      const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
      throw failure(lambda, subject, `threw ${reason}`, row, cause)
    }
  }
}

const TYPE_OF = {
  number: 'number',
  int64: 'bigint',
  decimal: 'number',
  timestamp: 'number',
  text: 'string',
  boolean: 'boolean',
} as const

/** As `callerOf`, for an opaque lambda of a derived column: what it gives must be what its syntax promised. */
export function checkedCallerOf(lambda: Lambda, subject: string): (row: unknown) => unknown {
  const run = callerOf(lambda, subject)
  const { type, nullable } = lambda.result
  if (type === 'json') return run
  const expected = TYPE_OF[type]
  return row => {
    const value = run(row)
    if (value === null ? nullable : typeof value === expected) return value
    const gave = value === null ? 'null' : `a ${typeof value}`
    throw failure(lambda, subject, `gave ${gave} where its source promises ${type}`, row)
  }
}

function failure(lambda: Lambda, subject: string, what: string, row: unknown, cause?: unknown): MillraceError {
  const { location } = lambda
  const where = location ? `${location.file}:${location.line}:${location.column}: ` : ''
  return new MillraceError('LAMBDA_FAILED', `${where}the lambda of ${subject} ${what}; the row was ${shown(row)}`, {
    cause,
  })
}

function shown(row: unknown): string {
  let text: string
  try {
    text = JSON.stringify(row, (_key, value: unknown) => (typeof value === 'bigint' ? rawNumber(String(value)) : value))
  } catch {
    text = 'one that cannot be printed'
  }
  return text.length > 500 ? `${text.slice(0, 497)}...` : text
}
