/** Which names a function uses without declaring them. */
import type { Identifier, Node, Pattern } from 'acorn'
import { type FunctionSyntax, syntaxChildren } from './source.ts'

/** What every JavaScript runtime has and what gives the same answer each time; clocks are looked for elsewhere. */
const PURE_GLOBALS: ReadonlySet<string> = new Set([
  ...[
    'undefined',
    'NaN',
    'Infinity',
    'Math',
    'Number',
    'String',
    'Boolean',
    'Date',
    'BigInt',
    'Object',
    'Array',
    'JSON',
  ],
  ...['parseInt', 'parseFloat', 'isNaN', 'isFinite', 'RegExp', 'Set', 'Map', 'Error', 'Symbol', 'Intl', 'URL'],
  ...['RangeError', 'TypeError', 'encodeURIComponent', 'decodeURIComponent', 'structuredClone', 'arguments'],
])

/** The uses of names that the function does not declare, in order. Names that build tools add are left out. */
export function freeNames(root: FunctionSyntax): Identifier[] {
  const free: Identifier[] = []
  visit(root, new Set(), free)
  return free.filter(({ name }) => !PURE_GLOBALS.has(name) && name !== '__name' && !name.startsWith('cov_'))
}

/** The names that a pattern binds. */
function boundNames(pattern: Pattern, into: Set<string> = new Set()): Set<string> {
  switch (pattern.type) {
    case 'Identifier':
      into.add(pattern.name)
      break
    case 'ObjectPattern':
      for (const property of pattern.properties)
        boundNames(property.type === 'Property' ? property.value : property.argument, into)
      break
    case 'ArrayPattern':
      for (const element of pattern.elements) if (element) boundNames(element, into)
      break
    case 'RestElement':
      boundNames(pattern.argument, into)
      break
    case 'AssignmentPattern':
      boundNames(pattern.left, into)
      break
    case 'MemberExpression':
      break
  }
  return into
}

function visit(node: Node, scope: ReadonlySet<string>, free: Identifier[]): void {
  switch (node.type) {
    case 'Identifier': {
      const identifier = node as Identifier
      if (!scope.has(identifier.name)) free.push(identifier)
      return
    }
    case 'MemberExpression': {
      const member = node as unknown as { object: Node; property: Node; computed: boolean }
      visit(member.object, scope, free)
      if (member.computed) visit(member.property, scope, free)
      return
    }
    case 'Property':
    case 'MethodDefinition':
    case 'PropertyDefinition': {
      const property = node as unknown as { key: Node; value: Node | null; computed: boolean }
      if (property.computed) visit(property.key, scope, free)
      if (property.value) visit(property.value, scope, free)
      return
    }
    case 'LabeledStatement':
      visit((node as unknown as { body: Node }).body, scope, free)
      return
    case 'BreakStatement':
    case 'ContinueStatement':
    case 'MetaProperty':
      return
  }
  const inner = new Set(scope)
  if (isFunction(node)) {
    const { params, id } = node as unknown as { params: Pattern[]; id?: Identifier | null }
    if (id) inner.add(id.name)
    for (const parameter of params) boundNames(parameter, inner)
  }
  if (node.type === 'CatchClause') {
    const { param } = node as unknown as { param?: Pattern | null }
    if (param) boundNames(param, inner)
  }
  if (node.type === 'ClassExpression') {
    const { id } = node as unknown as { id?: Identifier | null }
    if (id) inner.add(id.name)
  }
  if (
    isFunction(node) ||
    node.type === 'BlockStatement' ||
    node.type.startsWith('For') ||
    node.type === 'SwitchStatement'
  )
    declareIn(node, inner)
  for (const child of syntaxChildren(node)) visit(child, inner, free)
}

/** Declarations anywhere below, inner functions aside: `var` is seen too widely so, never too narrowly. */
function declareIn(node: Node, scope: Set<string>): void {
  for (const child of syntaxChildren(node)) {
    if (child.type === 'VariableDeclarator') boundNames((child as unknown as { id: Pattern }).id, scope)
    if (child.type === 'FunctionDeclaration' || child.type === 'ClassDeclaration') {
      scope.add((child as unknown as { id: Identifier }).id.name)
    }
    if (!isFunction(child) && !(child.type === 'BlockStatement' && !isFunction(node))) declareIn(child, scope)
  }
}

function isFunction(node: Node): boolean {
  return (
    node.type === 'ArrowFunctionExpression' || node.type === 'FunctionExpression' || node.type === 'FunctionDeclaration'
  )
}
