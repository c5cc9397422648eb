/** What names stand for: the columns of the row, the parameters, constants of JavaScript, and what a lambda calls them. */
import type { Pattern, Expression as Syntax } from 'acorn'
import { nearest } from '../../system/errors.ts'
import type { Cell } from '../schema.ts'
import { callFunctionNode } from './calls.ts'
import { library } from './library.ts'
import { propertyName, unwrapped } from './source.ts'
import type { Translator } from './translate.ts'
import * as tree from './tree.ts'
import { Opaque, plain, Refused, type Scope, type Value } from './value.ts'

const CONSTANTS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  Math: { PI: Math.PI, E: Math.E, LN2: Math.LN2, LN10: Math.LN10, SQRT2: Math.SQRT2, SQRT1_2: Math.SQRT1_2 },
  Number: {
    EPSILON: Number.EPSILON,
    MAX_SAFE_INTEGER: Number.MAX_SAFE_INTEGER,
    MIN_SAFE_INTEGER: Number.MIN_SAFE_INTEGER,
    MAX_VALUE: Number.MAX_VALUE,
    POSITIVE_INFINITY: Number.POSITIVE_INFINITY,
    NEGATIVE_INFINITY: Number.NEGATIVE_INFINITY,
    NaN: Number.NaN,
  },
}

/** Gives names to a value, or to parts of it where the pattern takes it apart. */
export function bind(translator: Translator, pattern: Pattern, value: Value, names: Map<string, Value>): void {
  if (pattern.type === 'Identifier') {
    names.set(pattern.name, value)
    return
  }
  if (pattern.type !== 'ObjectPattern')
    throw new Opaque(`takes its row apart in a way that is not translated: ${translator.text(pattern)}`)
  for (const property of pattern.properties) {
    if (property.type !== 'Property' || property.computed)
      throw new Opaque(`takes its row apart by ${translator.text(property)}`)
    const { key } = property
    const name = key.type === 'Identifier' ? key.name : key.type === 'Literal' ? String(key.value) : null
    if (name === null) throw new Opaque(`takes its row apart by ${translator.text(property)}`)
    bind(translator, property.value, member(translator, value, name, false, pattern), names)
  }
}

export function identifier(translator: Translator, name: string, scope: Scope, node: Syntax): Value {
  const bound = scope.names.get(name)
  if (bound) return bound
  if (name === 'undefined') return { kind: 'undefined' }
  if (name === 'NaN') return plain(tree.literal(Number.NaN))
  if (name === 'Infinity') return plain(tree.literal(Number.POSITIVE_INFINITY))
  throw new Opaque(`uses ${translator.text(node)}`)
}

/** `r.values.x`, `$.threshold`, `Math.PI`, `text.length`, `text.split(x)[0]`. */
export function memberExpression(
  translator: Translator,
  node: Extract<Syntax, { type: 'MemberExpression' }>,
  scope: Scope,
): Value {
  const object = unwrapped(node.object as Syntax)
  const name = propertyName(node)
  if (object.type === 'Identifier' && !scope.names.has(object.name)) {
    const constant = name === null ? undefined : CONSTANTS[object.name]?.[name]
    if (constant !== undefined) return plain(tree.literal(constant))
  }
  const inner = translator.receiver(node, scope)
  if (name !== null) return member(translator, inner, name, node.optional, node)
  if (inner.kind === 'split') {
    const index = translator.expression(node.property as Syntax, scope)
    return plain(callFunctionNode(translator, 'text.splitPart', [inner.text, inner.separator, index], node))
  }
  throw new Opaque(`reads ${translator.text(node)}, whose name is computed`)
}

function member(
  translator: Translator,
  object: Value,
  name: string,
  optional: boolean,
  node: { start: number; end: number },
): Value {
  if (object.kind === 'row') {
    const path = object.path === '' ? name : `${object.path}.${name}`
    const found = translator.columns.get(path)
    const isOptional = object.optional || optional
    if (found) {
      // A lambda sees the nearest double of a decimal.
      const type = found.type === 'decimal' ? 'number' : found.type
      const expression = tree.column(found.name, type, found.nullable, found.labels)
      if (isOptional) translator.undefinedLike.add(expression)
      return plain(expression)
    }
    for (const column of translator.columns.keys())
      if (column.startsWith(`${path}.`)) return { kind: 'row', path, optional: isOptional }
    const near = nearest(path, translator.columns.keys())
    throw new Refused(
      `there is no column \`${path}\`${near ? `, did you mean \`${near}\`?` : ';'} the columns are ${[...translator.columns.keys()].join(', ')}`,
      'COLUMN_UNKNOWN',
    )
  }
  if (object.kind === 'parameters') {
    if (Object.hasOwn(translator.parameters, name)) {
      const value = translator.parameters[name]!
      return Array.isArray(value) ? { kind: 'list', values: value } : plain(tree.literal(value as Cell))
    }
    const near = nearest(name, [...Object.keys(translator.parameters), ...Object.keys(library)])
    throw new Refused(
      `there is no parameter \`${name}\`${near ? `, did you mean \`${near}\`?` : `: give it beside the lambda, \`{ ${name} }\``}`,
    )
  }
  if (object.kind === 'expression' && object.expression.type === 'text' && name === 'length') {
    if (object.expression.nullable) throw translator.nullReceiver(node)
    return plain(tree.call('text.length', [object.expression], { type: 'number', nullable: false }))
  }
  throw new Opaque(`reads ${translator.text(node)}`)
}
