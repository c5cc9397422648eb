/**
 * The state of windows: for each group a list of panes in order of time, each pane a slot in the accumulators.
 *
 * Panes are as long as the greatest common divisor of a window's size and step, so each window is a run of whole panes.
 * Long runs are merged by two stacks: `suffix` slots hold the merge of a pane and all panes after it up to a boundary, one
 * `back` slot a group holds the merge of the panes from the boundary on; a window is the merge of one suffix and the back.
 *
 * Slot 0 belongs to rows that count nowhere, slot 1 to the result being put together.
 */
import type { Accumulator } from '../aggregates/accumulator.ts'
import { grown } from '../state/key-table.ts'

export const NOWHERE = 0
const RESULT = 1
const NONE = 0
/** With fewer panes in a window, merging them one by one is as cheap. */
const STACK_PANES_MIN = 4

/** Rows that are late for the first windows of their pane: they count from the window that ends at `minimumEnd` on. */
export interface PartlyLate {
  readonly pane: number
  readonly minimumEnd: number
  readonly slot: number
}

export class Panes {
  readonly #accumulators: readonly Accumulator[]
  readonly #stacked: boolean
  #capacity = 1024
  #used = 2
  #free: number[] = []
  /** By slot: which pane it is, its neighbours in the group's list, its suffix slot. */
  index = new Float64Array(1024)
  #next = new Int32Array(1024)
  #previous = new Int32Array(1024)
  #suffix = new Int32Array(1024)
  /** By group. */
  #first = new Int32Array(1024)
  #last = new Int32Array(1024)
  current = new Int32Array(1024)
  #boundary = new Float64Array(1024).fill(Number.NEGATIVE_INFINITY)
  #merged = new Float64Array(1024).fill(Number.NEGATIVE_INFINITY)
  #back = new Int32Array(1024)
  readonly #partlyLate = new Map<number, PartlyLate[]>()

  constructor(accumulators: readonly Accumulator[], panesOfWindow: number) {
    this.#accumulators = accumulators
    this.#stacked = panesOfWindow >= STACK_PANES_MIN && accumulators.every(accumulator => accumulator.isSmall)
    for (const accumulator of accumulators) {
      accumulator.grow(this.#capacity)
      accumulator.clear(NOWHERE)
    }
  }

  ensureGroups(groups: number): void {
    const old = this.#first.length
    if (groups <= old) return
    const length = Math.max(groups, old * 2)
    this.#first = grown(this.#first, new Int32Array(length))
    this.#last = grown(this.#last, new Int32Array(length))
    this.current = grown(this.current, new Int32Array(length))
    this.#boundary = grown(this.#boundary, new Float64Array(length)).fill(Number.NEGATIVE_INFINITY, old)
    this.#merged = grown(this.#merged, new Float64Array(length)).fill(Number.NEGATIVE_INFINITY, old)
    this.#back = grown(this.#back, new Int32Array(length))
  }

  /** Slots in use. */
  get size(): number {
    return this.#used - 2 - this.#free.length
  }

  isEmpty(group: number): boolean {
    return this.#first[group] === NONE && !this.#partlyLate.has(group)
  }

  /** The slot of a pane of a group, NONE (0) when the group has no such pane yet. */
  find(group: number, pane: number): number {
    let slot = this.#last[group]!
    while (slot !== NONE && this.index[slot]! > pane) slot = this.#previous[slot]!
    if (slot === NONE || this.index[slot] !== pane) return NONE
    this.#stayAtNewest(group, slot)
    return slot
  }

  /** Adds a pane that `find` did not know. */
  add(group: number, pane: number): number {
    const slot = this.#allocate()
    this.index[slot] = pane
    let before = this.#last[group]!
    while (before !== NONE && this.index[before]! > pane) before = this.#previous[before]!
    const after = before === NONE ? this.#first[group]! : this.#next[before]!
    this.#previous[slot] = before
    this.#next[slot] = after
    if (before === NONE) this.#first[group] = slot
    else this.#next[before] = slot
    if (after === NONE) this.#last[group] = slot
    else this.#previous[after] = slot
    this.#stayAtNewest(group, slot)
    return slot
  }

  /** A late row must not take the group's current pane away from the rows that follow it. */
  #stayAtNewest(group: number, slot: number): void {
    const current = this.current[group]!
    if (current === NONE || this.index[slot]! > this.index[current]!) this.current[group] = slot
  }

  /** Says that rows go to a pane that may have been merged already. */
  touch(group: number, pane: number): void {
    if (pane <= this.#merged[group]!) this.#boundary[group] = Number.NEGATIVE_INFINITY
  }

  /** The slot for rows of a pane that count only in windows that end at `minimumEnd` or later. */
  partlyLate(group: number, pane: number, minimumEnd: number): number {
    let entries = this.#partlyLate.get(group)
    if (!entries) {
      entries = []
      this.#partlyLate.set(group, entries)
    }
    const known = entries.find(entry => entry.pane === pane && entry.minimumEnd === minimumEnd)
    if (known) return known.slot
    const slot = this.#allocate()
    entries.push({ pane, minimumEnd, slot })
    return slot
  }

  partlyLateOf(group: number): readonly PartlyLate[] {
    return this.#partlyLate.get(group) ?? []
  }

  /** The first pane of the group from `pane` on, NaN when there is none. */
  firstFrom(group: number, pane: number): number {
    let slot = this.#first[group]!
    while (slot !== NONE && this.index[slot]! < pane) slot = this.#next[slot]!
    return slot === NONE ? Number.NaN : this.index[slot]!
  }

  /** Merges the panes [from, to) of a group, with the partly late rows of the window that ends at `end`; NONE: no row. */
  window(group: number, from: number, to: number, end: number): number {
    const late = this.#partlyLate.get(group)
    // The stacks only go forward; the last word on an earlier window is put together from its panes.
    if (late === undefined && this.#stacked && to > this.#merged[group]!) return this.#byStacks(group, from, to)
    let slot = this.#first[group]!
    while (slot !== NONE && this.index[slot]! < from) slot = this.#next[slot]!
    if (late === undefined) {
      if (slot === NONE || this.index[slot]! >= to) return NONE
      const following = this.#next[slot]!
      if (following === NONE || this.index[following]! >= to) return slot
    }
    this.#clear(RESULT)
    let found = false
    for (; slot !== NONE && this.index[slot]! < to; slot = this.#next[slot]!) {
      this.#merge(RESULT, slot)
      found = true
    }
    for (const entry of late ?? []) {
      if (entry.pane < from || entry.pane >= to || entry.minimumEnd > end) continue
      this.#merge(RESULT, entry.slot)
      found = true
    }
    return found ? RESULT : NONE
  }

  #byStacks(group: number, from: number, to: number): number {
    if (this.#back[group] === NONE) this.#back[group] = this.#allocate()
    const back = this.#back[group]!
    if (from >= this.#boundary[group]! || this.#boundary[group] === Number.NEGATIVE_INFINITY) {
      // The front is used up: all panes of this window become the new front, each with the merge from it to the end.
      let slot = this.#last[group]!
      while (slot !== NONE && this.index[slot]! >= to) slot = this.#previous[slot]!
      let later = NONE
      for (; slot !== NONE && this.index[slot]! >= from; slot = this.#previous[slot]!) {
        if (this.#suffix[slot] === NONE) {
          const suffix = this.#allocate()
          this.#suffix[slot] = suffix
        }
        const suffix = this.#suffix[slot]!
        this.#clear(suffix)
        this.#merge(suffix, slot)
        if (later !== NONE) this.#merge(suffix, later)
        later = suffix
      }
      this.#clear(back)
      this.#boundary[group] = to
      this.#merged[group] = to - 1
      return later
    }
    const start = Math.max(this.#boundary[group]!, this.#merged[group]! + 1)
    let slot = this.#last[group]!
    while (slot !== NONE && this.index[slot]! >= start) {
      if (this.index[slot]! < to) this.#merge(back, slot)
      slot = this.#previous[slot]!
    }
    this.#merged[group] = Math.max(this.#merged[group]!, to - 1)
    let front = this.#first[group]!
    while (front !== NONE && this.index[front]! < from) front = this.#next[front]!
    if (front === NONE || this.index[front]! >= to) return NONE
    if (this.index[front]! >= this.#boundary[group]!) return back
    this.#clear(RESULT)
    this.#merge(RESULT, this.#suffix[front]!)
    this.#merge(RESULT, back)
    return RESULT
  }

  /** Frees the panes before `pane` and the partly late rows in them. */
  dropBefore(group: number, pane: number): void {
    let slot = this.#first[group]!
    while (slot !== NONE && this.index[slot]! < pane) {
      const next = this.#next[slot]!
      if (this.#suffix[slot] !== NONE) this.#free.push(this.#suffix[slot]!)
      this.#suffix[slot] = NONE
      this.#free.push(slot)
      if (this.current[group] === slot) this.current[group] = NONE
      slot = next
    }
    this.#first[group] = slot
    if (slot === NONE) this.#last[group] = NONE
    else this.#previous[slot] = NONE
    const late = this.#partlyLate.get(group)
    if (!late) return
    const kept = late.filter(entry => entry.pane >= pane)
    for (const entry of late) if (entry.pane < pane) this.#free.push(entry.slot)
    if (kept.length > 0) this.#partlyLate.set(group, kept)
    else this.#partlyLate.delete(group)
  }

  /** Gives back what an empty group still holds. */
  releaseGroup(group: number): void {
    if (this.#back[group] !== NONE) this.#free.push(this.#back[group]!)
    this.#back[group] = NONE
    this.#boundary[group] = Number.NEGATIVE_INFINITY
    this.#merged[group] = Number.NEGATIVE_INFINITY
  }

  #allocate(): number {
    const slot = this.#free.pop() ?? this.#used++
    if (slot >= this.#capacity) {
      this.#capacity *= 2
      this.index = grown(this.index, new Float64Array(this.#capacity))
      this.#next = grown(this.#next, new Int32Array(this.#capacity))
      this.#previous = grown(this.#previous, new Int32Array(this.#capacity))
      this.#suffix = grown(this.#suffix, new Int32Array(this.#capacity))
      for (const accumulator of this.#accumulators) accumulator.grow(this.#capacity)
    }
    this.#suffix[slot] = NONE
    this.#clear(slot)
    return slot
  }

  #clear(slot: number): void {
    for (const accumulator of this.#accumulators) accumulator.clear(slot)
  }

  #merge(into: number, from: number): void {
    for (const accumulator of this.#accumulators) accumulator.merge(into, from)
  }
}
