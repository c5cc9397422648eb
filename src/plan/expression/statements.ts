/** The body of a lambda written as statements: constants, then `if` and `return` as one conditional expression. */
import type { BlockStatement, Statement } from 'acorn'
import { bind } from './names.ts'
import { within } from './narrow.ts'
import type { Translator } from './translate.ts'
import type { Expression } from './tree.ts'
import * as tree from './tree.ts'
import { Opaque, type Scope } from './value.ts'

/** What statements give: null where none of them returns. */
export function block(translator: Translator, statements: readonly Statement[], scope: Scope): Expression {
  const [statement, ...rest] = statements
  if (statement === undefined) return tree.literal(null)
  switch (statement.type) {
    case 'ReturnStatement':
      return statement.argument ? translator.expression(statement.argument, scope) : tree.literal(null)
    case 'EmptyStatement':
      return block(translator, rest, scope)
    case 'BlockStatement':
      if (!endsInReturn(statement)) throw new Opaque('has a block that does not end in `return`')
      return block(translator, statement.body, scope)
    case 'VariableDeclaration': {
      if (statement.kind !== 'const')
        throw new Opaque(`declares a variable with \`${statement.kind}\``, 'declare it with `const`')
      const names = new Map(scope.names)
      for (const { id, init } of statement.declarations) {
        if (!init) throw new Opaque(`declares ${translator.text(id)} without a value`)
        bind(translator, id, translator.value(init, { ...scope, names }), names)
      }
      return block(translator, rest, { ...scope, names })
    }
    case 'IfStatement': {
      if (!endsInReturn(statement.consequent)) throw new Opaque('has an `if` that does not end in `return`')
      const test = translator.test(statement.test, scope)
      const then = block(translator, [statement.consequent], within(scope, test, true))
      const following = statement.alternate ? [statement.alternate, ...rest] : rest
      if (statement.alternate && rest.length > 0 && !endsInReturn(statement.alternate))
        throw new Opaque('has an `else` that does not end in `return`')
      return translator.branch(test, then, block(translator, following, within(scope, test, false)), statement)
    }
    default:
      throw new Opaque(`has the statement ${translator.text(statement)}`)
  }
}

function endsInReturn(statement: Statement): boolean {
  if (statement.type === 'ReturnStatement') return true
  if (statement.type === 'BlockStatement') {
    const last = (statement as BlockStatement).body.at(-1)
    return last !== undefined && endsInReturn(last)
  }
  return (
    statement.type === 'IfStatement' &&
    statement.alternate != null &&
    endsInReturn(statement.consequent) &&
    endsInReturn(statement.alternate)
  )
}
