/** An expression as JavaScript source. Names, texts and numbers come in as literals only: nothing of the user's is pasted. */
import type { Cell } from '../schema.ts'
import { FUNCTIONS } from './functions.ts'
import { type ColumnExpression, type Dispatch, dispatch, type Expression } from './tree.ts'

export interface JavaScriptTarget {
  /** Source for the value of a column: a value, or null where the column says so. */
  readonly column: (node: ColumnExpression) => string
  /** Source for a test whether a column is null, where that is cheaper than its value; default: the value === null. */
  readonly columnIsNull?: (node: ColumnExpression) => string
  /** Source that stands for a whole node, or null to write it out. */
  readonly replace?: (node: Expression) => string | null
  /** A name under which the generated code finds a value made once. Without it regular expressions are written out. */
  readonly constant?: (source: string) => string
}

/** A literal of JavaScript. */
export function quoteJavaScript(value: Cell): string {
  if (typeof value === 'bigint') return value < 0n ? `(${value}n)` : `${value}n`
  if (typeof value === 'string')
    return JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
  if (typeof value !== 'number') return String(value)
  if (Object.is(value, -0)) return '(-0)'
  return value < 0 ? `(${value})` : String(value)
}

export function toJavaScript(expression: Expression, target: JavaScriptTarget): string {
  const emit = (node: Expression): string => target.replace?.(node) ?? dispatch(table, node)
  const table: Dispatch<string> = {
    literal: node => quoteJavaScript(node.value),
    column: node => target.column(node),
    negate: node => `(-${emit(node.operand)})`,
    // V8 gives x ** 2 the very bits of x * x, and multiplies faster.
    arithmetic: node => `(${emit(node.left)} ${node.operator} ${emit(node.right)})`,
    compare: node => `(${emit(node.left)} ${node.operator} ${emit(node.right)})`,
    equal: node => `(${emit(node.left)} ${node.negated ? '!==' : '==='} ${emit(node.right)})`,
    isNull: node => {
      const { operand } = node
      if (operand.kind === 'column' && target.columnIsNull) {
        const test = target.columnIsNull(operand)
        return node.negated ? `(!${test})` : test
      }
      return `(${emit(operand)} ${node.negated ? '!==' : '==='} null)`
    },
    truth: node => `(!!${emit(node.operand)})`,
    not: node => `(!${emit(node.operand)})`,
    logical: node => `(${emit(node.left)} ${node.operator} ${emit(node.right)})`,
    coalesce: node => `(${emit(node.left)} ?? ${emit(node.right)})`,
    conditional: node => `(${emit(node.test)} ? ${emit(node.then)} : ${emit(node.otherwise)})`,
    template: node => `(${["''", ...node.parts.map(emit)].join(' + ')})`,
    includes: node => {
      const list = `[${node.list.map(quoteJavaScript).join(', ')}]`
      return `${target.constant?.(list) ?? list}.includes(${emit(node.operand)})`
    },
    call: node => {
      if (node.function === 'text.test' && target.constant) {
        const [value, pattern, flags] = node.arguments as [Expression, Expression, Expression]
        return `${target.constant(`new RegExp(${emit(pattern)}, ${emit(flags)})`)}.test(${emit(value)})`
      }
      // A number in front of a dot needs its brackets: `(5).toFixed(1)`.
      return FUNCTIONS[node.function].javascript(
        node.arguments.map((argument, index) =>
          index === 0 && argument.kind === 'literal' ? `(${emit(argument)})` : emit(argument),
        ),
      )
    },
  }
  return emit(expression)
}
