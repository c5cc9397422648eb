/**
 * What a lambda means: a typed tree without names, scopes or syntax. Nodes are frozen and made only by the functions
 * below, so what is in a tree has been checked.
 *
 * The meaning of each node is JavaScript's. A null reaches an operator only where the table below says so: `isNull`,
 * `equal`, `coalesce`, `truth`, `includes`, `conditional` (as a branch) and the parts of a `template`. Every function is
 * total: none throws, whatever its arguments, so the order of evaluation cannot be seen and SQL may choose its own.
 */
import type { Cell, ColumnType } from '../schema.ts'
import type { FunctionName } from './functions.ts'

/** `date` is a JavaScript Date (milliseconds), which only its own functions read; `null` is the type of the literal. */
export type ExpressionType = ColumnType | 'date' | 'null'

interface Typed {
  readonly type: ExpressionType
  readonly nullable: boolean
  /** The only texts that it can be, where they are known. */
  readonly labels?: readonly string[]
}

export interface LiteralExpression extends Typed {
  readonly kind: 'literal'
  readonly value: Cell
}
export interface ColumnExpression extends Typed {
  readonly kind: 'column'
  readonly name: string
}
/** `-x` */
export interface NegateExpression extends Typed {
  readonly kind: 'negate'
  readonly operand: Expression
}
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '**' | '|' | '&'
/** Numbers in, a number out, or 64-bit integers in and one out (which may be beyond 64 bits); neither side is null. */
export interface ArithmeticExpression extends Typed {
  readonly kind: 'arithmetic'
  readonly operator: ArithmeticOperator
  readonly left: Expression
  readonly right: Expression
}
/** Two numbers, two 64-bit integers or two texts in order; neither side is null. */
export interface CompareExpression extends Typed {
  readonly kind: 'compare'
  readonly operator: '<' | '<=' | '>' | '>='
  readonly left: Expression
  readonly right: Expression
}
/** `===` of two values of one type; either may be null. */
export interface EqualExpression extends Typed {
  readonly kind: 'equal'
  readonly negated: boolean
  readonly left: Expression
  readonly right: Expression
}
export interface IsNullExpression extends Typed {
  readonly kind: 'isNull'
  readonly negated: boolean
  readonly operand: Expression
}
/** Whether a value counts as true: not null, 0, NaN, '' or false. */
export interface TruthExpression extends Typed {
  readonly kind: 'truth'
  readonly operand: Expression
}
export interface NotExpression extends Typed {
  readonly kind: 'not'
  readonly operand: Expression
}
/** Booleans; the left side is never null, the right one may be. */
export interface LogicalExpression extends Typed {
  readonly kind: 'logical'
  readonly operator: '&&' | '||'
  readonly left: Expression
  readonly right: Expression
}
/** `a ?? b` */
export interface CoalesceExpression extends Typed {
  readonly kind: 'coalesce'
  readonly left: Expression
  readonly right: Expression
}
/** The test is a boolean and never null. */
export interface ConditionalExpression extends Typed {
  readonly kind: 'conditional'
  readonly test: Expression
  readonly then: Expression
  readonly otherwise: Expression
}
/** The parts written one after another; null writes `null`. */
export interface TemplateExpression extends Typed {
  readonly kind: 'template'
  readonly parts: readonly Expression[]
}
/** `[...].includes(x)`: a list of constants of the operand's type, perhaps with null. */
export interface IncludesExpression extends Typed {
  readonly kind: 'includes'
  readonly list: readonly Cell[]
  readonly operand: Expression
}
/** A known function; no argument is null. */
export interface CallExpression extends Typed {
  readonly kind: 'call'
  readonly function: FunctionName
  readonly arguments: readonly Expression[]
}

export type Expression =
  | LiteralExpression
  | ColumnExpression
  | NegateExpression
  | ArithmeticExpression
  | CompareExpression
  | EqualExpression
  | IsNullExpression
  | TruthExpression
  | NotExpression
  | LogicalExpression
  | CoalesceExpression
  | ConditionalExpression
  | TemplateExpression
  | IncludesExpression
  | CallExpression

export type ExpressionKind = Expression['kind']

/** One entry a kind of node: a dispatch written so does not compile when a kind is forgotten. */
export type Dispatch<Result> = {
  readonly [Kind in ExpressionKind]: (node: Extract<Expression, { readonly kind: Kind }>) => Result
}

/** Calls the entry of the node's kind. */
export function dispatch<Result>(table: Dispatch<Result>, node: Expression): Result {
  return (table[node.kind] as (node: Expression) => Result)(node)
}

const boolean = { type: 'boolean', nullable: false } as const
const number = { type: 'number', nullable: false } as const
const int64 = { type: 'int64', nullable: false } as const

const numberLike = (operand: Expression) => (operand.type === 'int64' ? int64 : number)

export function literal(value: Cell): LiteralExpression {
  if (value === null) return Object.freeze({ kind: 'literal', value, type: 'null', nullable: true })
  if (typeof value === 'string')
    return Object.freeze({ kind: 'literal', value, type: 'text', nullable: false, labels: Object.freeze([value]) })
  const type = typeof value === 'bigint' ? 'int64' : (typeof value as 'number' | 'boolean')
  return Object.freeze({ kind: 'literal', value, type, nullable: false })
}

export function column(
  name: string,
  type: ColumnType,
  nullable: boolean,
  labels?: readonly string[],
): ColumnExpression {
  return Object.freeze({ kind: 'column', name, type, nullable, ...(labels && { labels }) })
}

export function negate(operand: Expression): Expression {
  if (operand.kind === 'literal' && typeof operand.value === 'number') return literal(-operand.value)
  if (operand.kind === 'literal' && typeof operand.value === 'bigint') return literal(-operand.value)
  return Object.freeze({ kind: 'negate', operand, ...numberLike(operand) })
}

export function arithmetic(operator: ArithmeticOperator, left: Expression, right: Expression): Expression {
  return Object.freeze({ kind: 'arithmetic', operator, left, right, ...numberLike(left) })
}

export function compare(operator: CompareExpression['operator'], left: Expression, right: Expression): Expression {
  return Object.freeze({ kind: 'compare', operator, left, right, ...boolean })
}

export function equal(negated: boolean, left: Expression, right: Expression): Expression {
  return Object.freeze({ kind: 'equal', negated, left, right, ...boolean })
}

export function isNull(negated: boolean, operand: Expression): Expression {
  return Object.freeze({ kind: 'isNull', negated, operand, ...boolean })
}

/** The expression as a test: itself when it is a boolean that is never null. */
export function truth(operand: Expression): Expression {
  if (operand.type === 'boolean' && !operand.nullable) return operand
  if (operand.kind === 'literal') return literal(Boolean(operand.value))
  return Object.freeze({ kind: 'truth', operand, ...boolean })
}

export function not(operand: Expression): Expression {
  if (operand.kind === 'isNull') return isNull(!operand.negated, operand.operand)
  return Object.freeze({ kind: 'not', operand, ...boolean })
}

export function logical(operator: '&&' | '||', left: Expression, right: Expression): Expression {
  return Object.freeze({ kind: 'logical', operator, left, right, type: 'boolean', nullable: right.nullable })
}

/** Null when the two sides have no common type. */
export function coalesce(left: Expression, right: Expression): Expression | null {
  if (!left.nullable) return left
  if (left.type === 'null') return right
  const common = unified(left, right)
  if (common === null) return null
  return Object.freeze({ kind: 'coalesce', left, right, ...common, nullable: right.nullable })
}

/** Null when the two branches have no common type. */
export function conditional(test: Expression, then: Expression, otherwise: Expression): Expression | null {
  const common = unified(then, otherwise)
  if (common === null) return null
  return Object.freeze({ kind: 'conditional', test, then, otherwise, ...common })
}

export function template(parts: readonly Expression[]): Expression {
  return Object.freeze({ kind: 'template', parts: Object.freeze([...parts]), type: 'text', nullable: false })
}

export function includes(list: readonly Cell[], operand: Expression): Expression {
  return Object.freeze({ kind: 'includes', list: Object.freeze([...list]), operand, ...boolean })
}

export function call(
  name: FunctionName,
  args: readonly Expression[],
  result: { readonly type: ExpressionType; readonly nullable: boolean },
): Expression {
  return Object.freeze({
    kind: 'call',
    function: name,
    arguments: Object.freeze([...args]),
    type: result.type,
    nullable: result.nullable,
  })
}

/** The argument as a constant number, or null. */
export function constantNumber(node: Expression | undefined): number | null {
  return node?.kind === 'literal' && typeof node.value === 'number' ? node.value : null
}

/** The argument as a constant text, or null. */
export function constantText(node: Expression | undefined): string | null {
  return node?.kind === 'literal' && typeof node.value === 'string' ? node.value : null
}

/** The same value where it is known not to be null. */
export function present(node: Expression): Expression {
  return node.nullable && node.kind !== 'literal' ? (Object.freeze({ ...node, nullable: false }) as Expression) : node
}

/** The type that both have in common: a timestamp beside a number is a number, null goes with everything. */
function unified(a: Expression, b: Expression): Typed | null {
  const nullable = a.nullable || b.nullable
  if (a.type === 'null') return { ...typeOf(b), nullable }
  if (b.type === 'null') return { ...typeOf(a), nullable }
  if (a.type !== b.type) {
    const numbers = isNumeric(a) && isNumeric(b)
    return numbers ? { type: 'number', nullable } : null
  }
  if (a.labels && b.labels)
    return { type: a.type, nullable, labels: Object.freeze([...new Set([...a.labels, ...b.labels])]) }
  return { type: a.type, nullable }
}

function typeOf(node: Expression): Typed {
  return { type: node.type, nullable: node.nullable, ...(node.labels && { labels: node.labels }) }
}

/** A number, or a timestamp, which is a number of microseconds. */
export function isNumeric(node: Expression): boolean {
  return node.type === 'number' || node.type === 'timestamp'
}

const none: readonly Expression[] = []
const CHILDREN: Dispatch<readonly Expression[]> = {
  literal: () => none,
  column: () => none,
  negate: node => [node.operand],
  arithmetic: node => [node.left, node.right],
  compare: node => [node.left, node.right],
  equal: node => [node.left, node.right],
  isNull: node => [node.operand],
  truth: node => [node.operand],
  not: node => [node.operand],
  logical: node => [node.left, node.right],
  coalesce: node => [node.left, node.right],
  conditional: node => [node.test, node.then, node.otherwise],
  template: node => node.parts,
  includes: node => [node.operand],
  call: node => node.arguments,
}

/** The operands of a node, in order. */
export function childrenOf(node: Expression): readonly Expression[] {
  return dispatch(CHILDREN, node)
}

/** Names of the columns that an expression reads, each once, in order of appearance. */
export function columnsOf(node: Expression): readonly string[] {
  const names = new Set<string>()
  const visit = (current: Expression) => {
    if (current.kind === 'column') names.add(current.name)
    for (const child of childrenOf(current)) visit(child)
  }
  visit(node)
  return [...names]
}
