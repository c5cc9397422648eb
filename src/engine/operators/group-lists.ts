/**
 * The groups of each progress key, in the order in which they came to hold rows: linked lists in arrays, so that a key
 * with one group, as most are, costs no object.
 */
import { grown } from '../state/key-table.ts'

const NONE = -1

export class GroupLists {
  /** By key. */
  #first = new Int32Array(1024).fill(NONE)
  #last = new Int32Array(1024).fill(NONE)
  /** By group: its key, -1 when it holds nothing, its neighbours in the key's list, its place in the order of all. */
  #keyOf = new Int32Array(1024).fill(NONE)
  #next = new Int32Array(1024).fill(NONE)
  #previous = new Int32Array(1024).fill(NONE)
  #order = new Float64Array(1024)
  #nextOrder = 0

  ensureGroups(groups: number): void {
    const old = this.#keyOf.length
    if (groups <= old) return
    const length = Math.max(groups, old * 2)
    this.#keyOf = grown(this.#keyOf, new Int32Array(length)).fill(NONE, old)
    this.#next = grown(this.#next, new Int32Array(length)).fill(NONE, old)
    this.#previous = grown(this.#previous, new Int32Array(length)).fill(NONE, old)
    this.#order = grown(this.#order, new Float64Array(length))
  }

  ensureKeys(keys: number): void {
    const old = this.#first.length
    if (keys <= old) return
    const length = Math.max(keys, old * 2)
    this.#first = grown(this.#first, new Int32Array(length)).fill(NONE, old)
    this.#last = grown(this.#last, new Int32Array(length)).fill(NONE, old)
  }

  /** The key of a group, -1 when it is in no list. */
  keyOf(group: number): number {
    return this.#keyOf[group]!
  }

  /** The groups of a key, as they are now. */
  of(key: number): number[] {
    const groups: number[] = []
    for (let group = this.first(key); group !== NONE; group = this.#next[group]!) groups.push(group)
    return groups
  }

  /** The first group of a key, and the one after a group: -1 when there is none. */
  first(key: number): number {
    return this.#first[key] ?? NONE
  }

  next(group: number): number {
    return this.#next[group]!
  }

  /** Puts a group that is in no list at the end of the key's. */
  add(group: number, key: number): void {
    this.#order[group] = this.#nextOrder++
    this.#append(group, key)
  }

  remove(group: number): void {
    const key = this.#keyOf[group]!
    if (key === NONE) return
    const [previous, next] = [this.#previous[group]!, this.#next[group]!]
    if (previous === NONE) this.#first[key] = next
    else this.#next[previous] = next
    if (next === NONE) this.#last[key] = previous
    else this.#previous[next] = previous
    this.#keyOf[group] = NONE
  }

  /** The place of a group in the order in which all groups came. */
  order(group: number): number {
    return this.#order[group]!
  }

  /** Says where a group stood; `restored` follows. */
  restore(group: number, key: number, order: number): void {
    this.#keyOf[group] = key
    this.#order[group] = order
  }

  /** Called once when all groups have been restored: those below `groups`. */
  restored(groups: number): void {
    const inOrder = sortedBy(this.#order, groups, group => this.#keyOf[group] !== NONE)
    for (const group of inOrder) this.#append(group, this.#keyOf[group]!)
    const last = inOrder.at(-1)
    this.#nextOrder = last === undefined ? 0 : this.#order[last]! + 1
  }

  #append(group: number, key: number): void {
    const last = this.#last[key]!
    this.#keyOf[group] = key
    this.#previous[group] = last
    this.#next[group] = NONE
    if (last === NONE) this.#first[key] = group
    else this.#next[last] = group
    this.#last[key] = group
  }
}

/** The groups below `groups` that are wanted, in ascending order of a number; mostly they stand in it already. */
export function sortedBy(order: Float64Array, groups: number, isWanted: (group: number) => boolean): Int32Array {
  const found = new Int32Array(groups)
  let count = 0
  let isSorted = true
  for (let group = 0; group < groups; group++) {
    if (!isWanted(group)) continue
    if (count > 0 && order[group]! < order[found[count - 1]!]!) isSorted = false
    found[count++] = group
  }
  const wanted = found.subarray(0, count)
  return isSorted ? wanted : wanted.sort((a, b) => order[a]! - order[b]!)
}
