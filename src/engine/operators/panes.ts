/**
 * The panes of windows, and windows as merges of them.
 *
 * Panes are as long as the greatest common divisor of a window's size and step, so each window is a run of whole panes.
 * Long runs are merged by two stacks that meet at a boundary: `suffix` slots hold the merge of a pane and all panes after
 * it up to the boundary, one `back` slot a group holds the merge of the panes from the boundary on; a window is the merge
 * of one suffix and the back.
 *
 * Boundaries lie at multiples of a window's length, one in each window: so what is merged in which order depends on the
 * panes alone, and a result is the same to the last bit whatever was merged before. Merges are made anew after a restart.
 * Source: van Herk (1992), Gil and Werman (1993), for any operation that can be merged.
 */
import type { Accumulator } from '../aggregates/accumulator.ts'
import { grown } from '../state/key-table.ts'
import type { ChangedSlots } from '../state/table.ts'
import { NONE, NOWHERE, PaneLists } from './pane-lists.ts'

export { NOWHERE }

/** Slots for the result being put together, and for the stacks of a window that the group's own have left behind. */
const RESULT = 1
const SUFFIXES = [2, 3] as const
const BACK = 4
/** With fewer panes in a window, merging them one by one is as cheap. */
const STACK_PANES_MIN = 4
const NOTHING = Number.NEGATIVE_INFINITY

export class Panes extends PaneLists {
  readonly #panesOfWindow: number
  readonly #stacked: boolean
  /** By slot of a pane: its suffix slot. */
  #suffix = new Int32Array(1024)
  /** By group: where the stacks meet, the last pane in them, the back slot and whether it holds any pane. */
  #boundary = new Float64Array(1024).fill(NOTHING)
  #merged = new Float64Array(1024).fill(NOTHING)
  #back = new Int32Array(1024)
  #hasBack = new Uint8Array(1024)

  constructor(accumulators: readonly Accumulator[], panesOfWindow: number, changed?: ChangedSlots) {
    super(accumulators, changed)
    this.#panesOfWindow = panesOfWindow
    this.#stacked = panesOfWindow >= STACK_PANES_MIN && accumulators.every(accumulator => accumulator.isSmall)
  }

  override ensureGroups(groups: number): void {
    super.ensureGroups(groups)
    const old = this.#back.length
    if (groups <= old) return
    const length = Math.max(groups, old * 2)
    this.#boundary = grown(this.#boundary, new Float64Array(length)).fill(NOTHING, old)
    this.#merged = grown(this.#merged, new Float64Array(length)).fill(NOTHING, old)
    this.#back = grown(this.#back, new Int32Array(length))
    this.#hasBack = grown(this.#hasBack, new Uint8Array(length))
  }

  /** Says that rows go to a pane that may have been merged already. */
  touch(group: number, pane: number): void {
    if (pane <= this.#merged[group]!) this.#boundary[group] = NOTHING
  }

  /** Merges the panes [from, to) of a group, with the partly late rows of the window that ends at `end`; NONE: no row. */
  window(group: number, from: number, to: number, end: number): number {
    if (this.partlyLateRows.has(group)) return this.#withPartlyLate(group, from, to, end)
    if (!this.#stacked) return this.#oneByOne(group, from, to)
    // The stacks only go forward; the last word on an earlier window is put together from its panes.
    return to > this.#merged[group]! ? this.#byStacks(group, from, to) : this.#byOwnStacks(group, from, to)
  }

  #oneByOne(group: number, from: number, to: number): number {
    const slot = this.firstSlotFrom(group, from)
    if (slot === NONE || this.index[slot]! >= to) return NONE
    const following = this.next[slot]!
    if (following === NONE || this.index[following]! >= to) return slot
    this.clear(RESULT)
    this.#mergePanes(RESULT, slot, to)
    return RESULT
  }

  #withPartlyLate(group: number, from: number, to: number, end: number): number {
    this.clear(RESULT)
    let found = this.#mergePanes(RESULT, this.firstSlotFrom(group, from), to)
    for (const entry of this.partlyLateRows.of(group)) {
      if (entry.pane < from || entry.pane >= to || entry.minimumEnd > end) continue
      this.merge(RESULT, entry.slot)
      found = true
    }
    return found ? RESULT : NONE
  }

  #byStacks(group: number, from: number, to: number): number {
    if (this.#back[group] === NONE) this.#back[group] = this.allocate()
    const back = this.#back[group]!
    const boundary = this.#boundaryBefore(to)
    if (boundary !== this.#boundary[group]) {
      this.#putSuffixes(group, from, boundary)
      this.clear(back)
      this.#hasBack[group] = 0
      this.#boundary[group] = boundary
      this.#merged[group] = boundary - 1
    }
    if (this.#mergePanes(back, this.#firstSlotNear(group, this.#merged[group]! + 1), to)) this.#hasBack[group] = 1
    this.#merged[group] = to - 1
    const front = this.firstSlotFrom(group, from)
    const suffix = front === NONE || this.index[front]! >= boundary ? NONE : this.#suffix[front]!
    return this.#both(suffix, this.#hasBack[group] === 1 ? back : NONE)
  }

  /** The same merges in the same order, without the stacks of the group. */
  #byOwnStacks(group: number, from: number, to: number): number {
    const boundary = this.#boundaryBefore(to)
    let later = NONE
    let slot = this.lastSlotBefore(group, boundary)
    for (; slot !== NONE && this.index[slot]! >= from; slot = this.previous[slot]!) {
      const suffix = later === SUFFIXES[0] ? SUFFIXES[1] : SUFFIXES[0]
      this.#putSuffix(suffix, slot, later)
      later = suffix
    }
    this.clear(BACK)
    return this.#both(later, this.#mergePanes(BACK, this.#firstSlotNear(group, boundary), to) ? BACK : NONE)
  }

  /** Of the multiples of a window's length the one that lies in the window before `to`, or at its end. */
  #boundaryBefore(to: number): number {
    return Math.floor(to / this.#panesOfWindow) * this.#panesOfWindow
  }

  #putSuffixes(group: number, from: number, boundary: number): void {
    this.#ensureSuffixes()
    let later = NONE
    let slot = this.lastSlotBefore(group, boundary)
    for (; slot !== NONE && this.index[slot]! >= from; slot = this.previous[slot]!) {
      if (this.#suffix[slot] === NONE) {
        const suffix = this.allocate()
        this.#ensureSuffixes()
        this.#suffix[slot] = suffix
      }
      this.#putSuffix(this.#suffix[slot]!, slot, later)
      later = this.#suffix[slot]!
    }
  }

  #putSuffix(suffix: number, pane: number, later: number): void {
    this.clear(suffix)
    this.merge(suffix, pane)
    if (later !== NONE) this.merge(suffix, later)
  }

  /** Merges the panes from a slot on that lie before `to`; answers whether there was any. */
  #mergePanes(into: number, first: number, to: number): boolean {
    let slot = first
    for (; slot !== NONE && this.index[slot]! < to; slot = this.next[slot]!) this.merge(into, slot)
    return slot !== first
  }

  #both(suffix: number, back: number): number {
    if (suffix === NONE || back === NONE) return suffix === NONE ? back : suffix
    this.clear(RESULT)
    this.merge(RESULT, suffix)
    this.merge(RESULT, back)
    return RESULT
  }

  /** The first pane from `pane` on, looked for from the newest one, which is near. */
  #firstSlotNear(group: number, pane: number): number {
    const before = this.lastSlotBefore(group, pane)
    return before === NONE ? this.first[group]! : this.next[before]!
  }

  /** Gives back what an empty group still holds. */
  releaseGroup(group: number): void {
    if (this.#back[group] !== NONE) this.release(this.#back[group]!)
    this.#back[group] = NONE
    this.#boundary[group] = NOTHING
    this.#merged[group] = NOTHING
  }

  protected override dropped(slot: number): void {
    const suffix = this.#suffix[slot] ?? NONE
    if (suffix === NONE) return
    this.#suffix[slot] = NONE
    this.release(suffix)
  }

  #ensureSuffixes(): void {
    if (this.#suffix.length < this.capacity) this.#suffix = grown(this.#suffix, new Int32Array(this.capacity))
  }
}
