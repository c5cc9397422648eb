/**
 * When the groups of a window operator next have something to give out, and how far their time has come.
 *
 * Groups keep time together (progress by partition: one key, `ALL`) or each by its progress key. What is asked once a row
 * stands in arrays that the operator reads directly: `due` alone says whether a row's time does anything at all.
 *
 * Groups that are due together come out in the order in which they were scheduled (or, each by its key, came to hold
 * rows). That order is state: rows come out in the same order after a restart.
 */
import type { StateReader, StateWriter } from '../state/bytes.ts'
import { grown } from '../state/key-table.ts'
import { GroupLists, sortedBy } from './group-lists.ts'
import { WindowChanges } from './window-changes.ts'

export const NEVER = Number.POSITIVE_INFINITY
const LONG_AGO = Number.NEGATIVE_INFINITY
/** The key of all groups where they keep time together. */
export const ALL = 0

export class WindowSchedule {
  readonly #byKey: boolean
  readonly #early: number | null
  readonly #changes: WindowChanges
  /** By progress key: how far windows have come out, how far they are closed, when something is next to be done. */
  emitted = new Float64Array(1024).fill(LONG_AGO)
  closed = new Float64Array(1024).fill(LONG_AGO)
  due = new Float64Array(1024).fill(NEVER)
  #nextEarly = new Float64Array(1024).fill(NEVER)
  #keys = 1
  readonly #lists = new GroupLists()
  /** By group: the end of its next window to come out, when that was scheduled, whether it has rows since its early results. */
  #nextEnd = new Float64Array(1024).fill(NEVER)
  #scheduled = new Float64Array(1024)
  #changed = new Uint8Array(1024)
  #nextScheduled = 0
  /** Where groups keep time together: groups by the end of their next window, those that have moved on among them. */
  readonly #buckets = new Map<number, number[]>()
  /** Groups that hold nothing any more, or never did. */
  readonly #emptied = new Set<number>()

  constructor(byKey: boolean, early: number | null, changes = new WindowChanges()) {
    this.#byKey = byKey
    this.#early = early
    this.#changes = changes
  }

  /** Keys that there is room for: all that time has come to are below. */
  get keyCount(): number {
    return this.#keys
  }

  /** The keys that time has come to, or that hold rows, in the order of their slots. */
  get keys(): readonly number[] {
    const keys: number[] = []
    for (let key = 0; key < this.#keys; key++) {
      if (this.emitted[key]! > LONG_AGO || this.#lists.first(key) >= 0) keys.push(key)
    }
    return keys
  }

  /** The groups of a key, as they are now. */
  groupsOf(key: number): readonly number[] {
    return this.#lists.of(key)
  }

  /** The end of the next window of a group, NEVER when it has none. */
  nextEnd(group: number): number {
    return this.#nextEnd[group]!
  }

  ensureGroups(groups: number): void {
    this.#lists.ensureGroups(groups)
    const old = this.#nextEnd.length
    if (groups <= old) return
    const length = Math.max(groups, old * 2)
    this.#nextEnd = grown(this.#nextEnd, new Float64Array(length)).fill(NEVER, old)
    this.#scheduled = grown(this.#scheduled, new Float64Array(length))
    this.#changed = grown(this.#changed, new Uint8Array(length))
  }

  ensureKeys(keys: number): void {
    if (keys <= this.#keys) return
    this.#keys = keys
    this.#lists.ensureKeys(keys)
    const old = this.due.length
    if (keys <= old) return
    const length = Math.max(keys, old * 2)
    this.emitted = grown(this.emitted, new Float64Array(length)).fill(LONG_AGO, old)
    this.closed = grown(this.closed, new Float64Array(length)).fill(LONG_AGO, old)
    this.due = grown(this.due, new Float64Array(length)).fill(NEVER, old)
    this.#nextEarly = grown(this.#nextEarly, new Float64Array(length)).fill(NEVER, old)
  }

  /** Says that windows of the key have come out until `time`. */
  emit(key: number, time: number): void {
    if (!(time > this.emitted[key]!)) return
    this.emitted[key] = time
    this.#changes.keys.mark(key)
  }

  /** Says that windows of the key no longer change that end by `time`. */
  close(key: number, time: number): void {
    if (!(time > this.closed[key]!)) return
    this.closed[key] = time
    this.#changes.keys.mark(key)
  }

  /** Says that the group holds rows, which keep the time of this key. */
  join(group: number, key: number): void {
    if (this.#lists.keyOf(group) === key) return
    this.#lists.remove(group)
    this.#lists.add(group, key)
    this.#changes.groups.mark(group)
  }

  /** Says that the group holds nothing any more. */
  leave(group: number): void {
    this.#nextEnd[group] = NEVER
    this.#changed[group] = 0
    this.#lists.remove(group)
    this.#emptied.add(group)
    this.#changes.groups.mark(group)
  }

  /** Says that a row came for the group and was not kept. */
  passBy(group: number): void {
    if (this.#lists.keyOf(group) < 0) this.#emptied.add(group)
  }

  /** The groups that have come to hold nothing since the last call. */
  takeEmptied(): readonly number[] {
    if (this.#emptied.size === 0) return []
    const empty = [...this.#emptied].filter(group => this.#lists.keyOf(group) < 0)
    this.#emptied.clear()
    return empty
  }

  /** Sets the end of the next window of a group. */
  schedule(group: number, key: number, end: number): void {
    this.#nextEnd[group] = end
    this.#changes.groups.mark(group)
    this.wake(key, end)
    if (this.#byKey) return
    this.#scheduled[group] = this.#nextScheduled++
    const bucket = this.#buckets.get(end)
    if (bucket) bucket.push(group)
    else this.#buckets.set(end, [group])
  }

  /** Has something done when the time of the key comes to `at`. */
  wake(key: number, at: number): void {
    if (!(at < this.due[key]!)) return
    this.due[key] = at
    this.#changes.keys.mark(key)
  }

  /** The first end among the next windows of the key's groups. */
  firstEnd(key: number): number {
    let first = NEVER
    if (!this.#byKey) {
      for (const end of this.#buckets.keys()) if (end < first) first = end
      return first
    }
    for (let group = this.#lists.first(key); group >= 0; group = this.#lists.next(group)) {
      if (this.#nextEnd[group]! < first) first = this.#nextEnd[group]!
    }
    return first
  }

  /** The groups whose next window ends at `end`; they have none until the next call of `schedule`. */
  takeDue(key: number, end: number): readonly number[] {
    const candidates = this.#byKey ? this.#lists.of(key) : (this.#buckets.get(end) ?? [])
    const due: number[] = []
    let isInOrder = true
    for (const group of candidates) {
      if (this.#nextEnd[group] !== end) continue
      if (due.length > 0 && this.#scheduled[group]! < this.#scheduled[due.at(-1)!]!) isInOrder = false
      this.#nextEnd[group] = NEVER
      this.#changes.groups.mark(group)
      due.push(group)
    }
    if (this.#byKey) return due
    this.#buckets.delete(end)
    // A group that went to an earlier window and came back stands where it stood first.
    return isInOrder ? due : due.sort((a, b) => this.#scheduled[a]! - this.#scheduled[b]!)
  }

  /** Has early results of the group given out at the next multiple of `early` after `time`. */
  change(group: number, key: number, time: number): void {
    const early = this.#early!
    this.#changed[group] = 1
    this.#changes.groups.mark(group)
    if (this.#nextEarly[key] !== NEVER) return
    this.#nextEarly[key] = Math.floor(time / early) * early + early
    this.#changes.keys.mark(key)
    this.wake(key, this.#nextEarly[key]!)
  }

  /** The groups whose early results are due at `time`. */
  takeEarly(key: number, time: number): readonly number[] {
    const early = this.#early
    if (early === null || this.#nextEarly[key]! > time) return []
    this.#nextEarly[key] = time === NEVER ? NEVER : Math.floor(time / early) * early + early
    this.#changes.keys.mark(key)
    const changed = this.#lists.of(key).filter(group => this.#changed[group] !== 0)
    for (const group of changed) {
      this.#changed[group] = 0
      this.#changes.groups.mark(group)
    }
    return changed
  }

  /** Finds anew when something is next to be done for the key, at `other` at the latest. */
  renewDue(key: number, other: number): void {
    const due = Math.min(other, this.#nextEarly[key]!, this.firstEnd(key))
    if (due === this.due[key]) return
    this.due[key] = due
    this.#changes.keys.mark(key)
  }

  /** Answers false, with nothing written, for a key that time has not come to. */
  writeKey(key: number, to: StateWriter): boolean {
    const [emitted, closed] = [this.emitted[key]!, this.closed[key]!]
    const [due, early] = [this.due[key]!, this.#nextEarly[key]!]
    if (emitted === LONG_AGO && closed === LONG_AGO && due === NEVER && early === NEVER) return false
    to.number(emitted)
    to.number(closed)
    to.number(due)
    to.number(early)
    return true
  }

  readKey(key: number, from: StateReader): void {
    this.ensureKeys(key + 1)
    this.emitted[key] = from.number()
    this.closed[key] = from.number()
    this.due[key] = from.number()
    this.#nextEarly[key] = from.number()
  }

  /** Answers false, with nothing written, for a group that holds nothing. */
  writeGroup(group: number, to: StateWriter): boolean {
    const key = this.#lists.keyOf(group)
    if (key < 0) return false
    to.whole(key)
    to.number(this.#lists.order(group))
    to.number(this.#nextEnd[group]!)
    to.number(this.#scheduled[group]!)
    to.byte(this.#changed[group]!)
    return true
  }

  readGroup(group: number, from: StateReader): void {
    this.ensureGroups(group + 1)
    const key = from.whole()
    this.ensureKeys(key + 1)
    this.#lists.restore(group, key, from.number())
    this.#nextEnd[group] = from.number()
    this.#scheduled[group] = from.number()
    this.#changed[group] = from.byte()
  }

  /** Called once when all keys and groups have been read: those below `groups`. */
  restored(groups: number): void {
    this.ensureGroups(groups)
    this.#lists.restored(groups)
    if (this.#byKey) return
    let bucket: number[] = []
    let endOfBucket = NEVER
    for (const group of sortedBy(this.#scheduled, groups, group => this.#nextEnd[group] !== NEVER)) {
      const end = this.#nextEnd[group]!
      if (end !== endOfBucket) {
        bucket = this.#buckets.get(end) ?? []
        this.#buckets.set(end, bucket)
        endOfBucket = end
      }
      bucket.push(group)
      this.#nextScheduled = this.#scheduled[group]! + 1
    }
  }
}
