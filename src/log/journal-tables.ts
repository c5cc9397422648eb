/**
 * The tables that a journal keeps, and which of its records they still need.
 *
 * A table is ranges of slots. Of each range is known the oldest record that it needs: the one that told it as a whole
 * last, or else the first that told something of it. Telling a range again as a whole therefore lets older records go.
 * Ranges are told again in turn, about as many bytes of them as an epoch changed, and only those that hold back a segment
 * which could go: a journal has about two to three times the length of the state, and no epoch writes all of it again.
 */
import type { Stateful, StateTable } from '../engine/state/table.ts'
import { MillraceError } from '../system/errors.ts'
import type { EpochWriter } from './journal-record.ts'

export const RANGE_SLOTS = 1024
export interface JournalTable {
  readonly key: string
  readonly table: StateTable
  /** By range: offset of the oldest record that is needed for it. */
  readonly needed: (number | undefined)[]
}

export class JournalTables {
  readonly #rangeSlots: number
  readonly #byKey = new Map<string, JournalTable>()
  #all: JournalTable[] = []
  #turn = { table: 0, range: 0 }
  /** Bytes that may be told again; below 0 after a range that was longer than what an epoch changed. */
  #credit = 0

  constructor(rangeSlots: number) {
    this.#rangeSlots = rangeSlots
  }

  get keys(): string[] {
    return [...this.#byKey.keys()]
  }

  /** The table of a key, or null when there is none. */
  of(key: string): JournalTable | null {
    return this.#byKey.get(key) ?? null
  }

  /** Takes the tables over, in their order. Throws INTERNAL when two have the same name. */
  use(stateful: readonly Stateful[]): readonly JournalTable[] {
    const all: JournalTable[] = []
    for (const { identity, tables } of stateful) {
      for (const table of tables) {
        const key = `${identity}\0${table.name}`
        const known = this.#byKey.get(key)
        const entry = known?.table === table ? known : { key, table, needed: known?.needed ?? [] }
        this.#byKey.set(key, entry)
        all.push(entry)
      }
    }
    if (new Set(all.map(({ key }) => key)).size < all.length) {
      throw new MillraceError('INTERNAL', 'Two tables of state have the same name.')
    }
    if (this.#turn.table >= all.length) this.#turn = { table: 0, range: 0 }
    this.#all = all
    return all
  }

  /** Slots are told in the record at `offset`. */
  noteSlots({ needed }: JournalTable, slots: Int32Array, offset: number): void {
    for (const slot of slots) needed[Math.floor(slot / this.#rangeSlots)] ??= offset
  }

  /** What was read told these slots as a whole; what was read earlier is newer. */
  noteRead({ needed }: JournalTable, first: number, span: number, offset: number): void {
    const end = Math.floor((first + span) / this.#rangeSlots)
    for (let range = Math.ceil(first / this.#rangeSlots); range < end; range++) needed[range] ??= offset
  }

  /** All that no record told as a whole may need those from `offset` on. */
  noteRest({ table, needed }: JournalTable, offset: number): void {
    for (let range = 0; range * this.#rangeSlots < table.slots; range++) needed[range] ??= offset
  }

  /** Tells ranges again that need records before `keptFrom`, for about so many bytes. */
  tellAgain(to: EpochWriter, bytes: number, offset: number, keptFrom: number): void {
    this.#credit += bytes
    let turns = this.#all.reduce((sum, { table }) => sum + Math.max(1, Math.ceil(table.slots / this.#rangeSlots)), 0)
    for (; this.#credit > 0 && turns > 0; turns--) {
      const { key, table, needed } = this.#all[this.#turn.table]!
      const { range } = this.#turn
      const first = range * this.#rangeSlots
      if (first < table.slots && (needed[range] ?? offset) < keptFrom) {
        const before = to.length
        to.range(key, table, first, this.#rangeSlots)
        needed[range] = offset
        this.#credit -= to.length - before
      }
      this.#goOn()
    }
    // What found nothing to tell again is not saved up: no later epoch pays for it at once.
    this.#credit = Math.min(this.#credit, 0)
  }

  /** The oldest record that is needed, that at `offset` when there is none before it. */
  oldestNeeded(offset: number): number {
    let oldest = offset
    for (const { table, needed } of this.#all) {
      for (let range = 0; range * this.#rangeSlots < table.slots; range++) {
        const at = needed[range]
        if (at !== undefined && at < oldest) oldest = at
      }
    }
    return oldest
  }

  #goOn(): void {
    const { table, range } = this.#turn
    const isLast = (range + 1) * this.#rangeSlots >= this.#all[table]!.table.slots
    this.#turn = isLast ? { table: (table + 1) % this.#all.length, range: 0 } : { table, range: range + 1 }
  }
}
