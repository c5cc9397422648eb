/** The source text of a function as a syntax tree, whatever tool has printed it. */
import { type ArrowFunctionExpression, type Expression, type FunctionExpression, type Node, parse } from 'acorn'

export type FunctionSyntax = ArrowFunctionExpression | FunctionExpression

export interface Source {
  readonly syntax: FunctionSyntax
  /** The text that the positions in the tree count in. */
  readonly text: string
}

/** Null for a text that is no function's: a bound or a native one, a class. */
export function parseFunction(text: string): Source | null {
  // A method prints as `name(r) { ... }`, which is a function only inside an object.
  for (const wrapped of [`(${text})`, `({${text}})`]) {
    try {
      const program = parse(wrapped, { ecmaVersion: 'latest' })
      const statement = program.body[0]
      if (statement?.type !== 'ExpressionStatement') continue
      const syntax = functionIn(statement.expression)
      if (syntax) return { syntax, text: wrapped }
    } catch {
      // Not in this form.
    }
  }
  return null
}

function functionIn(node: Expression): FunctionSyntax | null {
  if (node.type === 'ArrowFunctionExpression' || node.type === 'FunctionExpression') return node
  if (node.type !== 'ObjectExpression') return null
  const property = node.properties[0]
  return property?.type === 'Property' && property.value.type === 'FunctionExpression' ? property.value : null
}

/** The nodes directly below one. */
export function* syntaxChildren(node: Node): Iterable<Node> {
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) yield item
    } else if (isNode(value)) yield value
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}

/** The node without brackets that mean nothing: `(0, f)` is `f`, an optional chain its expression. */
export function unwrapped(node: Expression): Expression {
  if (node.type === 'SequenceExpression' && node.expressions.length === 2 && node.expressions[0]?.type === 'Literal')
    return unwrapped(node.expressions[1]!)
  if (node.type === 'ParenthesizedExpression') return unwrapped(node.expression)
  return node
}

/** `a.b`, `a['b']`: the name; null where it is computed. */
export function propertyName(node: Extract<Expression, { type: 'MemberExpression' }>): string | null {
  if (!node.computed) return node.property.type === 'Identifier' ? node.property.name : null
  const property = node.property
  if (property.type === 'Literal' && typeof property.value === 'string') return property.value
  if (property.type === 'TemplateLiteral' && property.expressions.length === 0)
    return property.quasis[0]!.value.cooked ?? null
  return null
}
