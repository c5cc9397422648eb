/**
 * Hopping and tumbling event-time windows by key.
 *
 * A record counts in the windows that contain it and end after its frontier (minus the allowed lateness): a function of
 * the log alone. Windows come out when the emission watermark passes their end: with progress by partition that is the
 * same for all groups, with progress by key each key has its own. A window that came out before the log was done with it
 * (idle, restated) keeps its panes and comes out again, one revision later, when a record changes it.
 */
import type { WindowNode } from '../../plan/nodes.ts'
import type { Cell, Column } from '../../plan/schema.ts'
import type { Accumulator, RowSpan } from '../aggregates/accumulator.ts'
import { accumulatorOf } from '../aggregates/index.ts'
import type { Batch, ColumnData } from '../batch.ts'
import { KeyResolver } from '../state/key-resolver.ts'
import { grown } from '../state/key-table.ts'
import type { Times, Watermark } from '../time.ts'
import { NOWHERE, Panes } from './panes.ts'
import type { Stage } from './stage.ts'
import { greatestCommonDivisor, WindowGrid } from './window-grid.ts'
import { WindowOutput } from './window-output.ts'

const NEVER = Number.POSITIVE_INFINITY
const ALL = 0

export interface WindowOptions {
  /** How groups get their time: all together, or each by the topic key that is part of its own key. */
  readonly progress: 'partition' | 'key'
  /** Whether a stage below keeps time itself and must be told of every advance. */
  readonly downstreamKeepsTime: boolean
  /** Called for each row that counts in no window; `row` is the row's index in the batch from the topic. */
  readonly onLate: (row: number) => void
}

/** What windows with a revision remember of those that came out and may change. */
interface Given {
  revision: number
  isFinal: boolean
}

export class WindowOperator implements Stage {
  readonly #grid: WindowGrid
  readonly #allowed: number
  readonly #early: number | null
  readonly #isChangelog: boolean
  readonly #byKey: boolean
  readonly #options: WindowOptions
  readonly #downstream: Stage
  readonly #keyIndexes: readonly number[]
  readonly #aggregateIndexes: readonly (number | null)[]
  readonly #accumulators: readonly Accumulator[]
  readonly #groups: KeyResolver
  readonly #panes: Panes
  readonly #output: WindowOutput
  /** By group: the end of its next window to come out, and its progress key. */
  #nextEnd = new Float64Array(1024).fill(NEVER)
  #keyOf = new Int32Array(1024).fill(-1)
  #dirty = new Uint8Array(1024)
  #slots = new Int32Array(1024)
  readonly #given = new Map<number, Map<number, Given>>()
  /** With progress by partition: groups by the end of their next window. */
  readonly #buckets = new Map<number, number[]>()
  /** By progress key (0: all): what has come out, what is due next, when early results are due, its groups. */
  #emitted = new Float64Array(1024).fill(Number.NEGATIVE_INFINITY)
  #due = new Float64Array(1024).fill(NEVER)
  #nextEarly = new Float64Array(1024).fill(NEVER)
  readonly #groupsOfKey = new Map<number, Set<number>>()
  /** Groups that hold nothing any more. */
  readonly #emptied = new Set<number>()
  #closed = Number.NEGATIVE_INFINITY
  /** Whether windows came out that the log was not done with. */
  #keepsGiven = false

  constructor(node: WindowNode, input: readonly Column[], downstream: Stage, options: WindowOptions) {
    const pane = greatestCommonDivisor(node.size_us, node.every_us)
    this.#grid = new WindowGrid(node.size_us, node.every_us, pane)
    this.#allowed = node.late === 'restate' ? node.allowedLateness_us : 0
    this.#early = node.early_us
    this.#isChangelog = node.stream.kind === 'changelog'
    this.#byKey = options.progress === 'key'
    this.#options = options
    this.#downstream = downstream
    const indexOf = (name: string) => input.findIndex(column => column.name === name)
    this.#keyIndexes = node.keys.map(indexOf)
    this.#aggregateIndexes = node.aggregates.map(aggregate =>
      aggregate.column === null ? null : indexOf(aggregate.column),
    )
    this.#accumulators = node.aggregates.map((aggregate, position) => {
      const index = this.#aggregateIndexes[position]!
      return accumulatorOf(aggregate, index === null ? null : input[index]!)
    })
    this.#groups = new KeyResolver(this.#keyIndexes.map(index => input[index]!))
    this.#panes = new Panes(this.#accumulators, node.size_us / pane)
    this.#output = new WindowOutput(node.columns)
  }

  push(batch: Batch, times: Times): void {
    const groups = this.#groups.resolve(
      this.#keyIndexes.map(index => batch.data[index]!),
      batch.length,
    )
    this.#ensure(batch.length, times)
    const { origin } = batch
    const { frontier } = times
    let flushed = 0
    if (this.#byKey) {
      const keys = times.keys!
      let row = 0
      for (let source = 0; source < times.rows; source++) {
        const key = keys[source]!
        const at = frontier[source]!
        if (at >= this.#due[key]!) {
          this.#add(batch, times, flushed, row)
          flushed = row
          this.#emit(key, at, at - this.#allowed)
        }
        while (row < batch.length && (origin === null ? row : origin[row]!) === source) {
          flushed = this.#place(batch, times, groups, row, source, key, flushed)
          row++
        }
      }
    } else {
      for (let row = 0; row < batch.length; row++) {
        const source = origin === null ? row : origin[row]!
        const at = Math.min(frontier[source]!, times.others)
        if (at >= this.#due[ALL]!) {
          this.#add(batch, times, flushed, row)
          flushed = row
          this.#emit(ALL, at, Math.min(frontier[source]!, times.othersClosed) - this.#allowed)
        }
        flushed = this.#place(batch, times, groups, row, source, ALL, flushed)
      }
    }
    this.#add(batch, times, flushed, batch.length)
    this.#finish()
  }

  advance(watermark: Watermark): void {
    const close = watermark.close - this.#allowed
    if (watermark.key !== null && this.#byKey) this.#advanceKey(watermark.key, watermark.emit, close)
    else if (!this.#byKey) {
      this.#emit(ALL, watermark.emit, close)
      if (this.#keepsGiven && this.#grid.step(close) > this.#grid.step(this.#closed)) this.#closeAll(close)
      this.#closed = close
    }
    this.#finish()
    if (this.#options.downstreamKeepsTime) this.#downstream.advance(watermark)
  }

  end(): void {
    if (this.#byKey) for (const key of [...this.#groupsOfKey.keys()]) this.#emit(key, NEVER, NEVER)
    else this.#emit(ALL, NEVER, NEVER)
    this.#closeAll(NEVER)
    this.#finish()
    this.#downstream.end()
  }

  #advanceKey(key: number, emit: number, close: number): void {
    if (key >= this.#due.length || emit < this.#due[key]!) return
    this.#emit(key, emit, close)
  }

  /** Decides the slot of one row; answers how far rows have been added (a re-emission adds them at once). */
  #place(
    batch: Batch,
    times: Times,
    groups: Int32Array,
    row: number,
    source: number,
    key: number,
    flushed: number,
  ): number {
    const group = groups[row]!
    const pane = this.#grid.paneOf(times.time[source]!)
    const current = this.#panes.current[group]!
    const settled = Math.max(times.frontier[source]!, this.#emitted[key]!)
    if (
      current !== NOWHERE &&
      this.#panes.index[current] === pane &&
      this.#grid.paneEnd(pane) > settled &&
      this.#early === null
    ) {
      this.#slots[row] = current
      return flushed
    }
    return this.#placeSlowly(batch, times, group, row, source, key, pane, flushed)
  }

  #placeSlowly(
    batch: Batch,
    times: Times,
    group: number,
    row: number,
    source: number,
    key: number,
    pane: number,
    flushed: number,
  ): number {
    const grid = this.#grid
    const closed = times.frontier[source]! - this.#allowed
    const earliest = grid.earliestEnd(pane)
    const latest = grid.latestEnd(pane)
    if (latest <= closed) {
      return this.#late(group, row, source, flushed)
    }
    const firstEnd = earliest > closed ? earliest : grid.endAfter(closed)
    this.#join(group, key)
    if (earliest > closed) {
      const known = this.#panes.find(group, pane)
      this.#slots[row] = known === NOWHERE ? this.#panes.add(group, pane) : known
      this.#panes.touch(group, pane)
    } else this.#slots[row] = this.#panes.partlyLate(group, pane, firstEnd)
    const emitted = this.#emitted[key]!
    const upcoming = firstEnd > emitted ? firstEnd : grid.endAfter(emitted)
    if (upcoming <= latest && upcoming < this.#nextEnd[group]!) this.#schedule(group, key, upcoming)
    if (this.#early !== null) {
      this.#dirty[group] = 1
      if (this.#nextEarly[key] === NEVER) {
        this.#nextEarly[key] = Math.floor(times.frontier[source]! / this.#early) * this.#early + this.#early
        this.#due[key] = Math.min(this.#due[key]!, this.#nextEarly[key]!)
      }
    }
    if (firstEnd > emitted) return flushed
    // The row changes windows that have come out already: they come out again at once, so that a revision is a record's.
    this.#add(batch, times, flushed, row + 1)
    const last = Math.min(latest, emitted)
    for (let end = firstEnd; end <= last; end += grid.every) this.#give(group, key, end, false)
    return row + 1
  }

  #late(group: number, row: number, source: number, flushed: number): number {
    this.#slots[row] = NOWHERE
    if (this.#keyOf[group]! < 0) this.#emptied.add(group)
    this.#options.onLate(source)
    return flushed
  }

  /** Puts the rows [from, to) into the slots that were found for them. */
  #add(batch: Batch, times: Times, from: number, to: number): void {
    if (from >= to) return
    const span: RowSpan = {
      slots: this.#slots,
      from,
      to,
      time: times.time,
      origin: batch.origin,
      partition: times.partition,
      firstOffset: times.firstOffset,
    }
    for (let index = 0; index < this.#accumulators.length; index++) {
      const column = this.#aggregateIndexes[index]!
      this.#accumulators[index]!.add(column === null ? null : (batch.data[column] as ColumnData), span)
    }
  }

  /** Gives out all windows of the key (or of all groups) that end by `emit`, in order of their end. */
  #emit(key: number, emit: number, close: number): void {
    if (emit > close) this.#keepsGiven = true
    const early = this.#nextEarly[key]!
    if (this.#byKey) this.#emitKey(key, emit, close)
    else this.#emitAll(emit, close)
    if (emit > this.#emitted[key]!) this.#emitted[key] = emit
    if (this.#early !== null && early <= emit) this.#emitEarly(key, emit)
    if (this.#byKey && this.#keepsGiven) {
      for (const group of this.#groupsOfKey.get(key) ?? []) this.#closeGroup(group, key, close)
      this.#renewDue(key)
    }
    if (this.#byKey && this.#options.downstreamKeepsTime) {
      this.#flushOutput()
      this.#downstream.advance({ emit, close, key })
    }
  }

  #emitAll(emit: number, close: number): void {
    let end = this.#dueEnd()
    while (end <= emit && end !== NEVER) {
      const groups = this.#buckets.get(end)!
      this.#buckets.delete(end)
      for (const group of groups) {
        if (this.#nextEnd[group] !== end) continue
        this.#nextEnd[group] = NEVER
        this.#giveDue(group, ALL, end, close)
      }
      end = this.#dueEnd()
    }
    this.#due[ALL] = Math.min(end, this.#nextEarly[ALL]!)
  }

  #dueEnd(): number {
    let least = NEVER
    for (const end of this.#buckets.keys()) if (end < least) least = end
    return least
  }

  #emitKey(key: number, emit: number, close: number): void {
    const groups = this.#groupsOfKey.get(key)
    if (!groups) return
    for (;;) {
      let end = NEVER
      for (const group of groups) end = Math.min(end, this.#nextEnd[group]!)
      if (end > emit || end === NEVER) break
      for (const group of [...groups]) {
        if (this.#nextEnd[group] !== end) continue
        this.#nextEnd[group] = NEVER
        this.#giveDue(group, key, end, close)
      }
    }
    this.#renewDue(key)
  }

  #renewDue(key: number): void {
    let end = this.#nextEarly[key]!
    for (const group of this.#groupsOfKey.get(key) ?? []) end = Math.min(end, this.#nextEnd[group]!)
    this.#due[key] = end
  }

  /** Gives out a window that has become due, and sees to what comes after it. */
  #giveDue(group: number, key: number, end: number, close: number): void {
    this.#give(group, key, end, end <= close)
    const following = this.#followingEnd(group, end)
    if (following !== NEVER) this.#schedule(group, key, following)
    if (end <= close) {
      this.#panes.dropBefore(group, this.#grid.firstPaneAfter(Math.min(close, end)))
      this.#leaveWhenEmpty(group, key)
    }
  }

  /** The end of the first window after `end` that holds a row of the group. */
  #followingEnd(group: number, end: number): number {
    const grid = this.#grid
    const following = end + grid.every
    let found = NEVER
    const pane = this.#panes.firstFrom(group, grid.paneOf(following - grid.size))
    if (!Number.isNaN(pane)) found = Math.max(following, grid.earliestEnd(pane))
    for (const entry of this.#panes.partlyLateOf(group)) {
      const first = Math.max(following, entry.minimumEnd, grid.earliestEnd(entry.pane))
      if (first <= grid.latestEnd(entry.pane)) found = Math.min(found, first)
    }
    return found
  }

  #emitEarly(key: number, emit: number): void {
    const early = this.#early!
    this.#nextEarly[key] = emit === NEVER ? NEVER : Math.floor(emit / early) * early + early
    const groups = this.#byKey ? this.#groupsOfKey.get(key)! : this.#groupsOfKey.get(ALL)!
    for (const group of groups ?? []) {
      if (this.#dirty[group] === 0) continue
      this.#dirty[group] = 0
      const last = this.#grid.latestEnd(this.#panes.lastPane(group))
      for (let end = this.#nextEnd[group]!; end <= last; end += this.#grid.every) this.#give(group, key, end, false)
    }
    if (this.#byKey) this.#renewDue(key)
    else this.#due[ALL] = Math.min(this.#dueEnd(), this.#nextEarly[ALL]!)
  }

  #closeAll(close: number): void {
    for (const [key, groups] of this.#groupsOfKey) for (const group of [...groups]) this.#closeGroup(group, key, close)
  }

  /** Says the last word on windows that came out earlier and that the log is done with, and drops their panes. */
  #closeGroup(group: number, key: number, close: number): void {
    const given = this.#given.get(group)
    if (given) {
      for (const [end, state] of [...given].sort((a, b) => a[0] - b[0])) {
        if (end > close || end > this.#emitted[key]!) continue
        if (!state.isFinal) this.#give(group, key, end, true)
        given.delete(end)
      }
      if (given.size === 0) this.#given.delete(group)
    }
    if (close === Number.NEGATIVE_INFINITY) return
    this.#panes.dropBefore(group, this.#grid.firstPaneAfter(Math.min(close, this.#emitted[key]!)))
    this.#leaveWhenEmpty(group, key)
  }

  /** Puts one row out: the window of the group that ends at `end`, as it is now. */
  #give(group: number, key: number, end: number, isFinal: boolean): void {
    const grid = this.#grid
    const start = end - grid.size
    const slot = this.#panes.window(group, grid.paneOf(start), grid.paneOf(end), end)
    if (slot === NOWHERE) return
    const output = this.#output
    output.begin(end, key)
    let column = 0
    for (let index = 0; index < this.#keyIndexes.length; index++) output.put(column++, this.#groups.cell(group, index))
    for (const accumulator of this.#accumulators) output.put(column++, accumulator.result(slot) as Cell)
    output.put(column++, start)
    output.put(column++, end)
    if (this.#isChangelog) {
      output.put(column++, this.#revise(group, end, isFinal))
      output.put(column, isFinal)
    }
    output.finish()
  }

  #revise(group: number, end: number, isFinal: boolean): number {
    let given = this.#given.get(group)
    const state = given?.get(end)
    const revision = state === undefined ? 0 : state.revision + 1
    if (isFinal) {
      given?.delete(end)
      return revision
    }
    if (!given) {
      given = new Map()
      this.#given.set(group, given)
    }
    given.set(end, { revision, isFinal })
    return revision
  }

  #schedule(group: number, key: number, end: number): void {
    this.#nextEnd[group] = end
    if (this.#byKey) {
      this.#due[key] = Math.min(this.#due[key]!, end)
      return
    }
    const bucket = this.#buckets.get(end)
    if (bucket) bucket.push(group)
    else this.#buckets.set(end, [group])
    if (end < this.#due[ALL]!) this.#due[ALL] = end
  }

  #join(group: number, key: number): void {
    if (this.#keyOf[group] === key) return
    this.#keyOf[group] = key
    const groups = this.#groupsOfKey.get(key)
    if (groups) groups.add(group)
    else this.#groupsOfKey.set(key, new Set([group]))
  }

  #leaveWhenEmpty(group: number, key: number): void {
    if (!this.#panes.isEmpty(group) || this.#given.has(group)) return
    this.#panes.releaseGroup(group)
    this.#nextEnd[group] = NEVER
    this.#keyOf[group] = -1
    this.#dirty[group] = 0
    this.#groupsOfKey.get(key)?.delete(group)
    this.#emptied.add(group)
  }

  /** Frees the slots of groups that hold nothing. Only between batches: rows of a batch know their group by its slot. */
  #releaseEmptied(): void {
    for (const group of this.#emptied) if (this.#keyOf[group]! < 0) this.#groups.release(group)
    this.#emptied.clear()
  }

  #finish(): void {
    this.#releaseEmptied()
    this.#flushOutput()
  }

  #flushOutput(): void {
    this.#output.flush((batch, times) => this.#downstream.push(batch, times), this.#byKey)
  }

  #ensure(rows: number, times: Times): void {
    if (this.#slots.length < rows) this.#slots = new Int32Array(rows * 2)
    const groups = this.#groups.capacity
    this.#panes.ensureGroups(groups)
    if (groups > this.#nextEnd.length) {
      const old = this.#nextEnd.length
      this.#nextEnd = grown(this.#nextEnd, new Float64Array(groups * 2)).fill(NEVER, old)
      this.#keyOf = grown(this.#keyOf, new Int32Array(groups * 2)).fill(-1, old)
      this.#dirty = grown(this.#dirty, new Uint8Array(groups * 2))
    }
    if (!times.keys) return
    let highest = 0
    for (let row = 0; row < times.rows; row++) if (times.keys[row]! > highest) highest = times.keys[row]!
    const old = this.#due.length
    if (highest < old) return
    const length = Math.max(highest + 1, old * 2)
    this.#emitted = grown(this.#emitted, new Float64Array(length)).fill(Number.NEGATIVE_INFINITY, old)
    this.#due = grown(this.#due, new Float64Array(length)).fill(NEVER, old)
    this.#nextEarly = grown(this.#nextEarly, new Float64Array(length)).fill(NEVER, old)
  }
}
