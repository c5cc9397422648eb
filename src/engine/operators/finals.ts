/** Lets through the last word on each window only, without the columns that told the revisions apart. */
import type { FinalsNode } from '../../plan/nodes.ts'
import type { Column } from '../../plan/schema.ts'
import type { Batch, ColumnData } from '../batch.ts'
import type { Times, Watermark } from '../times.ts'
import { pick } from './pick.ts'
import { awaits, type Stage } from './stage.ts'

export class FinalsOperator implements Stage {
  readonly #isFinal: number
  readonly #columns: readonly Column[]
  readonly #from: readonly number[]
  readonly #downstream: Stage

  constructor(node: FinalsNode, input: readonly Column[], downstream: Stage) {
    this.#isFinal = input.findIndex(column => column.name === 'is_final')
    this.#columns = node.columns
    this.#from = node.columns.map(column => input.findIndex(candidate => candidate.name === column.name))
    this.#downstream = downstream
  }

  push(batch: Batch, times: Times): void {
    const { values } = batch.data[this.#isFinal] as Extract<ColumnData, { type: 'boolean' }>
    const rows = new Int32Array(batch.length)
    let count = 0
    for (let row = 0; row < batch.length; row++) if (values[row] === 1) rows[count++] = row
    const finals = pick(batch, rows.subarray(0, count))
    const data = this.#from.map(index => finals.data[index] ?? null)
    this.#downstream.push({ ...finals, columns: this.#columns, data }, times)
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
