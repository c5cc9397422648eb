/** What the journal does to state, said plainly: the newest bytes of each slot in a Map. */
import { StateReader, StateWriter } from '../../src/engine/state/bytes.ts'
import type { Stateful, StateTable } from '../../src/engine/state/table.ts'
import type { Random } from '../../src/system/random.ts'

type Slots = Map<number, Buffer>

export class PlainJournal {
  readonly #tables = new Map<string, Slots>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** Takes what changed, and holds the result against all that there is. */
  save(stateful: readonly Stateful[]): void {
    for (const { name, table } of tablesOf(stateful)) {
      const slots = this.#of(name)
      const changed = [...table.takeChanged()]
      if (new Set(changed).size < changed.length) throw new Error(`${name}: a slot changed twice`)
      for (const slot of changed) {
        if (slot < 0 || slot >= table.slots) throw new Error(`${name}: slot ${slot} of ${table.slots}`)
        const bytes = bytesOf(table, slot)
        if (bytes === null) slots.delete(slot)
        else slots.set(slot, bytes)
      }
    }
    this.compare(stateful, 'not marked')
  }

  /** Forgets what was saved and takes all slots, as a compaction does. */
  saveWhole(stateful: readonly Stateful[]): void {
    this.save(stateful)
    this.#tables.clear()
    for (const { name, table } of tablesOf(stateful)) {
      for (let slot = 0; slot < table.slots; slot++) {
        const bytes = bytesOf(table, slot)
        if (bytes !== null) this.#of(name).set(slot, bytes)
      }
    }
  }

  /** Reads the slots of each table in any order. */
  restore(stateful: readonly Stateful[]): void {
    for (const { name, table } of tablesOf(stateful)) {
      for (const [slot, bytes] of shuffled([...this.#of(name)], this.#random)) {
        const from = new StateReader(Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(3)]), 3)
        table.read(slot, from)
        if (from.position !== 3 + bytes.length) throw new Error(`${name}: other bytes read than written`)
      }
    }
    for (const one of stateful) one.restored()
    for (const { name, table } of tablesOf(stateful)) {
      if (table.takeChanged().length > 0) throw new Error(`${name}: changed by a restore`)
    }
    this.compare(stateful, 'not restored')
  }

  /** Throws unless all slots are as they were saved. */
  compare(stateful: readonly Stateful[], what: string): void {
    for (const { name, table } of tablesOf(stateful)) {
      const slots = this.#of(name)
      let found = 0
      for (let slot = 0; slot < table.slots; slot++) {
        const [now, saved] = [bytesOf(table, slot), slots.get(slot) ?? null]
        if (now !== null) found++
        if (now === null ? saved !== null : saved === null || !now.equals(saved)) {
          throw new Error(`${name}: slot ${slot} is ${what}`)
        }
      }
      if (found !== slots.size) throw new Error(`${name}: ${slots.size - found} slots are ${what}`)
    }
  }

  #of(name: string): Slots {
    const known = this.#tables.get(name)
    if (known) return known
    const slots: Slots = new Map()
    this.#tables.set(name, slots)
    return slots
  }
}

function tablesOf(stateful: readonly Stateful[]): { name: string; table: StateTable }[] {
  const all = stateful.flatMap(({ identity, tables }) =>
    tables.map(table => ({ name: `${identity} ${table.name}`, table })),
  )
  if (new Set(all.map(({ name }) => name)).size < all.length) throw new Error('two tables of one name')
  return all
}

function bytesOf(table: StateTable, slot: number): Buffer | null {
  const writer = new StateWriter()
  if (table.write(slot, writer)) return Buffer.from(writer.bytes)
  if (writer.length > 0) throw new Error('bytes of a free slot')
  return null
}

function shuffled<T>(list: T[], random: Random): T[] {
  for (let index = list.length - 1; index > 0; index--) {
    const other = random.integer(index + 1)
    const one = list[index]!
    list[index] = list[other]!
    list[other] = one
  }
  return list
}
