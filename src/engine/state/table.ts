/**
 * State that survives: what an operator owes an epoch.
 *
 * All state is tables of slots: small whole numbers, each with some bytes that say all there is to know of it. An epoch
 * writes the slots that changed; a start reads for each slot the newest bytes, into an operator that has just been made.
 * Slots keep their numbers across a restart. What can be computed from the rest (free lists, merges, caches) is not
 * written.
 */
import { MillraceError } from '../../system/errors.ts'
import type { StateReader, StateWriter } from './bytes.ts'

export interface StateTable {
  /** Stable and unique within its operator. */
  readonly name: string
  /** Slots handed out so far, free ones included; all slots are below. */
  readonly slots: number
  /** The slots that changed since the last call, those that were freed among them, each once, in any order. */
  takeChanged(): Int32Array
  /** Has these slots be among those that changed. */
  touch(slots: Int32Array): void
  /** Writes all there is to know of a slot; answers false, with nothing written, when it is free. */
  write(slot: number, to: StateWriter): boolean
  /** Takes what `write` wrote, in any order of slots, before any row comes. */
  read(slot: number, from: StateReader): void
}

/** An operator, or what keeps its time, with state. */
export interface Stateful {
  /** The step's identity in the plan, unique among all that have state in a pipeline. */
  readonly identity: string
  /** In the order in which they are read. */
  readonly tables: readonly StateTable[]
  /** Called once when all slots have been read: what can be computed from them is computed now. */
  restored(): void
}

/** A table of the given name over what a class keeps in its own arrays. */
export function stateTable(
  name: string,
  changed: ChangedSlots,
  kept: { readonly slots: () => number } & Pick<StateTable, 'write' | 'read'>,
): StateTable {
  return {
    name,
    get slots() {
      return kept.slots()
    },
    takeChanged: () => changed.take(),
    touch: slots => changed.markRows(slots, 0, slots.length),
    write: (slot, to) => slot < kept.slots() && kept.write(slot, to),
    read: kept.read,
  }
}

/** A table of one number, which is written once it is more than -Infinity. */
export function numberTable(
  name: string,
  changed: ChangedSlots,
  kept: { readonly get: () => number; readonly set: (value: number) => void },
): StateTable {
  return stateTable(name, changed, {
    slots: () => 1,
    write: (_, to) => {
      const value = kept.get()
      if (value === Number.NEGATIVE_INFINITY) return false
      to.number(value)
      return true
    },
    read: (_, from) => kept.set(from.number()),
  })
}

/**
 * Collects slots that changed: marking one again costs a look at an array. Where state is not kept nobody asks for them,
 * and nothing is collected.
 */
export class ChangedSlots {
  #isAsked: boolean
  #marks = new Uint8Array(1024)
  #slots = new Int32Array(256)
  #count = 0

  constructor(isAsked = true) {
    this.#isAsked = isAsked
  }

  /** From now on somebody will ask. */
  ask(): void {
    this.#isAsked = true
  }

  mark(slot: number): void {
    if (!this.#isAsked) return
    if (slot >= this.#marks.length) this.#grow(slot)
    if (this.#marks[slot] !== 0) return
    this.#marks[slot] = 1
    if (this.#count === this.#slots.length) {
      const larger = new Int32Array(this.#count * 2)
      larger.set(this.#slots)
      this.#slots = larger
    }
    this.#slots[this.#count++] = slot
  }

  /** Plain form: mark(slots[row]) for each row in [from, to). */
  markRows(slots: Int32Array, from: number, to: number): void {
    if (!this.#isAsked) return
    let marks = this.#marks
    for (let row = from; row < to; row++) {
      const slot = slots[row]!
      if (marks[slot] === 1) continue
      this.mark(slot)
      marks = this.#marks
    }
  }

  /** Has a slot never be among those that changed, whoever marks it. */
  ignore(slot: number): void {
    if (slot >= this.#marks.length) this.#grow(slot)
    this.#marks[slot] = 1
  }

  /** The slots marked since the last call; lent until the next mark. Throws INTERNAL where nobody was to ask. */
  take(): Int32Array {
    if (!this.#isAsked) throw new MillraceError('INTERNAL', 'Changes were asked of state that is not kept')
    const taken = this.#slots.subarray(0, this.#count)
    for (const slot of taken) this.#marks[slot] = 0
    this.#count = 0
    return taken
  }

  #grow(slot: number): void {
    const larger = new Uint8Array(Math.max(slot + 1, this.#marks.length * 2))
    larger.set(this.#marks)
    this.#marks = larger
  }
}
