/**
 * Which numbers of messages were seen, by key: what an earlier version remembered of the messages that were pushed. It is
 * restored and asked until it is too old; new messages are noted as `RecentKeys`.
 *
 * The numbers of a key are disjoint intervals in ascending order, at most `INTERVALS_MAX`; past that the gap between the two
 * lowest is closed. Of a key with so many the lowest one therefore says nothing: it may hold numbers that were never seen.
 */
import type { StateReader, StateWriter } from './bytes.ts'
import { grown } from './key-table.ts'
import { ChangedSlots, type Stateful, type StateTable, stateTable } from './table.ts'

export const INTERVALS_MAX = 1024

export class MessageNumbers implements Stateful {
  readonly identity: string
  readonly tables: readonly StateTable[]
  readonly #slotOf = new Map<string, number>()
  /** By slot: the key (null: free), first and last number of each interval one after the other, when it was last used. */
  readonly #keys: (string | null)[] = []
  readonly #intervals: number[][] = []
  #used = new Float64Array(64)
  #free: number[] = []
  readonly #changed: ChangedSlots

  /** `identity`: what the state is stored under. `keepsState`: whether somebody will ask what changed; default true. */
  constructor(identity: string, keepsState = true) {
    this.identity = identity
    this.#changed = new ChangedSlots(keepsState)
    const numbers = stateTable('numbers', this.#changed, {
      slots: () => this.#keys.length,
      write: (slot, to) => this.#write(slot, to),
      read: (slot, from) => this.#read(slot, from),
    })
    this.tables = [numbers]
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#slotOf.size
  }

  /** Whether the number of the key was seen; false also where that is not known. */
  has(key: string, number: number): boolean {
    const slot = this.#slotOf.get(key)
    return slot !== undefined && holds(this.#intervals[slot]!, number)
  }

  /**
   * Takes note of a whole number. The key counts as used at `arrival_us` (wall clock) from then on.
   */
  add(key: string, number: number, arrival_us: number): void {
    const slot = this.#slotOf.get(key) ?? this.#newSlot(key)
    if (arrival_us > this.#used[slot]!) this.#used[slot] = arrival_us
    this.#changed.mark(slot)
    put(this.#intervals[slot]!, number)
  }

  /** Forgets the keys that were last used before a moment of the wall clock, in microseconds. */
  forgetBefore(arrival_us: number): void {
    for (const [key, slot] of this.#slotOf) {
      if (this.#used[slot]! >= arrival_us) continue
      this.#slotOf.delete(key)
      this.#keys[slot] = null
      this.#intervals[slot] = []
      this.#free.push(slot)
      this.#changed.mark(slot)
    }
  }

  restored(): void {
    for (let slot = this.#keys.length - 1; slot >= 0; slot--) if (this.#keys[slot] === null) this.#free.push(slot)
  }

  #newSlot(key: string): number {
    const slot = this.#free.pop() ?? this.#keys.length
    this.#reserve(slot)
    this.#keys[slot] = key
    this.#used[slot] = Number.NEGATIVE_INFINITY
    this.#slotOf.set(key, slot)
    return slot
  }

  #reserve(slot: number): void {
    while (this.#keys.length <= slot) {
      this.#keys.push(null)
      this.#intervals.push([])
    }
    if (slot >= this.#used.length)
      this.#used = grown(this.#used, new Float64Array(Math.max(slot + 1, this.#used.length * 2)))
  }

  #write(slot: number, to: StateWriter): boolean {
    const key = this.#keys[slot] ?? null
    if (key === null) return false
    const intervals = this.#intervals[slot]!
    to.text(key)
    to.number(this.#used[slot]!)
    to.whole(intervals.length)
    for (const end of intervals) to.number(end)
    return true
  }

  #read(slot: number, from: StateReader): void {
    this.#reserve(slot)
    const key = from.text()
    this.#keys[slot] = key
    this.#slotOf.set(key, slot)
    this.#used[slot] = from.number()
    const intervals: number[] = []
    for (let left = from.whole(); left > 0; left--) intervals.push(from.number())
    this.#intervals[slot] = intervals
  }
}

/** Index of the first interval that ends at `number` or later, times two. */
function intervalAt(intervals: readonly number[], number: number): number {
  let low = 0
  let high = intervals.length / 2
  while (low < high) {
    const middle = (low + high) >> 1
    if (intervals[middle * 2 + 1]! < number) low = middle + 1
    else high = middle
  }
  return low * 2
}

function holds(intervals: readonly number[], number: number): boolean {
  const at = intervalAt(intervals, number)
  if (at === 0 && intervals.length >= INTERVALS_MAX * 2) return false
  return at < intervals.length && intervals[at]! <= number
}

/** Adds a number to the intervals. */
function put(intervals: number[], number: number): void {
  const at = intervalAt(intervals, number)
  if (at < intervals.length && intervals[at]! <= number) return
  const followsBefore = at > 0 && intervals[at - 1] === number - 1
  const meetsAfter = at < intervals.length && intervals[at] === number + 1
  if (followsBefore && meetsAfter) intervals.splice(at - 1, 2)
  else if (followsBefore) intervals[at - 1] = number
  else if (meetsAfter) intervals[at] = number
  else intervals.splice(at, 0, number, number)
  if (intervals.length > INTERVALS_MAX * 2) intervals.splice(1, 2)
}
