/**
 * For each group a list of panes in order of time, each pane a slot in the accumulators. Slots that lie below
 * `RESERVED_SLOTS` belong to no group; 0 is for rows that count nowhere.
 *
 * What a slot holds of a group is state that survives. Slots that were allocated for anything else, as merges of panes,
 * count as free there.
 */
import type { Accumulator } from '../aggregates/accumulator.ts'
import type { StateReader, StateWriter } from '../state/bytes.ts'
import { grown } from '../state/key-table.ts'
import { ChangedSlots } from '../state/table.ts'
import { panesInOrder } from './panes-in-order.ts'
import { type PartlyLate, PartlyLateRows } from './partly-late.ts'

export const NOWHERE = 0
export const NONE = 0
const RESERVED_SLOTS = 5
const NO_GROUP = -1

export class PaneLists {
  protected readonly accumulators: readonly Accumulator[]
  readonly #changed: ChangedSlots
  protected capacity = 1024
  #used = RESERVED_SLOTS
  #free: number[] = []
  /** By slot: which pane it is (NaN: partly late rows), its neighbours in the group's list, its group. */
  index = new Float64Array(1024)
  protected next = new Int32Array(1024)
  protected previous = new Int32Array(1024)
  #group = new Int32Array(1024).fill(NO_GROUP)
  /** By group: its panes, oldest and newest (most rows go there). */
  protected first = new Int32Array(1024)
  newest = new Int32Array(1024)
  protected readonly partlyLateRows = new PartlyLateRows()

  constructor(accumulators: readonly Accumulator[], changed = new ChangedSlots(false)) {
    this.accumulators = accumulators
    this.#changed = changed
    changed.ignore(NOWHERE)
    for (const accumulator of accumulators) {
      accumulator.grow(this.capacity)
      accumulator.clear(NOWHERE)
    }
  }

  ensureGroups(groups: number): void {
    const old = this.first.length
    if (groups <= old) return
    const length = Math.max(groups, old * 2)
    this.first = grown(this.first, new Int32Array(length))
    this.newest = grown(this.newest, new Int32Array(length))
  }

  /** Slots in use. */
  get size(): number {
    return this.#used - RESERVED_SLOTS - this.#free.length
  }

  /** Slots handed out so far, free ones included: all are below. */
  get slots(): number {
    return this.#used
  }

  isEmpty(group: number): boolean {
    return this.first[group] === NONE && !this.partlyLateRows.has(group)
  }

  /** The slot of a pane of a group, NONE (0) when the group has no such pane yet. */
  find(group: number, pane: number): number {
    let slot = this.newest[group]!
    while (slot !== NONE && this.index[slot]! > pane) slot = this.previous[slot]!
    return slot === NONE || this.index[slot] !== pane ? NONE : slot
  }

  /** Adds a pane that `find` did not know. */
  add(group: number, pane: number): number {
    const slot = this.#allocateFor(group, pane)
    let before = this.newest[group]!
    while (before !== NONE && this.index[before]! > pane) before = this.previous[before]!
    const after = before === NONE ? this.first[group]! : this.next[before]!
    this.previous[slot] = before
    this.next[slot] = after
    if (before === NONE) this.first[group] = slot
    else this.next[before] = slot
    if (after === NONE) this.newest[group] = slot
    else this.previous[after] = slot
    return slot
  }

  /** The slot for rows of a pane that count only in windows that end at `minimumEnd` or later. */
  partlyLate(group: number, pane: number, minimumEnd: number): number {
    const known = this.partlyLateRows.find(group, pane, minimumEnd)
    if (known) return known.slot
    const slot = this.#allocateFor(group, Number.NaN)
    this.partlyLateRows.add(group, { pane, minimumEnd, slot })
    return slot
  }

  partlyLateOf(group: number): readonly PartlyLate[] {
    return this.partlyLateRows.of(group)
  }

  /** The first pane of the group from `pane` on, NaN when there is none. */
  firstFrom(group: number, pane: number): number {
    const slot = this.firstSlotFrom(group, pane)
    return slot === NONE ? Number.NaN : this.index[slot]!
  }

  protected firstSlotFrom(group: number, pane: number): number {
    let slot = this.first[group]!
    while (slot !== NONE && this.index[slot]! < pane) slot = this.next[slot]!
    return slot
  }

  /** The last pane of the group before `pane`. */
  protected lastSlotBefore(group: number, pane: number): number {
    let slot = this.newest[group]!
    while (slot !== NONE && this.index[slot]! >= pane) slot = this.previous[slot]!
    return slot
  }

  /** Frees the panes before `pane` and the partly late rows in them. */
  dropBefore(group: number, pane: number): void {
    let slot = this.first[group]!
    while (slot !== NONE && this.index[slot]! < pane) {
      const next = this.next[slot]!
      this.#drop(slot)
      slot = next
    }
    this.first[group] = slot
    if (slot === NONE) this.newest[group] = NONE
    else this.previous[slot] = NONE
    for (const late of this.partlyLateRows.dropBefore(group, pane)) this.#drop(late)
  }

  /** Answers false, with nothing written, for a slot that holds no rows of a group. */
  write(slot: number, to: StateWriter): boolean {
    const group = this.#group[slot]!
    if (group === NO_GROUP) return false
    const pane = this.index[slot]!
    to.whole(group)
    to.number(pane)
    if (Number.isNaN(pane)) {
      const late = this.partlyLateRows.at(group, slot)
      to.number(late.pane)
      to.number(late.minimumEnd)
    }
    for (const accumulator of this.accumulators) accumulator.write(slot, to)
    return true
  }

  read(slot: number, from: StateReader): void {
    this.#reserve(slot)
    this.#used = Math.max(this.#used, slot + 1)
    const group = from.whole()
    const pane = from.number()
    this.#group[slot] = group
    this.index[slot] = pane
    if (Number.isNaN(pane)) {
      this.partlyLateRows.add(group, { pane: from.number(), minimumEnd: from.number(), slot })
    }
    for (const accumulator of this.accumulators) accumulator.read(slot, from)
  }

  /** Called once when all slots have been read, which belong to groups below `groups`. */
  restored(groups: number): void {
    this.ensureGroups(groups)
    for (let slot = this.#used - 1; slot >= RESERVED_SLOTS; slot--) {
      if (this.#group[slot] === NO_GROUP) this.#free.push(slot)
    }
    for (const slot of panesInOrder(this.#group, this.index, this.#used, groups)) {
      const group = this.#group[slot]!
      const before = this.newest[group]!
      this.previous[slot] = before
      if (before === NONE) this.first[group] = slot
      else this.next[before] = slot
      this.newest[group] = slot
    }
  }

  protected allocate(): number {
    const slot = this.#free.pop() ?? this.#used++
    this.#reserve(slot)
    this.clear(slot)
    return slot
  }

  protected release(slot: number): void {
    this.#free.push(slot)
  }

  protected clear(slot: number): void {
    for (const accumulator of this.accumulators) accumulator.clear(slot)
  }

  protected merge(into: number, from: number): void {
    for (const accumulator of this.accumulators) accumulator.merge(into, from)
  }

  #allocateFor(group: number, index: number): number {
    const slot = this.allocate()
    this.index[slot] = index
    this.#group[slot] = group
    this.#changed.mark(slot)
    return slot
  }

  #drop(slot: number): void {
    this.#group[slot] = NO_GROUP
    this.#changed.mark(slot)
    this.dropped(slot)
    this.release(slot)
  }

  /** Called for each slot that is freed. */
  protected dropped(_slot: number): void {}

  #reserve(slot: number): void {
    const old = this.capacity
    if (slot < old) return
    while (slot >= this.capacity) this.capacity *= 2
    this.index = grown(this.index, new Float64Array(this.capacity))
    this.next = grown(this.next, new Int32Array(this.capacity))
    this.previous = grown(this.previous, new Int32Array(this.capacity))
    this.#group = grown(this.#group, new Int32Array(this.capacity)).fill(NO_GROUP, old)
    for (const accumulator of this.accumulators) accumulator.grow(this.capacity)
  }
}
