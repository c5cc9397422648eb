/**
 * When the groups of a window operator next have something to give out, and how far their time has come.
 *
 * Groups keep time together (progress by partition: one key, `ALL`) or each by its progress key. What is asked once a row
 * stands in arrays that the operator reads directly: `due` alone says whether a row's time does anything at all.
 */
import { grown } from '../state/key-table.ts'

export const NEVER = Number.POSITIVE_INFINITY
/** The key of all groups where they keep time together. */
export const ALL = 0

const NO_GROUPS: ReadonlySet<number> = new Set()

export class WindowSchedule {
  readonly #byKey: boolean
  readonly #early: number | null
  /** By progress key: how far windows have come out, how far they are closed, when something is next to be done. */
  emitted = new Float64Array(1024).fill(Number.NEGATIVE_INFINITY)
  closed = new Float64Array(1024).fill(Number.NEGATIVE_INFINITY)
  due = new Float64Array(1024).fill(NEVER)
  #nextEarly = new Float64Array(1024).fill(NEVER)
  readonly #groupsOfKey = new Map<number, Set<number>>()
  /** By group: the end of its next window to come out, its progress key, whether it has rows since its early results. */
  #nextEnd = new Float64Array(1024).fill(NEVER)
  #keyOf = new Int32Array(1024).fill(-1)
  #changed = new Uint8Array(1024)
  /** Where groups keep time together: groups by the end of their next window, those that have moved on among them. */
  readonly #buckets = new Map<number, number[]>()
  /** Groups that hold nothing any more, or never did. */
  readonly #emptied = new Set<number>()

  constructor(byKey: boolean, early: number | null) {
    this.#byKey = byKey
    this.#early = early
  }

  /** The keys that have groups, as they are now. */
  get keys(): readonly number[] {
    return [...this.#groupsOfKey.keys()]
  }

  groupsOf(key: number): ReadonlySet<number> {
    return this.#groupsOfKey.get(key) ?? NO_GROUPS
  }

  /** The end of the next window of a group, NEVER when it has none. */
  nextEnd(group: number): number {
    return this.#nextEnd[group]!
  }

  ensureGroups(groups: number): void {
    const old = this.#nextEnd.length
    if (groups <= old) return
    this.#nextEnd = grown(this.#nextEnd, new Float64Array(groups * 2)).fill(NEVER, old)
    this.#keyOf = grown(this.#keyOf, new Int32Array(groups * 2)).fill(-1, old)
    this.#changed = grown(this.#changed, new Uint8Array(groups * 2))
  }

  ensureKeys(keys: number): void {
    const old = this.due.length
    if (keys <= old) return
    const length = Math.max(keys, old * 2)
    this.emitted = grown(this.emitted, new Float64Array(length)).fill(Number.NEGATIVE_INFINITY, old)
    this.closed = grown(this.closed, new Float64Array(length)).fill(Number.NEGATIVE_INFINITY, old)
    this.due = grown(this.due, new Float64Array(length)).fill(NEVER, old)
    this.#nextEarly = grown(this.#nextEarly, new Float64Array(length)).fill(NEVER, old)
  }

  /** Says that the group holds rows, which keep the time of this key. */
  join(group: number, key: number): void {
    if (this.#keyOf[group] === key) return
    this.#keyOf[group] = key
    const groups = this.#groupsOfKey.get(key)
    if (groups) groups.add(group)
    else this.#groupsOfKey.set(key, new Set([group]))
  }

  /** Says that the group holds nothing any more. */
  leave(group: number, key: number): void {
    this.#nextEnd[group] = NEVER
    this.#keyOf[group] = -1
    this.#changed[group] = 0
    this.#groupsOfKey.get(key)?.delete(group)
    this.#emptied.add(group)
  }

  /** Says that a row came for the group and was not kept. */
  passBy(group: number): void {
    if (this.#keyOf[group]! < 0) this.#emptied.add(group)
  }

  /** The groups that have come to hold nothing since the last call. */
  takeEmptied(): readonly number[] {
    if (this.#emptied.size === 0) return []
    const empty = [...this.#emptied].filter(group => this.#keyOf[group]! < 0)
    this.#emptied.clear()
    return empty
  }

  /** Sets the end of the next window of a group. */
  schedule(group: number, key: number, end: number): void {
    this.#nextEnd[group] = end
    this.wake(key, end)
    if (this.#byKey) return
    const bucket = this.#buckets.get(end)
    if (bucket) bucket.push(group)
    else this.#buckets.set(end, [group])
  }

  /** Has something done when the time of the key comes to `at`. */
  wake(key: number, at: number): void {
    if (at < this.due[key]!) this.due[key] = at
  }

  /** The first end among the next windows of the key's groups. */
  firstEnd(key: number): number {
    let first = NEVER
    if (this.#byKey) for (const group of this.groupsOf(key)) first = Math.min(first, this.#nextEnd[group]!)
    else for (const end of this.#buckets.keys()) if (end < first) first = end
    return first
  }

  /** The groups whose next window ends at `end`; they have none until the next call of `schedule`. */
  takeDue(key: number, end: number): readonly number[] {
    const candidates = this.#byKey ? this.groupsOf(key) : (this.#buckets.get(end) ?? [])
    const due: number[] = []
    for (const group of candidates) {
      if (this.#nextEnd[group] !== end) continue
      this.#nextEnd[group] = NEVER
      due.push(group)
    }
    if (!this.#byKey) this.#buckets.delete(end)
    return due
  }

  /** Has early results of the group given out at the next multiple of `early` after `time`. */
  change(group: number, key: number, time: number): void {
    const early = this.#early!
    this.#changed[group] = 1
    if (this.#nextEarly[key] !== NEVER) return
    this.#nextEarly[key] = Math.floor(time / early) * early + early
    this.wake(key, this.#nextEarly[key]!)
  }

  /** The groups whose early results are due at `time`. */
  takeEarly(key: number, time: number): readonly number[] {
    const early = this.#early
    if (early === null || this.#nextEarly[key]! > time) return []
    this.#nextEarly[key] = time === NEVER ? NEVER : Math.floor(time / early) * early + early
    const changed: number[] = []
    for (const group of this.groupsOf(key)) {
      if (this.#changed[group] === 0) continue
      this.#changed[group] = 0
      changed.push(group)
    }
    return changed
  }

  /** Finds anew when something is next to be done for the key, at `other` at the latest. */
  renewDue(key: number, other: number): void {
    this.due[key] = Math.min(other, this.#nextEarly[key]!, this.firstEnd(key))
  }
}
