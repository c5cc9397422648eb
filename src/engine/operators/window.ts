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

export class WindowOperator implements Stage {
  readonly #grid: WindowGrid
  readonly #allowed: number
  readonly #early: number | null
  readonly #isChangelog: boolean
  readonly #byKey: boolean
  /** A stage below would count a row twice that came out by idleness and came out again: it gets last words only. */
  readonly #closesOnly: boolean
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
  /** By group: the ends of windows that came out and may change, with their last revision. */
  readonly #given = new Map<number, Map<number, number>>()
  /** With progress by partition: groups by the end of their next window. */
  readonly #buckets = new Map<number, number[]>()
  /** By progress key (0: all): what has come out, what is closed, what is due next; its groups. */
  #emitted = new Float64Array(1024).fill(Number.NEGATIVE_INFINITY)
  #closed = new Float64Array(1024).fill(Number.NEGATIVE_INFINITY)
  #due = new Float64Array(1024).fill(NEVER)
  #nextEarly = new Float64Array(1024).fill(NEVER)
  #nextFinal = new Float64Array(1024).fill(NEVER)
  readonly #groupsOfKey = new Map<number, Set<number>>()
  /** Groups that hold nothing any more. */
  readonly #emptied = new Set<number>()
  #lastGiven = Number.NEGATIVE_INFINITY
  /** Whether windows came out that the log was not done with. */
  #keepsGiven = false

  constructor(node: WindowNode, input: readonly Column[], downstream: Stage, options: WindowOptions) {
    const pane = greatestCommonDivisor(node.size_us, node.every_us)
    this.#grid = new WindowGrid(node.size_us, node.every_us, pane)
    this.#allowed = node.late === 'restate' ? node.allowedLateness_us : 0
    this.#early = node.early_us
    this.#isChangelog = node.stream.kind === 'changelog'
    this.#byKey = options.progress === 'key'
    this.#closesOnly = options.downstreamKeepsTime && !this.#isChangelog
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
    if (this.#byKey) this.#pushByKey(batch, times, groups)
    else this.#pushTogether(batch, times, groups)
    this.#finish()
  }

  #pushByKey(batch: Batch, times: Times, groups: Int32Array): void {
    const { origin } = batch
    const { frontier, emission } = times
    const keys = times.keys!
    let flushed = 0
    let row = 0
    for (let source = 0; source < times.rows; source++) {
      const key = keys[source]!
      const at = emission === null ? frontier[source]! : emission[source]!
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
    this.#add(batch, times, flushed, batch.length)
  }

  #pushTogether(batch: Batch, times: Times, groups: Int32Array): void {
    const { origin } = batch
    const { frontier } = times
    const others = this.#closesOnly ? times.othersClosed : times.others
    let flushed = 0
    let followed = 0
    for (let row = 0; row < batch.length; row++) {
      const source = origin === null ? row : origin[row]!
      if (Math.min(frontier[source]!, others) >= this.#due[ALL]!) {
        this.#add(batch, times, flushed, row)
        flushed = row
        this.#follow(times, others, followed, source + 1)
      }
      followed = source + 1
      flushed = this.#place(batch, times, groups, row, source, ALL, flushed)
    }
    this.#add(batch, times, flushed, batch.length)
    if (times.rows > 0 && Math.min(frontier[times.rows - 1]!, others) >= this.#due[ALL]!) {
      this.#follow(times, others, followed, times.rows)
    }
  }

  /** Lets event time go on by the rows [from, to) of the topic one by one, those among them that a filter dropped. */
  #follow(times: Times, others: number, from: number, to: number): void {
    for (let source = from; source < to; source++) {
      const own = times.frontier[source]!
      const at = Math.min(own, others)
      if (at >= this.#due[ALL]!) this.#emit(ALL, at, Math.min(own, times.othersClosed) - this.#allowed)
    }
  }

  advance(watermark: Watermark): void {
    const emit = this.#closesOnly ? watermark.close : watermark.emit
    const close = watermark.close - this.#allowed
    if (!this.#byKey) {
      // The time of one key says nothing of groups that have rows of others.
      if (watermark.key === null) this.#emit(ALL, emit, close)
    } else if (watermark.key !== null && watermark.key < this.#due.length && emit >= this.#due[watermark.key]!) {
      this.#emit(watermark.key, emit, close)
    }
    this.#finish()
    if (this.#options.downstreamKeepsTime) this.#downstream.advance({ ...watermark, emit })
  }

  end(): void {
    if (this.#byKey) for (const key of [...this.#groupsOfKey.keys()]) this.#emit(key, NEVER, NEVER)
    else this.#emit(ALL, NEVER, NEVER)
    this.#finish()
    this.#downstream.end()
  }

  /** What is held for windows that may still change: groups of rows, and panes with their merges. */
  get size(): { readonly groups: number; readonly panes: number } {
    return { groups: this.#groups.size, panes: this.#panes.size }
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
    const own = times.frontier[source]!
    // Time has come this far though no window was due on the way.
    const reached = this.#byKey
      ? (times.emission?.[source] ?? own)
      : Math.min(own, this.#closesOnly ? times.othersClosed : times.others)
    if (reached > this.#emitted[key]!) this.#emitted[key] = reached
    // What was closed stays closed for a key that comes for the first time, or in one more partition: its panes are gone.
    const closed = Math.max(own - this.#allowed, this.#closed[key]!)
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

  /**
   * Says the last word on windows that are closed, gives out those that end by `emit`, in order of their end, then early
   * results.
   */
  #emit(key: number, emit: number, close: number): void {
    if (this.#keepsGiven) this.#closeDue(key, close)
    if (close > this.#closed[key]!) this.#closed[key] = close
    this.#lastGiven = Number.NEGATIVE_INFINITY
    if (this.#byKey) this.#emitKey(key, emit, close)
    else this.#emitAll(emit, close)
    // What comes out by idleness is what is there: rows that come later may wait for their own time again.
    const own = close + this.#allowed
    const reached = emit > own ? Math.max(own, this.#lastGiven) : emit
    if (reached > this.#emitted[key]!) this.#emitted[key] = reached
    if (this.#nextEarly[key]! <= emit) this.#emitEarly(key, emit)
    this.#renewDue(key)
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
      this.#beforeEnd(end, close, null)
      for (const group of groups) {
        if (this.#nextEnd[group] !== end) continue
        this.#nextEnd[group] = NEVER
        this.#giveDue(group, ALL, end, close)
      }
      end = this.#dueEnd()
    }
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
      this.#beforeEnd(end, close, key)
      for (const group of [...groups]) {
        if (this.#nextEnd[group] !== end) continue
        this.#nextEnd[group] = NEVER
        this.#giveDue(group, key, end, close)
      }
    }
  }

  /** A stage below sees no row of windows that end here before it has done what was due until then. */
  #beforeEnd(end: number, close: number, key: number | null): void {
    this.#lastGiven = end
    if (!this.#options.downstreamKeepsTime) return
    this.#flushOutput()
    this.#downstream.advance({ emit: end - 1, close: Math.min(end - 1, close), key })
  }

  /** Sets the time at which something is next to be done. */
  #renewDue(key: number): void {
    let due = Math.min(this.#nextEarly[key]!, this.#nextFinal[key]! + this.#allowed)
    if (!this.#byKey) due = Math.min(due, this.#dueEnd())
    else for (const group of this.#groupsOfKey.get(key) ?? []) due = Math.min(due, this.#nextEnd[group]!)
    this.#due[key] = due
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
    for (const group of this.#groupsOfKey.get(key) ?? []) {
      if (this.#dirty[group] === 0) continue
      this.#dirty[group] = 0
      for (let end = this.#nextEnd[group]!; end !== NEVER; end = this.#followingEnd(group, end)) {
        this.#give(group, key, end, false)
      }
    }
  }

  #closeDue(key: number, close: number): void {
    const isNewStep = this.#byKey || this.#grid.step(close) > this.#grid.step(this.#closed[key]!)
    if (!isNewStep && close < this.#nextFinal[key]!) return
    let next = NEVER
    for (const group of [...(this.#groupsOfKey.get(key) ?? [])]) {
      this.#closeGroup(group, key, close)
      for (const end of this.#given.get(group)?.keys() ?? []) if (end < next) next = end
    }
    this.#nextFinal[key] = next
  }

  /** Says the last word on windows that came out earlier and that the log is done with, and drops their panes. */
  #closeGroup(group: number, key: number, close: number): void {
    const given = this.#given.get(group)
    if (given) {
      for (const end of [...given.keys()].sort((a, b) => a - b)) {
        if (end <= close && end <= this.#emitted[key]!) this.#give(group, key, end, true)
      }
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
    if (!isFinal) this.#keepsGiven = true
    output.begin(end, key)
    let column = 0
    for (let index = 0; index < this.#keyIndexes.length; index++) output.put(column++, this.#groups.cell(group, index))
    for (const accumulator of this.#accumulators) output.put(column++, accumulator.result(slot) as Cell)
    output.put(column++, start)
    output.put(column++, end)
    if (this.#isChangelog) {
      output.put(column++, this.#revise(group, key, end, isFinal))
      output.put(column, isFinal)
    }
    output.finish()
  }

  /** The revision of a row that comes out; unless it is the last word, that is kept in mind. */
  #revise(group: number, key: number, end: number, isFinal: boolean): number {
    let given = this.#given.get(group)
    const before = given?.get(end)
    const revision = before === undefined ? 0 : before + 1
    if (isFinal) {
      given?.delete(end)
      if (given?.size === 0) this.#given.delete(group)
      return revision
    }
    if (!given) {
      given = new Map()
      this.#given.set(group, given)
    }
    given.set(end, revision)
    if (end < this.#nextFinal[key]!) {
      this.#nextFinal[key] = end
      this.#due[key] = Math.min(this.#due[key]!, end + this.#allowed)
    }
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
    this.#closed = grown(this.#closed, new Float64Array(length)).fill(Number.NEGATIVE_INFINITY, old)
    this.#due = grown(this.#due, new Float64Array(length)).fill(NEVER, old)
    this.#nextEarly = grown(this.#nextEarly, new Float64Array(length)).fill(NEVER, old)
    this.#nextFinal = grown(this.#nextFinal, new Float64Array(length)).fill(NEVER, old)
  }
}
