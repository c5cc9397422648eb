/** Reads a lambda: what its source text means as an expression, or why it stays an opaque function. */
import { MillraceError } from '../../system/errors.ts'
import type { Column, ColumnType, Location } from '../schema.ts'
import { guessResult } from './guess.ts'
import type { Lambda, Parameters } from './lambda.ts'
import { refusalOf } from './refuse.ts'
import { freeNames } from './scope.ts'
import { parseFunction, type Source } from './source.ts'
import { translate } from './translate.ts'
import { columnsOf, type Expression, truth } from './tree.ts'
import { Opaque, Refused, RUNS_HERE } from './value.ts'

export interface ReadOptions {
  /** The columns of the row that the lambda is given. */
  readonly columns: readonly Column[]
  /** Values of the second argument, `$`; default none. */
  readonly parameters?: Parameters
  /** Where the step that takes the lambda was written. */
  readonly location?: Location | null
  /** What the result is for: a filter's is a test, a boolean that is never null. Default `derive`. */
  readonly use?: 'filter' | 'derive'
  /** The derived column's name, for messages. */
  readonly name?: string
}

/**
 * What cannot be translated gives an opaque lambda with the reason. Errors: EXPRESSION_REFUSED for what no lambda may do
 * (clocks, randomness, local time), COLUMN_UNKNOWN for a column that the row does not have.
 */
export function readLambda(lambda: Lambda['function'], options: ReadOptions): Lambda {
  const parameters = options.parameters ?? {}
  const location = options.location ?? null
  const text = Function.prototype.toString.call(lambda)
  const source = parseFunction(text)
  const base = { text, function: lambda, parameters: Object.freeze({ ...parameters }), location }
  if (source === null) {
    const reason = 'its source text cannot be read (a bound or built-in function)'
    return opaque(base, options, null, { reason, wayOut: 'write an arrow function in its place' })
  }
  const free = freeNames(source.syntax)
  const refusal = refusalOf(source.syntax, new Set([...free.map(({ name }) => name), 'Date', 'Math']))
  if (refusal !== null) throw refused('EXPRESSION_REFUSED', refusal, location)
  const captured = captureOf(source, free, options)
  try {
    const expression = translate(source, options.columns, parameters)
    if (captured) return opaque(base, options, source, captured)
    return translated(base, options, expression)
  } catch (error) {
    if (error instanceof Refused) throw refused(error.code, error.message, location)
    if (error instanceof Opaque) return opaque(base, options, source, captured ?? error)
    throw error
  }
}

type Base = Pick<Lambda, 'text' | 'function' | 'parameters' | 'location'>

function translated(base: Base, options: ReadOptions, body: Expression): Lambda {
  const expression = options.use === 'filter' ? truth(body) : body
  const type: ColumnType = expression.type === 'null' || expression.type === 'date' ? 'json' : expression.type
  const { nullable, labels } = expression
  return Object.freeze({
    ...base,
    expression,
    opaque: null,
    reads: columnsOf(expression),
    result: Object.freeze({ type, nullable, ...(type === 'text' && labels && { labels }) }),
  })
}

function opaque(
  base: Base,
  options: ReadOptions,
  source: Source | null,
  { reason, wayOut }: { readonly reason: string; readonly wayOut: string },
): Lambda {
  const result =
    options.use === 'filter'
      ? ({ type: 'boolean', nullable: false } as const)
      : source
        ? guessResult(source.syntax)
        : ({ type: 'json', nullable: true } as const)
  return Object.freeze({
    ...base,
    expression: null,
    opaque: Object.freeze({ reason, wayOut }),
    reads: options.columns.map(column => column.name),
    result,
  })
}

/** The first variable that comes from outside, and the lambda rewritten with a parameter in its place. */
function captureOf(
  source: Source,
  free: ReturnType<typeof freeNames>,
  options: ReadOptions,
): { readonly reason: string; readonly wayOut: string } | null {
  const first = free[0]
  if (first === undefined) return null
  const { syntax, text } = source
  // The test runner prints an imported name as a member of its module, and a call of it as `(0, module.name)(...)`.
  const imported = /^(__vite_ssr_import_\d+__)\.(\w+)\)?/.exec(text.slice(first.start))
  const name = imported?.[2] ?? first.name
  const reason = `captures \`${name}\``
  const called = text
    .slice(imported ? first.start + imported[0].length : first.end)
    .trimStart()
    .startsWith('(')
  if (called || imported) {
    return {
      reason,
      wayOut: called ? RUNS_HERE : `pass \`${name}\` as a parameter: \`(r, $) => ... $.${name}\` and \`{ ${name} }\``,
    }
  }
  const second = syntax.params[1]
  const prefix = second?.type === 'Identifier' ? second.name : '$'
  const start = syntax.params[0]?.start
  if (second && second.type !== 'Identifier')
    return { reason, wayOut: `pass \`${name}\` as a parameter: add it to \`$\`` }
  if (start === undefined || syntax.type !== 'ArrowFunctionExpression') {
    return { reason, wayOut: `pass \`${name}\` as a parameter: \`(r, $) => ... $.${name}\` and \`{ ${name} }\`` }
  }
  const names = [...new Set(free.map(identifier => identifier.name))].filter(each => !each.startsWith('__'))
  let body = ''
  let position = syntax.body.start
  for (const use of free) {
    if (use.start < position) continue
    body += `${text.slice(position, use.start)}${prefix}.${use.name}`
    position = use.end
  }
  body += text.slice(position, syntax.body.end)
  const row = text.slice(start, syntax.params[0]!.end)
  const bracketed = syntax.body.type === 'ObjectExpression' ? `(${body})` : body
  const given = [...new Set([...Object.keys(options.parameters ?? {}), ...names])].join(', ')
  const arrow = `(${row}, ${prefix}) => ${bracketed.replaceAll(/\s+/g, ' ')}`
  const step =
    options.use === 'filter' || options.use === undefined
      ? `.filter(${arrow}, { ${given} })`
      : `.derive({ ${options.name ?? 'column'}: ${arrow} }, { ${given} })`
  return { reason, wayOut: `write \`${step}\`` }
}

function refused(
  code: 'EXPRESSION_REFUSED' | 'COLUMN_UNKNOWN',
  message: string,
  location: Location | null,
): MillraceError {
  const where = location ? `${location.file}:${location.line}:${location.column}: ` : ''
  return new MillraceError(code, `${where}${message}`)
}
