/** The steps that look at one row at a time. */
import { DOUBLE_DIGITS } from '../../plan/exact.ts'
import { inexact } from '../../plan/expression/duckdb.ts'
import type { Lambda } from '../../plan/expression/lambda.ts'
import type { DeriveNode, ExplodeNode, FilterNode, ProjectNode, RequireNode } from '../../plan/nodes.ts'
import type { Column } from '../../plan/schema.ts'
import { sqlDecimal } from './aggregate.ts'
import { type Built, lambdaSql, last, nextStep, Refusal, refuseUnknown, unknownLambda } from './built.ts'
import { oddTexts } from './odd-texts.ts'
import { literal, quoted } from './text.ts'

export function filter(node: FilterNode, input: Built): Built {
  const { predicate } = node
  const unknown = unknownLambda(predicate, input)
  if (unknown !== null) throw new Refusal(unknown, predicate.location ?? node.location)
  const doubts = [...input.doubts, ...oddTexts(predicate, input)]
  return nextStep(input, `SELECT * FROM ${last(input)} WHERE ${lambdaSql(predicate, input.columns)} IS TRUE`, {
    doubts,
  })
}

export function requireColumns(node: RequireNode, input: Built): Built {
  refuseUnknown(node.required, input, node.location)
  const present = node.required.map(name => `${quoted(name)} IS NOT NULL`)
  const columns = input.columns.map(column =>
    node.required.includes(column.name) ? { ...column, nullable: false } : column,
  )
  return nextStep(input, `SELECT * FROM ${last(input)} WHERE ${present.join(' AND ')}`, { columns })
}

export function derive(node: DeriveNode, input: Built): Built {
  const derived = new Map(node.derived.map(({ name, lambda }) => [name, lambda]))
  const known = new Map(input.columns.map(column => [column.name, column]))
  const uncertain = new Set(input.columns.filter(column => !column.exact).map(column => column.name))
  const columns = node.columns.map(column => {
    const lambda = derived.get(column.name)
    if (lambda === undefined) return known.get(column.name)!
    const unknown = unknownLambda(lambda, input)
    // A text or a truth is compared as it is: it has no last digit.
    const exact = column.type !== 'number' || (isExact(lambda) && !lambda.reads.some(name => uncertain.has(name)))
    return { ...column, exact, unknown }
  })
  const selected = columns.map(column => {
    const lambda = derived.get(column.name)
    if (lambda === undefined) return quoted(column.name)
    if (column.unknown !== null) return `NULL AS ${quoted(column.name)}`
    const sql = lambdaSql(lambda, input.columns)
    return `${column.type === 'int64' ? `TRY_CAST(${sql} AS BIGINT)` : sql} AS ${quoted(column.name)}`
  })
  // A row with a result beyond 64 bits is refused.
  const fits = columns.flatMap(({ name, type, unknown }) => {
    const lambda = derived.get(name)
    if (type !== 'int64' || unknown !== null || lambda === undefined) return []
    const sql = lambdaSql(lambda, input.columns)
    return [`(${sql} IS NULL OR TRY_CAST(${sql} AS BIGINT) IS NOT NULL)`]
  })
  const where = fits.length === 0 ? '' : ` WHERE ${fits.join(' AND ')}`
  const doubts = node.derived.flatMap(({ name, lambda }) => {
    return columns.find(column => column.name === name)?.unknown === null ? oddTexts(lambda, input) : []
  })
  return nextStep(input, `SELECT ${[...selected, ...input.hidden].join(', ')} FROM ${last(input)}${where}`, {
    columns,
    doubts: [...input.doubts, ...doubts],
  })
}

const isExact = ({ expression }: Lambda) => expression !== null && inexact(expression).length === 0

export function project(node: ProjectNode, input: Built): Built {
  const known = new Map(input.columns.map(column => [column.name, column]))
  const selected = node.projected.map(({ name, from }) => `${quoted(from)} AS ${quoted(name)}`)
  const renamed = (from: string) => node.projected.find(column => column.from === from)?.name ?? ''
  const { window } = input
  return nextStep(input, `SELECT ${[...selected, ...input.hidden].join(', ')} FROM ${last(input)}`, {
    columns: node.projected.map(({ name, from }) => ({ ...known.get(from)!, name })),
    window: window && {
      ...window,
      identity: new Map([...window.identity].map(([key, name]) => [key, name === '' ? '' : renamed(name)])),
    },
  })
}

export function explode(node: ExplodeNode, input: Built): Built {
  refuseUnknown([node.array], input, node.location)
  const array = input.columns.find(column => column.name === node.array)
  const element = array?.element ?? []
  const index = `"#element${input.order.length}"`
  const others = node.columns.filter(column => !element.some(({ name }) => name === column.name))
  const columns = [
    ...others.map(column => input.columns.find(({ name }) => name === column.name)!),
    ...element.map(column => ({ ...column, exact: true, unknown: unknownElement(column) })),
  ]
  const list = `from_json(${quoted(node.array)}, '["JSON"]')`
  const rows = `SELECT *, unnest(${list}) AS "#value", unnest(range(len(${list}))) AS ${index} FROM ${last(input)}`
  const selected = [...others.map(column => quoted(column.name)), ...element.map(elementSql)]
  const hidden = [...input.hidden, index]
  return nextStep(input, `SELECT ${[...selected, ...hidden].join(', ')} FROM (${rows})`, {
    columns,
    hidden,
    order: [...input.order, index],
    window: null,
  })
}

/** DuckDB takes the numbers inside json for doubles. */
const unknownElement = ({ decimal, type }: Column) =>
  type === 'decimal' && decimal!.precision > DOUBLE_DIGITS
    ? `DuckDB reads decimals of more than ${DOUBLE_DIGITS} digits in arrays as doubles`
    : null

function elementSql(column: Column): string {
  const path = `$${column.name
    .split('.')
    .map(key => `.${JSON.stringify(key)}`)
    .join('')}`
  const value = `json_extract("#value", ${literal(path)})`
  const decimal = column.type === 'decimal' ? sqlDecimal(column) : ''
  const cell = {
    number: `${value}::DOUBLE`,
    int64: `json_extract_string("#value", ${literal(path)})::BIGINT`,
    decimal: unknownElement(column) === null ? `${value}::${decimal}` : 'NULL',
    boolean: `${value}::BOOLEAN`,
    text: `json_extract_string("#value", ${literal(path)})`,
    timestamp: `${value}::DOUBLE`,
    json: value,
  }[column.type]
  return `${cell} AS ${quoted(column.name)}`
}
