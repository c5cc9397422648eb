/** Calls in a lambda: which known function they are, with its arguments checked. */
import type { Expression as Syntax } from 'acorn'
import type { Cell } from '../schema.ts'
import { checkFormatTime, formatTimeArguments } from './format-time.ts'
import { FUNCTIONS, type FunctionName, isFunctionName } from './functions.ts'
import { library } from './library.ts'
import { propertyName, unwrapped } from './source.ts'
import type { Translator } from './translate.ts'
import type { Expression } from './tree.ts'
import * as tree from './tree.ts'
import { Opaque, plain, Refused, type Scope, type Value } from './value.ts'

type Node = { readonly start: number; readonly end: number }
type MemberSyntax = Extract<Syntax, { type: 'MemberExpression' }>

/** Global names that are values, not places where functions live. */
const VALUES: ReadonlySet<string> = new Set(['undefined', 'NaN', 'Infinity'])

/** `Math.sqrt(x)`, `r.name.includes(x)`, `$.formatTime(t, pattern)`, `[...].includes(x)`, `/x/.test(s)`. */
export function callMethod(
  translator: Translator,
  node: Syntax,
  callee: MemberSyntax,
  args: readonly Syntax[],
  scope: Scope,
): Value {
  const name = propertyName(callee)
  if (name === null) throw new Opaque(`calls ${translator.text(callee)}, whose name is computed`)
  const object = unwrapped(callee.object as Syntax)
  if (object.type === 'Identifier' && !scope.names.has(object.name) && !VALUES.has(object.name)) {
    const global = `${object.name}.${name}`
    if (!isFunctionName(global)) throw new Opaque(`calls ${translator.text(callee)}`)
    return plain(callFunctionNode(translator, global, operands(translator, global, args, scope), node))
  }
  if (object.type === 'Literal' && object.regex) {
    if (name !== 'test' || args.length !== 1) throw new Opaque(`calls ${translator.text(callee)}`)
    const { pattern, flags } = object.regex
    if (/[gy]/.test(flags))
      throw new Opaque(
        `calls ${translator.text(callee)}, which remembers its last place`,
        'leave out the flags g and y',
      )
    const value = translator.operand(args[0]!, scope, ['text'], '`test`')
    return plain(
      tree.call('text.test', [value, tree.literal(pattern), tree.literal(flags)], { type: 'boolean', nullable: false }),
    )
  }
  const receiver = translator.receiver(callee, scope)
  switch (receiver.kind) {
    case 'parameters': {
      const global = `$.${name}`
      if (!Object.hasOwn(library, name) || !isFunctionName(global)) throw new Opaque(`calls ${translator.text(callee)}`)
      const all = global === '$.formatTime' ? formatTimeArguments(args, each => translator.text(each)) : args
      return plain(callFunctionNode(translator, global, operands(translator, global, all, scope), node))
    }
    case 'list':
      if (name !== 'includes' || args.length !== 1) throw new Opaque(`calls ${translator.text(callee)}`)
      return plain(includes(translator, receiver.values, args[0]!, scope))
    case 'split': {
      if (name !== 'at' || args.length !== 1) throw new Opaque(`calls ${translator.text(callee)}`)
      const index = translator.expression(args[0]!, scope)
      return plain(callFunctionNode(translator, 'text.splitPart', [receiver.text, receiver.separator, index], node))
    }
    case 'expression':
      return methodOf(translator, receiver.expression, name, node, callee, args, scope)
    case 'row':
      throw new Opaque(`calls ${translator.text(callee)}`)
    case 'undefined':
      throw new Opaque(`calls ${translator.text(callee)}`)
  }
}

/** `String(x)`, `Number(x)`, `parseFloat(x)` and the like. */
export function callFunction(
  translator: Translator,
  node: Syntax,
  name: string,
  args: readonly Syntax[],
  scope: Scope,
): Value {
  const [argument] = args
  if (argument !== undefined && args.length === 1) {
    if (name === 'String') return plain(tree.template([translator.textPart(argument, scope)]))
    if (name === 'Boolean') return plain(tree.truth(scalar(translator, argument, scope)))
    if (name === 'isNaN' || name === 'isFinite') {
      return plain(
        tree.call(`Number.${name}`, [translator.operand(argument, scope, ['number'], `\`${name}\``)], {
          type: 'boolean',
          nullable: false,
        }),
      )
    }
    if (name === 'Number') {
      const value = translator.expression(argument, scope)
      if (tree.isNumeric(value) && !value.nullable) return plain(value)
      if (value.type === 'int64' && !value.nullable) {
        return plain(tree.call('int64.asNumber', [value], { type: 'number', nullable: false }))
      }
    }
  }
  if (!isFunctionName(name) || name === 'date') throw new Opaque(`calls \`${name}\`, which is not known`)
  return plain(callFunctionNode(translator, name, operands(translator, name, args, scope), node))
}

/** `new Date(milliseconds)`. */
export function newDate(translator: Translator, args: readonly Syntax[], scope: Scope, node: Syntax): Expression {
  const [argument] = args
  if (argument === undefined || args.length > 1) throw new Opaque(`makes ${translator.text(node)}`)
  const value = translator.expression(argument, scope)
  if (value.type === 'timestamp') {
    const text = translator.text(argument).slice(1, -1)
    throw new Refused(
      `${translator.text(node)} takes microseconds for milliseconds: write \`new Date(${text} / 1000)\``,
    )
  }
  return tree.call('date', [translator.checked(value, argument, ['number'], '`new Date`')], {
    type: 'date',
    nullable: false,
  })
}

/** A call with its arguments' number, types and constants checked. */
export function callFunctionNode(
  translator: Translator,
  name: FunctionName,
  args: readonly Expression[],
  node: Node,
): Expression {
  const signature = FUNCTIONS[name]
  const most = signature.parameters.length
  const least = most - (signature.optional ?? 0)
  if (args.length < least || (args.length > most && !signature.variadic)) {
    throw new Opaque(`calls ${translator.text(node)} with ${args.length} arguments`)
  }
  const problem = signature.check?.(args) ?? null
  if (problem !== null) throw new Opaque(`calls ${translator.text(node)}: ${problem}`)
  args.forEach((argument, index) => {
    const wanted = signature.parameters[Math.min(index, most - 1)]!
    if (argument.type === 'int64' && wanted !== 'int64') throw translator.needsNumber(node, `\`${name}\``)
    if (argument.nullable || (argument.type !== wanted && !(wanted === 'number' && argument.type === 'timestamp'))) {
      throw new Opaque(
        `calls ${translator.text(node)} with ${argument.nullable ? 'what can be null' : argument.type} where it takes ${wanted}`,
      )
    }
  })
  if (name === '$.formatTime') checkFormatTime(args, translator.text(node))
  return tree.call(name, args, { type: signature.result, nullable: signature.partial === true })
}

function operands(translator: Translator, name: FunctionName, args: readonly Syntax[], scope: Scope): Expression[] {
  const { parameters } = FUNCTIONS[name]
  return args.map((argument, index) =>
    translator.operand(argument, scope, [parameters[Math.min(index, parameters.length - 1)]!], `\`${name}\``),
  )
}

function methodOf(
  translator: Translator,
  self: Expression,
  name: string,
  node: Syntax,
  callee: MemberSyntax,
  args: readonly Syntax[],
  scope: Scope,
): Value {
  if (self.nullable) throw translator.nullReceiver(callee)
  if (name === 'toString' && args.length === 0 && self.type !== 'date' && self.type !== 'json')
    return plain(tree.template([self]))
  if (self.type === 'date' && /^(toString|toUTCString|toJSON)$/.test(name)) {
    if (name === 'toString')
      throw new Refused('`toString` of a Date depends on the time zone of the process: write `toISOString`')
  }
  if (name === 'split' && self.type === 'text' && args.length === 1) {
    return { kind: 'split', text: self, separator: translator.operand(args[0]!, scope, ['text'], '`split`') }
  }
  if (name === 'concat' && self.type === 'text') {
    return plain(tree.template([self, ...args.map(argument => translator.textPart(argument, scope))]))
  }
  const kind = self.type === 'timestamp' ? 'number' : self.type
  const full = `${kind}.${name}`
  if (!isFunctionName(full) || full === 'text.test' || full === 'text.splitPart' || full === 'int64.asNumber') {
    throw new Opaque(`calls ${translator.text(callee)}, which is not known of ${kind}`)
  }
  const { parameters } = FUNCTIONS[full]
  const rest = args.map((argument, index) =>
    translator.operand(argument, scope, [parameters[index + 1] ?? 'text'], `\`${name}\``),
  )
  return plain(callFunctionNode(translator, full, [self, ...rest], node))
}

function includes(translator: Translator, list: readonly Cell[], node: Syntax, scope: Scope): Expression {
  const value = scalar(translator, node, scope)
  const type = value.type === 'timestamp' ? 'number' : value.type
  for (const element of list) {
    if (element !== null && tree.literal(element).type !== type)
      throw new Opaque(`looks for ${translator.text(node)}, which is ${type}, among other types`)
  }
  if (list.includes(null) && translator.maybeUndefined(value))
    throw new Opaque(`looks for ${translator.text(node)}, which may be undefined, beside null`)
  return list.length === 0 ? tree.literal(false) : tree.includes(list, value)
}

function scalar(translator: Translator, node: Syntax, scope: Scope): Expression {
  const value = translator.expression(node, scope)
  if (value.type === 'json' || value.type === 'date')
    throw new Opaque(`uses ${translator.text(node)}, which is ${value.type}`)
  return value
}
