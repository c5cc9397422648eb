/**
 * An expression as DuckDB SQL with JavaScript's meaning. Numbers and timestamps (microseconds) are DOUBLE, texts VARCHAR,
 * truths BOOLEAN; missing is NULL.
 */
import { MillraceError } from '../../system/errors.ts'
import { DUCKDB_FUNCTIONS, NoSql } from './duckdb-functions.ts'
import { binder, NAN, numberLiteral, numberText, textLiteral, utf16Order } from './duckdb-text.ts'
import { FUNCTIONS, type FunctionName } from './functions.ts'
import { childrenOf, type Dispatch, dispatch, type Expression, isNumeric } from './tree.ts'

/**
 * `columnSql` gives the SQL of a column: DOUBLE for a number, any numeric type for a timestamp (it is cast). Throws
 * VERIFY_UNSUPPORTED with the reason where there is no SQL with the same answers.
 */
export function toDuckDb(expression: Expression, columnSql: (name: string) => string): string {
  try {
    return write(expression, columnSql)
  } catch (error) {
    if (error instanceof NoSql) throw new MillraceError('VERIFY_UNSUPPORTED', error.message)
    throw error
  }
}

/** Why an expression has no DuckDB SQL, or null when it has. */
export function reasonWithoutDuckDb(expression: Expression): string | null {
  try {
    write(expression, () => 'x')
    return null
  } catch (error) {
    if (error instanceof NoSql) return error.message
    throw error
  }
}

/** Names of the functions in the expression whose SQL may differ from JavaScript, the last bits of numbers above all. */
export function inexact(expression: Expression): readonly string[] {
  const names = new Set<string>()
  const visit = (node: Expression) => {
    if (node.kind === 'call' && FUNCTIONS[node.function].inexact) names.add(node.function)
    if (node.kind === 'arithmetic' && node.operator === '**' && !isSquare(node.right)) names.add('**')
    for (const child of childrenOf(node)) visit(child)
  }
  visit(expression)
  return [...names]
}

const isSquare = (exponent: Expression) => exponent.kind === 'literal' && exponent.value === 2

function write(expression: Expression, columnSql: (name: string) => string): string {
  const bind = binder()
  const sql = (node: Expression): string => dispatch(table, node)
  const table: Dispatch<string> = {
    literal: ({ value }) => {
      if (value === null) return 'NULL'
      if (typeof value === 'number') return numberLiteral(value)
      if (typeof value === 'bigint') return `${value}::HUGEINT`
      return typeof value === 'string' ? wellFormedLiteral(value) : String(value)
    },
    column: node => {
      const name = columnSql(node.name)
      if (node.type === 'int64') return `CAST(${name} AS HUGEINT)`
      return node.type === 'timestamp' ? `CAST(${name} AS DOUBLE)` : name
    },
    negate: node => `(-${sql(node.operand)})`,
    arithmetic: ({ operator, left, right }) => {
      const a = sql(left)
      const b = sql(right)
      if (operator === '|' || operator === '&') return bitwise(operator, a, b)
      // DuckDB's // and % of integers round towards zero, as JavaScript's do.
      if (left.type === 'int64') return `(${a} ${operator === '/' ? '//' : operator} ${b})`
      if (operator !== '**') return `(${a} ${operator} ${b})`
      if (isSquare(right)) return bind(a, base => `(${base} * ${base})`)
      return bind(a, base =>
        bind(b, exponent => {
          const undecided = `isnan(${exponent}) OR (abs(${base}) = 1 AND isinf(${exponent}))`
          return `(CASE WHEN ${undecided} THEN ${NAN} ELSE pow(${base}, ${exponent}) END)`
        }),
      )
    },
    compare: ({ operator, left, right }) => {
      if (left.type === 'text') {
        const plain = isBelowSurrogates(left) || isBelowSurrogates(right)
        const [a, b] = [left, right].map(side => (plain ? sql(side) : utf16Order(sql(side))))
        return `(${a} ${operator} ${b})`
      }
      // NaN is the greatest number here, unequal to all in JavaScript: it can only spoil one side of each comparison.
      const spoiler = operator.startsWith('<') ? right : left
      const test = (a: string, b: string) => `${a} ${operator} ${b}`
      if (left.type === 'int64' || !mayBeNaN(spoiler)) return `(${test(sql(left), sql(right))})`
      return bind(sql(spoiler), name =>
        spoiler === right
          ? `(${test(sql(left), name)} AND NOT isnan(${name}))`
          : `(${test(name, sql(right))} AND NOT isnan(${name}))`,
      )
    },
    equal: ({ negated, left, right }) => {
      const same = left.nullable || right.nullable ? 'IS NOT DISTINCT FROM' : '='
      const positive =
        isNumeric(left) && mayBeNaN(left) && mayBeNaN(right)
          ? bind(sql(left), name => `(${name} ${same} ${sql(right)} AND NOT coalesce(isnan(${name}), false))`)
          : `(${sql(left)} ${same} ${sql(right)})`
      return negated ? `(NOT ${positive})` : positive
    },
    isNull: node => `(${sql(node.operand)} IS ${node.negated ? 'NOT NULL' : 'NULL'})`,
    truth: ({ operand }) => {
      if (isNumeric(operand)) return bind(sql(operand), name => `coalesce(${name} <> 0 AND NOT isnan(${name}), false)`)
      if (operand.type === 'int64') return `coalesce(${sql(operand)} <> 0, false)`
      if (operand.type === 'text') return `coalesce(${sql(operand)} <> '', false)`
      return operand.type === 'boolean' ? `coalesce(${sql(operand)}, false)` : 'false'
    },
    not: node => `(NOT ${sql(node.operand)})`,
    logical: node => `(${sql(node.left)} ${node.operator === '&&' ? 'AND' : 'OR'} ${sql(node.right)})`,
    coalesce: node => `coalesce(${sql(node.left)}, ${sql(node.right)})`,
    conditional: node => `(CASE WHEN ${sql(node.test)} THEN ${sql(node.then)} ELSE ${sql(node.otherwise)} END)`,
    template: node => `(${node.parts.map(part).join(' || ')})`,
    includes: node => {
      const listed = node.list
        .filter(cell => cell !== null)
        .map(cell => table.literal({ kind: 'literal', value: cell, type: 'null', nullable: false }))
      const found = listed.length > 0 ? `coalesce(${sql(node.operand)} IN (${listed.join(', ')}), false)` : 'false'
      return node.list.includes(null) ? `(${sql(node.operand)} IS NULL OR ${found})` : found
    },
    call: node => DUCKDB_FUNCTIONS[node.function]({ sql: node.arguments.map(sql), nodes: node.arguments, bind }),
  }

  const part = (node: Expression): string => {
    const text = sql(node)
    if (node.type === 'null') return "'null'"
    const written = isNumeric(node)
      ? numberText(text, bind)
      : node.type === 'boolean' || node.type === 'int64'
        ? `CAST(${text} AS VARCHAR)`
        : text
    return node.nullable ? `coalesce(${written}, 'null')` : `(${written})`
  }

  /** 32-bit integers, as JavaScript makes them of any number. */
  const bitwise = (operator: '|' | '&', a: string, b: string): string => {
    const unsigned = (value: string) =>
      bind(
        value,
        name =>
          `CAST(CASE WHEN isfinite(${name}) THEN (trunc(${name}) % 4294967296::DOUBLE + 4294967296::DOUBLE) % 4294967296::DOUBLE ELSE 0::DOUBLE END AS BIGINT)`,
      )
    return bind(
      `CAST(${unsigned(a)} ${operator} ${unsigned(b)} AS DOUBLE)`,
      name => `(CASE WHEN ${name} >= 2147483648::DOUBLE THEN ${name} - 4294967296::DOUBLE ELSE ${name} END)`,
    )
  }

  return sql(expression)
}

function wellFormedLiteral(text: string): string {
  if (!text.isWellFormed()) throw new NoSql('a text with half of a surrogate pair cannot be written in SQL')
  return textLiteral(text)
}

/** A constant text whose order against any other is the same by UTF-16 units and by code points. */
function isBelowSurrogates(node: Expression): boolean {
  return node.kind === 'literal' && typeof node.value === 'string' && !/[\ud800-\uffff]/.test(node.value)
}

const NEVER_NAN: ReadonlySet<FunctionName> = new Set<FunctionName>(['text.length', 'text.indexOf'])

function mayBeNaN(node: Expression): boolean {
  if (node.kind === 'literal') return Number.isNaN(node.value)
  if (node.kind === 'column') return node.type !== 'timestamp'
  return !(node.kind === 'call' && NEVER_NAN.has(node.function))
}
