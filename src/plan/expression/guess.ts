/** What an opaque lambda gives, as far as its syntax alone tells: an operator's result is known whatever its operands. */
import type { Expression, Statement } from 'acorn'
import type { ColumnType } from '../schema.ts'
import { type FunctionSyntax, propertyName, unwrapped } from './source.ts'

export interface Result {
  readonly type: ColumnType
  readonly nullable: boolean
}

const UNKNOWN: Result = { type: 'json', nullable: true }
const NUMBER: Result = { type: 'number', nullable: false }
const INT64: Result = { type: 'int64', nullable: false }
const TEXT: Result = { type: 'text', nullable: false }
const BOOLEAN: Result = { type: 'boolean', nullable: false }

export function guessResult(syntax: FunctionSyntax): Result {
  const results: (Result | null)[] = []
  if (syntax.body.type === 'BlockStatement') {
    collect(syntax.body.body, results)
    const last = syntax.body.body.at(-1)
    // A body that can end without `return` gives null.
    if (last?.type !== 'ReturnStatement' && last?.type !== 'IfStatement') results.push(null)
  } else results.push(guess(syntax.body))
  return results.length === 0 ? UNKNOWN : results.reduce(either)!
}

function collect(statements: readonly Statement[], results: (Result | null)[]): void {
  for (const statement of statements) {
    if (statement.type === 'ReturnStatement') results.push(statement.argument ? guess(statement.argument) : null)
    else if (statement.type === 'BlockStatement') collect(statement.body, results)
    else if (statement.type === 'IfStatement') {
      collect([statement.consequent], results)
      if (statement.alternate) collect([statement.alternate], results)
      else results.push(null)
    } else if (
      statement.type !== 'VariableDeclaration' &&
      statement.type !== 'ThrowStatement' &&
      statement.type !== 'FunctionDeclaration'
    )
      results.push(UNKNOWN)
  }
}

/** null: the value is null. */
function guess(node: Expression): Result | null {
  const inner = unwrapped(node)
  switch (inner.type) {
    case 'Literal':
      if (inner.bigint) return INT64
      if (inner.value === null) return inner.regex ? UNKNOWN : null
      return typeof inner.value === 'number'
        ? NUMBER
        : typeof inner.value === 'string'
          ? TEXT
          : typeof inner.value === 'boolean'
            ? BOOLEAN
            : UNKNOWN
    case 'TemplateLiteral':
      return TEXT
    case 'UnaryExpression':
      if (inner.operator === '!') return BOOLEAN
      if (inner.operator === 'typeof') return TEXT
      return inner.operator === '+' ? NUMBER : UNKNOWN
    case 'BinaryExpression':
      if (/^([<>]=?|[!=]==?|in|instanceof)$/.test(inner.operator)) return BOOLEAN
      if ([inner.left as Expression, inner.right].some(side => guess(side)?.type === 'int64')) return INT64
      if (inner.operator === '+') {
        const sides = [guess(inner.left as Expression), guess(inner.right)]
        if (sides.some(side => side?.type === 'text')) return TEXT
        return sides.every(side => side?.type === 'number') ? NUMBER : UNKNOWN
      }
      return NUMBER
    case 'ConditionalExpression':
      return either(guess(inner.consequent), guess(inner.alternate))
    case 'LogicalExpression': {
      const right = guess(inner.right)
      const left = guess(inner.left)
      if (inner.operator === '??' && left && right && left.type === right.type)
        return { ...left, nullable: left.nullable && right.nullable }
      return either(left, right)
    }
    case 'CallExpression': {
      const { callee } = inner
      if (callee.type === 'Identifier') {
        if (callee.name === 'String') return TEXT
        if (callee.name === 'Boolean') return BOOLEAN
        if (callee.name === 'BigInt') return INT64
        return ['Number', 'parseFloat', 'parseInt'].includes(callee.name) ? NUMBER : UNKNOWN
      }
      if (callee.type !== 'MemberExpression') return UNKNOWN
      if (callee.object.type === 'Identifier' && callee.object.name === 'Math') return NUMBER
      const name = propertyName(callee)
      return name !== null &&
        ['toFixed', 'toString', 'toLowerCase', 'toUpperCase', 'trim', 'padStart', 'join', 'toISOString'].includes(name)
        ? TEXT
        : UNKNOWN
    }
    default:
      return UNKNOWN
  }
}

function either(a: Result | null, b: Result | null): Result | null {
  if (a === null || b === null) {
    const known = a ?? b
    return known && { ...known, nullable: true }
  }
  return a.type === b.type ? { type: a.type, nullable: a.nullable || b.nullable } : UNKNOWN
}
