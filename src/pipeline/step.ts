/** What the builders of all steps use. */
import type { StreamKind, StreamNode } from '../plan/nodes.ts'
import type { Column, ColumnType, Location } from '../plan/schema.ts'
import { columnNamed, refusal } from './refuse.ts'

/** Types that have an order and can be keys. */
export const COMPARABLE: readonly ColumnType[] = ['number', 'int64', 'decimal', 'text', 'boolean', 'timestamp']

export const ALL: readonly ColumnType[] = [...COMPARABLE, 'json']

/** Types that can be added up. */
export const NUMERIC: readonly ColumnType[] = ['number', 'int64', 'decimal']

export const APPEND: StreamKind = Object.freeze({ kind: 'append' })

/** Identities are given when the pipeline is complete; a name given by `.named()` stands here before. */
export const base = (columns: readonly Column[], stream: StreamKind, location: Location | null) => ({
  columns: Object.freeze([...columns]),
  stream,
  identity: '',
  location,
})

/** The column, for a step that must know its type: an opaque lambda hides it. */
export function typedColumn(
  input: StreamNode,
  name: string,
  step: string,
  location: Location | null,
  types?: readonly ColumnType[],
): Column {
  if (types !== undefined && isOpaque(input, name)) {
    const message = `${step}: the type of '${name}' is not known, because its lambda could not be read`
    const next = `Say it in the lambda: Number(...), String(...) or Boolean(...) around its result.`
    throw refusal('COLUMN_TYPE', message, location, next)
  }
  return columnNamed(input.columns, name, step, location, types)
}

function isOpaque(input: StreamNode, name: string): boolean {
  for (
    let node = input;
    node.kind === 'filter' || node.kind === 'require' || node.kind === 'derive';
    node = node.input
  ) {
    const lambda = node.kind === 'derive' && node.derived.find(derived => derived.name === name)?.lambda
    if (lambda) return lambda.expression === null && lambda.result.type === 'json'
  }
  return false
}
