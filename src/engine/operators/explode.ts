/** Makes a row of each element of an array column: the other columns, then the element's own. An empty array makes none. */
import { exactJson } from '../../plan/json-text.ts'
import type { ExplodeNode } from '../../plan/nodes.ts'
import type { Column } from '../../plan/schema.ts'
import { type Batch, type ColumnData, columnOf } from '../batch.ts'
import type { Times, Watermark } from '../times.ts'
import { pickColumn } from './pick.ts'
import { awaits, type Stage } from './stage.ts'

export class ExplodeOperator implements Stage {
  readonly #array: number
  /** For each column out: the column of the envelope, or the path inside the element. */
  readonly #from: readonly ({ readonly index: number } | { readonly path: readonly string[] })[]
  readonly #columns: readonly Column[]
  readonly #downstream: Stage

  constructor(node: ExplodeNode, input: readonly Column[], downstream: Stage) {
    this.#array = input.findIndex(column => column.name === node.array)
    const elements = new Set((input[this.#array]!.element ?? []).map(column => column.name))
    this.#columns = node.columns
    this.#from = node.columns.map(column =>
      elements.has(column.name)
        ? { path: column.name.split('.') }
        : { index: input.findIndex(candidate => candidate.name === column.name) },
    )
    this.#downstream = downstream
  }

  push(batch: Batch, times: Times): void {
    const arrays = batch.data[this.#array] as Extract<ColumnData, { type: 'json' }>
    const rows: number[] = []
    const elements: unknown[] = []
    for (let row = 0; row < batch.length; row++) {
      for (const element of (exactJson(arrays.values[row]) as unknown[] | null) ?? []) {
        rows.push(row)
        elements.push(element)
      }
    }
    const from = Int32Array.from(rows)
    const data = this.#columns.map((column, position): ColumnData | null => {
      const source = this.#from[position]!
      if ('index' in source) {
        const cells = batch.data[source.index] ?? null
        return cells && pickColumn(cells, from)
      }
      return columnOf(
        column,
        elements.map(element => at(element, source.path)),
      )
    })
    const origin = batch.origin === null ? from : from.map(row => batch.origin![row]!)
    this.#downstream.push({ length: rows.length, columns: this.#columns, data, origin }, times)
  }

  advance(watermark: Watermark): void {
    this.#downstream.advance(watermark)
  }

  awaits(key: number, emit: number): boolean {
    return awaits(this.#downstream, key, emit)
  }

  end(): void {
    this.#downstream.end()
  }
}

function at(element: unknown, path: readonly string[]): unknown {
  let value = element
  for (const key of path) {
    if (value === null || typeof value !== 'object') return null
    value = (value as Record<string, unknown>)[key]
  }
  return value ?? null
}
