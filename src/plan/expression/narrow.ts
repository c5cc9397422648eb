/** What a test says about nulls: the expressions that cannot be null once it has come out true, or false. */
import { normalise } from './normalise.ts'
import type { Expression } from './tree.ts'
import type { Scope } from './value.ts'

/** Normalised texts of expressions that are not null when the test is `outcome`. */
function presentWhen(test: Expression, outcome: boolean): readonly string[] {
  switch (test.kind) {
    case 'isNull':
      return test.negated === outcome ? [normalise(test.operand)] : []
    case 'truth':
      return outcome ? [normalise(test.operand), ...presentWhen(test.operand, true)] : []
    case 'not':
      return presentWhen(test.operand, !outcome)
    case 'logical':
      return (test.operator === '&&') === outcome
        ? [...presentWhen(test.left, outcome), ...presentWhen(test.right, outcome)]
        : []
    case 'equal': {
      if (test.negated === outcome) return []
      const found: string[] = []
      if (!test.left.nullable) found.push(normalise(test.right))
      if (!test.right.nullable) found.push(normalise(test.left))
      return found
    }
    default:
      return []
  }
}

/** The scope in which a test has come out so. */
export function within(scope: Scope, test: Expression, outcome: boolean): Scope {
  const found = presentWhen(test, outcome)
  return found.length === 0 ? scope : { names: scope.names, present: new Set([...scope.present, ...found]) }
}
