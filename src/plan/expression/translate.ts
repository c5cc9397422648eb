/**
 * Syntax to tree: names are resolved, constants and parameters put in, types and nulls checked. What has no node throws
 * Opaque (the lambda is then called as it is), what must not be throws Refused.
 */
import type { Expression as Syntax } from 'acorn'
import type { Cell, Column } from '../schema.ts'
import { callFunction, callMethod, newDate } from './calls.ts'
import type { Parameters } from './lambda.ts'
import { library } from './library.ts'
import { bind, identifier, memberExpression } from './names.ts'
import { within } from './narrow.ts'
import { normalise } from './normalise.ts'
import { binary, logical, unary } from './operators.ts'
import { type Source, unwrapped } from './source.ts'
import { block } from './statements.ts'
import type { Expression } from './tree.ts'
import * as tree from './tree.ts'
import { Opaque, plain, Refused, type Scope, type Value } from './value.ts'

const LARGEST_TREE = 2000

export function translate(source: Source, columns: readonly Column[], parameters: Parameters): Expression {
  for (const name of Object.keys(parameters)) {
    if (Object.hasOwn(library, name))
      throw new Refused(`the parameter \`${name}\` has the name of a library function: choose another`)
  }
  return new Translator(source, columns, parameters).translate()
}

export class Translator {
  readonly source: Source
  readonly columns: ReadonlyMap<string, Column>
  readonly parameters: Parameters
  /** Nulls that the user's JavaScript may see as undefined. */
  readonly undefinedLike = new WeakSet<Expression>()
  private guards: Expression[] = []
  private size = 0

  constructor(source: Source, columns: readonly Column[], parameters: Parameters) {
    this.source = source
    this.columns = new Map(columns.map(column => [column.name, column]))
    this.parameters = parameters
  }

  translate(): Expression {
    const { syntax } = this.source
    if (syntax.async || syntax.generator) throw new Opaque('is async or a generator')
    const names = new Map<string, Value>()
    const [row, parameters, ...more] = syntax.params
    if (more.length > 0) throw new Opaque('takes more than a row and parameters')
    if (row) bind(this, row, { kind: 'row', path: '', optional: false }, names)
    if (parameters) bind(this, parameters, { kind: 'parameters' }, names)
    const scope: Scope = { names, present: new Set() }
    const { body } = syntax
    const result = body.type === 'BlockStatement' ? block(this, body.body, scope) : this.expression(body, scope)
    if (result.type === 'date')
      throw new Opaque('gives a Date', 'give its `getTime()`, or a text by `$.formatTime(r.time, pattern)`')
    return result
  }

  /** The text of a piece of syntax, for messages. */
  text(node: { readonly start: number; readonly end: number }): string {
    const text = this.source.text.slice(node.start, node.end).replaceAll(/\s+/g, ' ')
    return `\`${text.length > 60 ? `${text.slice(0, 57)}...` : text}\``
  }

  /** The value of a piece of syntax that must be a plain value. */
  expression(node: Syntax, scope: Scope): Expression {
    const value = this.value(node, scope)
    switch (value.kind) {
      case 'expression':
        return value.expression
      case 'undefined':
        throw new Opaque('uses `undefined` as a value', 'write `null`: a missing value is null')
      case 'row':
        if (value.path === '') throw new Opaque('uses the row as a whole', 'name the columns it needs')
        throw new Refused(
          `${this.text(node)} is a group of columns, not a value: name one of them, such as \`${this.text(node).slice(1, -1)}.${[...this.columns.keys()].find(name => name.startsWith(`${value.path}.`))?.slice(value.path.length + 1)}\``,
        )
      case 'parameters':
        throw new Opaque('uses the parameters as a whole', 'name the parameters it needs')
      case 'list':
        throw new Opaque(`uses the list ${this.text(node)} as a value`, 'lists can be asked for `.includes(x)`')
      case 'split':
        throw new Opaque(`uses the parts of ${this.text(node)} as a list`, 'take one part: `.split(x)[0]`')
    }
  }

  /** A value that must not be null where it stands. */
  operand(node: Syntax, scope: Scope, types: readonly tree.ExpressionType[], by: string): Expression {
    return this.checked(this.expression(node, scope), node, types, by)
  }

  checked(expression: Expression, node: Syntax, types: readonly tree.ExpressionType[], by: string): Expression {
    if (expression.type === 'null' || expression.nullable) {
      throw new Opaque(
        `${this.text(node)} can be null where ${by} needs a value`,
        'drop those rows first with `.require(...)`, or give a value with `??`',
      )
    }
    const type = expression.type === 'timestamp' && !types.includes('timestamp') ? 'number' : expression.type
    if (type === 'int64' && !types.includes(type)) throw this.needsNumber(node, by)
    if (!types.includes(type))
      throw new Opaque(`${this.text(node)} is ${expression.type} where ${by} needs ${types.join(' or ')}`)
    return expression
  }

  /** What takes numbers throws for a 64-bit integer. */
  needsNumber(node: { readonly start: number; readonly end: number }, by: string): Refused {
    const text = this.text(node)
    return new Refused(
      `${text} is a 64-bit integer, and ${by} does not take one: write \`Number(${text.slice(1, -1)})\``,
    )
  }

  /** A piece of syntax as a test: a boolean that is never null. */
  test(node: Syntax, scope: Scope): Expression {
    const inner = unwrapped(node)
    if (inner.type === 'LogicalExpression' && inner.operator !== '??') {
      const left = this.test(inner.left, scope)
      return tree.logical(inner.operator, left, this.test(inner.right, within(scope, left, inner.operator === '&&')))
    }
    if (inner.type === 'UnaryExpression' && inner.operator === '!') return tree.not(this.test(inner.argument, scope))
    return this.truth(this.expression(inner, scope), inner)
  }

  truth(expression: Expression, node: Syntax): Expression {
    if (expression.type === 'json' || expression.type === 'date')
      throw new Opaque(`tests ${this.text(node)}, which is ${expression.type}`)
    return tree.truth(expression)
  }

  value(node: Syntax, scope: Scope): Value {
    if (++this.size > LARGEST_TREE)
      throw new Opaque('is too large to be translated', 'split it into several derived columns')
    const value = this.valueOf(unwrapped(node), scope)
    if (value.kind !== 'expression') return value
    const { expression } = value
    return expression.nullable && scope.present.size > 0 && scope.present.has(normalise(expression))
      ? { kind: 'expression', expression: tree.present(expression) }
      : value
  }

  private valueOf(node: Syntax, scope: Scope): Value {
    switch (node.type) {
      case 'Literal':
        if (node.regex) throw new Opaque(`uses ${this.text(node)} as a value`)
        return plain(tree.literal(node.bigint ? BigInt(node.bigint) : (node.value as Cell)))
      case 'Identifier':
        return identifier(this, node.name, scope, node)
      case 'TemplateLiteral': {
        const parts: Expression[] = []
        node.quasis.forEach((quasi, index) => {
          if (quasi.value.cooked) parts.push(tree.literal(quasi.value.cooked))
          const inner = node.expressions[index]
          if (inner) parts.push(this.textPart(inner, scope))
        })
        if (parts.length === 0) return plain(tree.literal(''))
        return plain(
          parts.length === 1 && parts[0]!.kind === 'literal' && parts[0]!.type === 'text'
            ? parts[0]!
            : tree.template(parts),
        )
      }
      case 'MemberExpression':
        return memberExpression(this, node, scope)
      case 'ChainExpression': {
        const outer = this.guards
        this.guards = []
        const inner = this.value(node.expression, scope)
        const guards = this.guards
        this.guards = outer
        if (guards.length === 0) return inner
        if (inner.kind !== 'expression') throw new Opaque(`uses ${this.text(node)}`)
        return plain(
          guards.reduceRight((result, guard) => {
            const guarded = tree.conditional(tree.isNull(false, guard), tree.literal(null), result)!
            this.undefinedLike.add(guarded)
            return guarded
          }, inner.expression),
        )
      }
      case 'UnaryExpression':
        return unary(this, node, scope)
      case 'BinaryExpression':
        if (node.left.type === 'PrivateIdentifier') throw new Opaque(`uses ${this.text(node)}`)
        return plain(binary(this, node.operator, node.left, node.right, scope, node))
      case 'LogicalExpression':
        return plain(logical(this, node, scope))
      case 'ConditionalExpression': {
        const test = this.test(node.test, scope)
        const then = this.expression(node.consequent, within(scope, test, true))
        return plain(this.branch(test, then, this.expression(node.alternate, within(scope, test, false)), node))
      }
      case 'ArrayExpression':
        return { kind: 'list', values: node.elements.map(element => this.constant(element as Syntax | null, scope)) }
      case 'NewExpression':
        if (node.callee.type === 'Identifier' && node.callee.name === 'Date' && !scope.names.has('Date')) {
          return plain(newDate(this, node.arguments as Syntax[], scope, node))
        }
        throw new Opaque(`makes ${this.text(node)}`)
      case 'CallExpression': {
        const args = node.arguments
        if (args.some(argument => argument.type === 'SpreadElement'))
          throw new Opaque(`spreads arguments in ${this.text(node)}`)
        const callee = unwrapped(node.callee as Syntax)
        if (node.optional) throw new Opaque(`calls ${this.text(node)}`)
        if (callee.type === 'MemberExpression') return callMethod(this, node, callee, args as Syntax[], scope)
        if (callee.type === 'Identifier' && !scope.names.has(callee.name))
          return callFunction(this, node, callee.name, args as Syntax[], scope)
        throw new Opaque(`calls ${this.text(node)}`)
      }
      default:
        throw new Opaque(`uses ${this.text(node)}`)
    }
  }

  private constant(node: Syntax | null, scope: Scope): Cell {
    const value = node && this.expression(node, scope)
    if (value?.kind !== 'literal') throw new Opaque('has a list whose elements are not all constants')
    return value.value
  }

  /** The object of a member, with its null taken out of the chain when it is `?.`. */
  receiver(node: Extract<Syntax, { type: 'MemberExpression' }>, scope: Scope): Value {
    const value = this.value(node.object as Syntax, scope)
    if (node.optional && value.kind === 'expression' && value.expression.nullable) {
      this.guards.push(value.expression)
      return plain(tree.present(value.expression))
    }
    return value
  }

  nullReceiver(node: { start: number; end: number }): Opaque {
    return new Opaque(
      `reads ${this.text(node)} of what can be null`,
      'drop those rows first with `.require(...)`, or use `?.` and `??`',
    )
  }

  branch(test: Expression, then: Expression, otherwise: Expression, node: { start: number; end: number }): Expression {
    const result = tree.conditional(test, then, otherwise)
    if (result === null) throw new Opaque(`gives ${then.type} or ${otherwise.type} in ${this.text(node)}`)
    return result
  }

  textPart(node: Syntax, scope: Scope): Expression {
    return this.asPart(this.expression(node, scope), node)
  }

  asPart(expression: Expression, node: Syntax): Expression {
    if (expression.type === 'json' || expression.type === 'date')
      throw new Opaque(`writes ${this.text(node)}, which is ${expression.type}, as a text`)
    if (this.maybeUndefined(expression))
      throw new Opaque(`writes ${this.text(node)}, which may be undefined, as a text`, 'give it a value with `??`')
    return expression
  }

  /** Whether the user's JavaScript may see `undefined` where the expression says null. */
  maybeUndefined(expression: Expression): boolean {
    if (!expression.nullable) return false
    if (this.undefinedLike.has(expression)) return true
    switch (expression.kind) {
      case 'call':
        return true
      case 'coalesce':
        return this.maybeUndefined(expression.right)
      case 'conditional':
        return this.maybeUndefined(expression.then) || this.maybeUndefined(expression.otherwise)
      case 'logical':
        return this.maybeUndefined(expression.right)
      default:
        return false
    }
  }
}
