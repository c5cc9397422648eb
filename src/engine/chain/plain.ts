/** The chain without any of its tricks: the user's lambdas, called row by row. The fused loop must give the same. */

import type { Lambda } from '../../plan/expression/lambda.ts'
import type { Column } from '../../plan/schema.ts'
import type { StatelessNode } from '../steps.ts'
import { callerOf, rowSource } from './row.ts'

/** A flat row: a property a column, null for null. */
export type PlainRow = Record<string, unknown>

export function plainChain(
  steps: readonly StatelessNode[],
  input: readonly Column[],
): (rows: readonly PlainRow[]) => PlainRow[] {
  const stages: ((rows: readonly PlainRow[]) => PlainRow[])[] = []
  let columns = input
  for (const step of steps) {
    stages.push(stageOf(step, columns))
    columns = step.columns
  }
  return rows => stages.reduce((current, stage) => stage(current), [...rows])
}

function stageOf(step: StatelessNode, columns: readonly Column[]): (rows: readonly PlainRow[]) => PlainRow[] {
  switch (step.kind) {
    case 'filter': {
      const keeps = onRow(step.predicate, columns, '`filter`')
      return rows => rows.filter(row => keeps(row))
    }
    case 'require':
      return rows => rows.filter(row => step.required.every(name => row[name] !== null))
    case 'derive': {
      const derived = step.derived.map(({ name, lambda }) => [name, onRow(lambda, columns, `\`${name}\``)] as const)
      return rows =>
        rows.map(row => {
          const values = new Map(derived.map(([name, run]) => [name, wellFormed(run(row))]))
          return pick(step.columns, name => (values.has(name) ? values.get(name) : row[name]))
        })
    }
    case 'project': {
      const from = new Map(step.projected.map(each => [each.name, each.from]))
      return rows => rows.map(row => pick(step.columns, name => row[from.get(name)!]))
    }
  }
}

/** A lambda that cuts a text inside a character leaves half of one: U+FFFD stands in its place. */
function wellFormed(value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value
}

function pick(columns: readonly Column[], value: (name: string) => unknown): PlainRow {
  const row: PlainRow = Object.create(null)
  for (const { name } of columns) row[name] = value(name)
  return row
}

function onRow(lambda: Lambda, columns: readonly Column[], subject: string): (row: PlainRow) => unknown {
  const run = callerOf(lambda, subject)
  const index = new Map(columns.map(({ name }, position) => [name, position]))
  const nest = new Function(
    'cells',
    `'use strict'; return ${rowSource(columns, lambda, name => `cells[${index.get(name)}]`)}`,
  )
  return row => run(nest(columns.map(({ name }) => row[name])))
}
