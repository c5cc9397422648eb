/** Operators: their operands' types, what null does to them, and what `===` means beside undefined. */
import type { Expression as Syntax } from 'acorn'
import { within } from './narrow.ts'
import type { Translator } from './translate.ts'
import type { Expression } from './tree.ts'
import * as tree from './tree.ts'
import { Opaque, plain, Refused, type Scope, type Value } from './value.ts'

export function unary(translator: Translator, node: Extract<Syntax, { type: 'UnaryExpression' }>, scope: Scope): Value {
  switch (node.operator) {
    case '!':
      return plain(tree.not(translator.test(node.argument, scope)))
    case '-':
      return plain(tree.negate(translator.operand(node.argument, scope, ['number', 'int64'], '`-`')))
    case '+':
      return plain(translator.operand(node.argument, scope, ['number'], '`+`'))
    case 'void':
      if (node.argument.type === 'Literal') return { kind: 'undefined' }
  }
  throw new Opaque(`uses ${translator.text(node)}`)
}

export function binary(
  translator: Translator,
  operator: string,
  left: Syntax,
  right: Syntax,
  scope: Scope,
  node: Syntax,
): Expression {
  switch (operator) {
    case '===':
    case '!==':
    case '==':
    case '!=':
      return equality(translator, operator, left, right, scope, node)
    case '<':
    case '<=':
    case '>':
    case '>=': {
      const types = ['number', 'int64', 'text', 'timestamp'] as const
      const a = translator.operand(left, scope, types, `\`${operator}\``)
      const b = translator.operand(right, scope, types, `\`${operator}\``)
      refuseMixed(translator, a, b, node)
      if ((a.type === 'text') !== (b.type === 'text'))
        throw new Opaque(`compares a text with a number in ${translator.text(node)}`)
      return tree.compare(operator, a, b)
    }
    case '+': {
      const a = translator.expression(left, scope)
      const b = translator.expression(right, scope)
      if (a.type === 'text' || b.type === 'text') {
        const parts = [translator.asPart(a, left), translator.asPart(b, right)]
        return tree.template(parts.flatMap(part => (part.kind === 'template' ? part.parts : [part])))
      }
      return calculation(translator, '+', a, left, b, right, node)
    }
    case '-':
    case '*':
    case '/':
    case '%':
    case '**':
    case '|':
    case '&':
      return calculation(
        translator,
        operator,
        translator.expression(left, scope),
        left,
        translator.expression(right, scope),
        right,
        node,
      )
    default:
      throw new Opaque(`uses the operator \`${operator}\``)
  }
}

/** A calculation with two numbers, or with two 64-bit integers: of these only what never throws. */
function calculation(
  translator: Translator,
  operator: tree.ArithmeticOperator,
  a: Expression,
  left: Syntax,
  b: Expression,
  right: Syntax,
  node: Syntax,
): Expression {
  const by = `\`${operator}\``
  const x = translator.checked(a, left, ['number', 'int64'], by)
  const y = translator.checked(b, right, ['number', 'int64'], by)
  refuseMixed(translator, x, y, node)
  if (x.type === 'int64' && !'+-*'.includes(operator)) {
    const isDivision = operator === '/' || operator === '%'
    if (!isDivision || y.kind !== 'literal' || y.value === 0n) {
      throw new Refused(
        `${translator.text(node)}: of 64-bit integers ${by} ${isDivision ? 'needs a constant divisor that is not 0n' : 'is not known'}; calculate with Number(...), or with + - *`,
      )
    }
  }
  return tree.arithmetic(operator, x, y)
}

/** JavaScript throws for most of what mixes the two, and compares the others as if nothing were wrong. */
function refuseMixed(translator: Translator, a: Expression, b: Expression, node: Syntax): void {
  if ((a.type === 'int64') === (b.type === 'int64')) return
  throw new Refused(
    `${translator.text(node)} mixes a 64-bit integer with another type: write numbers as 5n, or Number(...) around the integer`,
  )
}

function equality(
  translator: Translator,
  operator: '===' | '!==' | '==' | '!=',
  left: Syntax,
  right: Syntax,
  scope: Scope,
  node: Syntax,
): Expression {
  const negated = operator.startsWith('!')
  const strict = operator.length === 3
  const values = [translator.value(left, scope), translator.value(right, scope)] as const
  const missing = values.findIndex(
    value => value.kind === 'undefined' || (value.kind === 'expression' && value.expression.type === 'null'),
  )
  if (missing >= 0) {
    const other = missing === 0 ? right : left
    const expression = translator.expression(other, scope)
    if (strict && expression.nullable) {
      const seen = translator.maybeUndefined(expression)
      const isUndefined = values[missing]!.kind === 'undefined'
      const always =
        expression.kind === 'call' || (expression.kind === 'conditional' && translator.undefinedLike.has(expression))
      if (isUndefined ? !always : seen) {
        const sign = seen ? (negated ? '!=' : '==') : negated ? '!==' : '==='
        throw new Refused(
          `${translator.text(node)} does not find every missing value: write \`${translator.text(other).slice(1, -1)} ${sign} null\``,
        )
      }
    }
    return expression.nullable || expression.type === 'null' ? tree.isNull(negated, expression) : tree.literal(negated)
  }
  const a = translator.expression(left, scope)
  const b = translator.expression(right, scope)
  if (a.type === 'json' || b.type === 'json' || a.type === 'date' || b.type === 'date')
    throw new Opaque(`compares objects in ${translator.text(node)}`)
  if (a.type === 'int64' || b.type === 'int64') refuseMixed(translator, a, b, node)
  if (a.type !== b.type && !(tree.isNumeric(a) && tree.isNumeric(b)))
    throw new Opaque(`compares ${a.type} with ${b.type} in ${translator.text(node)}`)
  if (a.nullable && b.nullable && (translator.maybeUndefined(a) || translator.maybeUndefined(b)))
    throw new Opaque(`compares null with undefined in ${translator.text(node)}`)
  return tree.equal(negated, a, b)
}

export function logical(
  translator: Translator,
  node: Extract<Syntax, { type: 'LogicalExpression' }>,
  scope: Scope,
): Expression {
  const left = translator.expression(node.left, scope)
  if (node.operator === '??') {
    const result = tree.coalesce(left, translator.expression(node.right, scope))
    if (result === null) throw new Opaque(`mixes types in ${translator.text(node)}`)
    return result
  }
  const test = translator.truth(left, node.left)
  const right = translator.expression(node.right, within(scope, test, node.operator === '&&'))
  if (left.type === 'boolean' && !left.nullable && right.type === 'boolean')
    return tree.logical(node.operator, left, right)
  // The value of one of the sides, whichever the test of the left one chooses.
  return node.operator === '&&'
    ? translator.branch(test, right, left, node)
    : translator.branch(test, tree.present(left), right, node)
}
