/**
 * Drops rows whose key was seen shortly before.
 *
 * A row is dropped when the last kept row of its key is at most `within` of event time away and still remembered, that
 * is, when the row's own frontier is not beyond that time. Both are functions of the log, so that forgetting a key never
 * changes an answer: memory goes when the watermark is beyond the same time.
 */
import type { DedupeNode } from '../../plan/nodes.ts'
import type { Column } from '../../plan/schema.ts'
import type { Batch } from '../batch.ts'
import { KeyResolver } from '../state/key-resolver.ts'
import { grown } from '../state/key-table.ts'
import { ChangedSlots, numberTable, type Stateful, stateTable } from '../state/table.ts'
import { noCounts, type StepCounts } from '../step-counts.ts'
import type { Times, Watermark } from '../times.ts'
import { pick } from './pick.ts'
import { awaits, type Stage } from './stage.ts'

export interface DedupeOptions {
  /** Whether the key that rows are told apart by holds the topic's key, whose own time then decides. */
  readonly progress: 'partition' | 'key'
  /** What becomes of rows is counted here. */
  readonly counts?: StepCounts
  /** Whether somebody will ask what changed. Default false. */
  readonly keepsState?: boolean
}

export class DedupeOperator implements Stage {
  readonly stateful: Stateful
  readonly #within: number
  readonly #isByKey: boolean
  readonly #counts: StepCounts
  readonly #keyIndexes: readonly number[]
  readonly #keys: KeyResolver
  readonly #downstream: Stage
  #kept = new Float64Array(1024).fill(Number.NaN)
  #swept = Number.NEGATIVE_INFINITY
  readonly #changed: { readonly kept: ChangedSlots; readonly swept: ChangedSlots }

  constructor(node: DedupeNode, input: readonly Column[], downstream: Stage, options: DedupeOptions) {
    const { progress, counts = noCounts(), keepsState = false } = options
    this.#counts = counts
    this.#isByKey = progress === 'key'
    this.#within = node.within_us
    this.#keyIndexes = node.key.map(name => input.findIndex(column => column.name === name))
    const keyColumns = this.#keyIndexes.map(index => input[index]!)
    this.#keys = new KeyResolver(keyColumns, keepsState)
    this.#changed = { kept: new ChangedSlots(keepsState), swept: new ChangedSlots(keepsState) }
    this.#downstream = downstream
    this.stateful = this.#statefulAs(node.identity)
  }

  push(batch: Batch, times: Times): void {
    const slots = this.#keys.resolve(
      this.#keyIndexes.map(index => batch.data[index]!),
      batch.length,
    )
    this.#ensure(this.#keys.capacity)
    const frontier = this.#isByKey ? times.frontier : times.joint
    const rows = new Int32Array(batch.length)
    let count = 0
    for (let row = 0; row < batch.length; row++) {
      const source = batch.origin === null ? row : batch.origin[row]!
      const slot = slots[row]!
      const kept = this.#kept[slot]!
      const time = times.time[source]!
      // A key that was never seen holds NaN, with which every comparison is false.
      if (Math.abs(time - kept) <= this.#within && frontier[source]! <= kept + this.#within) continue
      this.#kept[slot] = time
      this.#changed.kept.mark(slot)
      rows[count++] = row
    }
    this.#counts.in += batch.length
    this.#counts.repeats += batch.length - count
    this.#downstream.push(count === batch.length ? batch : pick(batch, rows.subarray(0, count)), times)
  }

  advance(watermark: Watermark): void {
    if (watermark.key === null && watermark.close > this.#swept + this.#within) {
      this.#swept = watermark.close
      this.#changed.swept.mark(0)
      for (let slot = 0; slot < this.#keys.capacity; slot++) {
        if (!(this.#kept[slot]! + this.#within < watermark.close)) continue
        this.#kept[slot] = Number.NaN
        this.#changed.kept.mark(slot)
        this.#keys.release(slot)
      }
    }
    this.#downstream.advance(watermark)
  }

  awaits(key: number, emit: number): boolean {
    return awaits(this.#downstream, key, emit)
  }

  end(): void {
    this.#downstream.end()
  }

  #ensure(slots: number): void {
    const old = this.#kept.length
    if (slots > old) this.#kept = grown(this.#kept, new Float64Array(slots * 2)).fill(Number.NaN, old)
  }

  #statefulAs(identity: string): Stateful {
    const kept = stateTable('kept', this.#changed.kept, {
      slots: () => this.#keys.capacity,
      write: (slot, to) => {
        const time = this.#kept[slot]!
        if (Number.isNaN(time)) return false
        to.number(time)
        return true
      },
      read: (slot, from) => {
        this.#ensure(slot + 1)
        this.#kept[slot] = from.number()
      },
    })
    const swept = numberTable('swept', this.#changed.swept, {
      get: () => this.#swept,
      set: value => {
        this.#swept = value
      },
    })
    return { identity, tables: [this.#keys.table('keys'), kept, swept], restored: () => this.#keys.restored() }
  }
}
