/**
 * Windows that came out before the log was done with them and may come out again: which ones, in which revision.
 *
 * A window is in here from its first row on until its last word is said. Only changelogs have revisions; of windows of an
 * append stream it is only known that there were some, whose panes are still to be dropped.
 */
import type { StateReader, StateWriter } from '../state/bytes.ts'
import { grown } from '../state/key-table.ts'
import { WindowChanges } from './window-changes.ts'
import { NEVER } from './window-schedule.ts'

export class GivenWindows {
  readonly #changes: WindowChanges
  /** By group: the ends of its windows, with their last revision. */
  readonly #revisions = new Map<number, Map<number, number>>()
  /** By progress key: the end of the first of them. */
  #firstEnd = new Float64Array(1024).fill(NEVER)
  #any = false

  constructor(changes = new WindowChanges()) {
    this.#changes = changes
  }

  /** Whether any window has ever come out that the log was not done with. */
  get any(): boolean {
    return this.#any
  }

  /** Says that a window came out that the log is not done with. */
  note(): void {
    if (this.#any) return
    this.#any = true
    this.#changes.operator.mark(0)
  }

  ensureKeys(keys: number): void {
    const old = this.#firstEnd.length
    if (keys <= old) return
    this.#firstEnd = grown(this.#firstEnd, new Float64Array(Math.max(keys, old * 2))).fill(NEVER, old)
  }

  has(group: number): boolean {
    return this.#revisions.has(group)
  }

  /** The end of the first window of the key that awaits its last word, NEVER when none does. */
  firstEnd(key: number): number {
    return this.#firstEnd[key]!
  }

  /** The ends by `time` of the windows of a group that await their last word, in order. */
  endsBy(group: number, time: number): readonly number[] {
    const revisions = this.#revisions.get(group)
    if (!revisions) return []
    return [...revisions.keys()].filter(end => end <= time).sort((a, b) => a - b)
  }

  /** The revision of a row that comes out; unless it is the last word, that is kept in mind. */
  revise(group: number, key: number, end: number, isFinal: boolean): number {
    let revisions = this.#revisions.get(group)
    const before = revisions?.get(end)
    const revision = before === undefined ? 0 : before + 1
    this.#changes.groups.mark(group)
    if (isFinal) {
      revisions?.delete(end)
      if (revisions?.size === 0) this.#revisions.delete(group)
      return revision
    }
    if (!revisions) {
      revisions = new Map()
      this.#revisions.set(group, revisions)
    }
    revisions.set(end, revision)
    if (end < this.#firstEnd[key]!) this.#setFirst(key, end)
    return revision
  }

  /** Finds the first end of the key anew, after last words on windows of its groups. */
  renewFirst(key: number, groups: Iterable<number>): void {
    let first = NEVER
    for (const group of groups) {
      for (const end of this.#revisions.get(group)?.keys() ?? []) if (end < first) first = end
    }
    if (first !== this.#firstEnd[key]) this.#setFirst(key, first)
  }

  #setFirst(key: number, end: number): void {
    this.#firstEnd[key] = end
    this.#changes.keys.mark(key)
  }

  writeOperator(to: StateWriter): void {
    to.byte(this.#any ? 1 : 0)
  }

  readOperator(from: StateReader): void {
    this.#any = from.byte() === 1
  }

  writeKey(key: number, to: StateWriter): void {
    to.number(this.#firstEnd[key] ?? NEVER)
  }

  readKey(key: number, from: StateReader): void {
    this.ensureKeys(key + 1)
    this.#firstEnd[key] = from.number()
  }

  writeGroup(group: number, to: StateWriter): void {
    const revisions = this.#revisions.get(group)
    to.whole(revisions?.size ?? 0)
    for (const [end, revision] of revisions ?? []) {
      to.number(end)
      to.whole(revision)
    }
  }

  readGroup(group: number, from: StateReader): void {
    const count = from.whole()
    if (count === 0) return
    const revisions = new Map<number, number>()
    for (let index = 0; index < count; index++) revisions.set(from.number(), from.whole())
    this.#revisions.set(group, revisions)
  }
}
