/**
 * Hopping and tumbling event-time windows by key.
 *
 * A record counts in the windows that contain it and end after its frontier (minus the allowed lateness): a function of
 * the log alone. Windows come out when the emission watermark passes their end: with progress by partition that is the
 * same for all groups, with progress by key each key has its own. A window that came out before the log was done with it
 * (idle, restated) keeps its panes and comes out again, one revision later, when a record changes it.
 *
 * Here rows arrive: each gets its pane or is late, and where its time makes windows due they come out before it counts
 * (window-emission.ts).
 */
import type { WindowNode } from '../../plan/nodes.ts'
import type { Column } from '../../plan/schema.ts'
import type { Accumulator, RowSpan } from '../aggregates/accumulator.ts'
import { accumulatorOf } from '../aggregates/index.ts'
import type { Batch, ColumnData } from '../batch.ts'
import type { OnOverflow } from '../overflow.ts'
import { KeyResolver } from '../state/key-resolver.ts'
import type { Stateful } from '../state/table.ts'
import { noCounts, type StepCounts } from '../step-counts.ts'
import type { Times, Watermark } from '../times.ts'
import { GivenWindows } from './given-windows.ts'
import { NOWHERE, Panes } from './panes.ts'
import type { Stage } from './stage.ts'
import { WindowChanges } from './window-changes.ts'
import { WindowEmission } from './window-emission.ts'
import { greatestCommonDivisor, WindowGrid } from './window-grid.ts'
import { WindowOutput } from './window-output.ts'
import { ALL, NEVER, WindowSchedule } from './window-schedule.ts'
import { statefulWindow } from './window-state.ts'

export interface WindowOptions {
  /** How groups get their time: all together, or each by the topic key that is part of its own key. */
  readonly progress: 'partition' | 'key'
  /** Whether a stage below keeps time itself and must be told of every advance. */
  readonly downstreamKeepsTime: boolean
  /** Called for each row that counts in no window; `row` is the row's index in the batch from the topic. */
  readonly onLate: (row: number) => void
  /** What becomes of rows is counted here. */
  readonly counts?: StepCounts
  /** Called for each result that is refused, in place of giving it out. */
  readonly onOverflow: OnOverflow
  /** Whether somebody will ask what changed. Default false. */
  readonly keepsState?: boolean
}

export class WindowOperator implements Stage {
  readonly stateful: Stateful
  readonly #grid: WindowGrid
  readonly #allowed: number
  readonly #givesEarly: boolean
  readonly #byKey: boolean
  /** A stage below would count a row twice that came out by idleness and came out again: it gets last words only. */
  readonly #closesOnly: boolean
  readonly #options: WindowOptions
  readonly #downstream: Stage
  readonly #keyIndexes: readonly number[]
  readonly #aggregateIndexes: readonly (number | null)[]
  readonly #accumulators: readonly Accumulator[]
  readonly #changes: WindowChanges
  readonly #groups: KeyResolver
  readonly #panes: Panes
  readonly #schedule: WindowSchedule
  readonly #given: GivenWindows
  readonly #emission: WindowEmission
  readonly #counts: StepCounts
  /** By row of the batch: the slot of its pane. */
  #slots = new Int32Array(1024)
  /** By row of the batch from the topic: what ends by then is over for it. */
  #frontier: Float64Array = new Float64Array(0)

  constructor(node: WindowNode, input: readonly Column[], downstream: Stage, options: WindowOptions) {
    const pane = greatestCommonDivisor(node.size_us, node.every_us)
    this.#grid = new WindowGrid(node.size_us, node.every_us, pane)
    this.#allowed = node.late === 'restate' ? node.allowedLateness_us : 0
    this.#givesEarly = node.early_us !== null
    this.#byKey = options.progress === 'key'
    this.#closesOnly = options.downstreamKeepsTime && node.stream.kind !== 'changelog'
    this.#options = options
    this.#counts = options.counts ?? noCounts()
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
    const keepsState = options.keepsState ?? false
    this.#changes = new WindowChanges(keepsState)
    const keyColumns = this.#keyIndexes.map(index => input[index]!)
    this.#groups = new KeyResolver(keyColumns, keepsState)
    this.#panes = new Panes(this.#accumulators, node.size_us / pane, this.#changes.panes)
    this.#schedule = new WindowSchedule(this.#byKey, node.early_us, this.#changes)
    this.#given = new GivenWindows(this.#changes)
    const state = {
      grid: this.#grid,
      groups: this.#groups,
      panes: this.#panes,
      accumulators: this.#accumulators,
      schedule: this.#schedule,
      given: this.#given,
      output: new WindowOutput(node.columns, this.#changes, options.onOverflow),
    }
    this.stateful = statefulWindow(node.identity, state, this.#changes)
    this.#emission = new WindowEmission(node, state, downstream, {
      byKey: this.#byKey,
      allowed_us: this.#allowed,
      downstreamKeepsTime: options.downstreamKeepsTime,
    })
  }

  push(batch: Batch, times: Times): void {
    const groups = this.#groups.resolve(
      this.#keyIndexes.map(index => batch.data[index]!),
      batch.length,
    )
    this.#counts.in += batch.length
    this.#ensure(batch.length, times)
    this.#frontier = this.#byKey ? times.frontier : times.joint
    if (this.#byKey) this.#pushByKey(batch, times, groups)
    else this.#pushTogether(batch, times, groups)
    this.#finish()
  }

  #pushByKey(batch: Batch, times: Times, groups: Int32Array): void {
    const { origin } = batch
    const { othersOfKey } = times
    const frontier = this.#frontier
    const { due } = this.#schedule
    const keys = times.keys!
    let flushed = 0
    let row = 0
    for (let source = 0; source < times.rows; source++) {
      const key = keys[source]!
      const own = frontier[source]!
      if (own >= due[key]!) {
        const at = this.#reached(times, own, key)
        if (at >= due[key]!) {
          this.#add(batch, times, flushed, row)
          flushed = row
          const close = othersOfKey === null ? own : Math.min(own, othersOfKey.closed(key))
          this.#emission.emit(key, at, close - this.#allowed)
        }
      }
      while (row < batch.length && (origin === null ? row : origin[row]!) === source) {
        flushed = this.#place(batch, times, groups, row, source, key, flushed)
        row++
      }
    }
    this.#add(batch, times, flushed, batch.length)
  }

  /** How far windows come out at a row whose own time has come to `own`. */
  #reached(times: Times, own: number, key: number): number {
    const { othersOfKey } = times
    if (!this.#byKey) return Math.min(own, this.#closesOnly ? times.othersClosed : times.others)
    if (othersOfKey === null) return own
    return Math.min(own, this.#closesOnly ? othersOfKey.closed(key) : othersOfKey.emitted(key))
  }

  #pushTogether(batch: Batch, times: Times, groups: Int32Array): void {
    const { origin } = batch
    const frontier = this.#frontier
    const { due } = this.#schedule
    const others = this.#closesOnly ? times.othersClosed : times.others
    let flushed = 0
    let followed = 0
    for (let row = 0; row < batch.length; row++) {
      const source = origin === null ? row : origin[row]!
      if (Math.min(frontier[source]!, others) >= due[ALL]!) {
        this.#add(batch, times, flushed, row)
        flushed = row
        this.#follow(times, others, followed, source + 1)
      }
      followed = source + 1
      flushed = this.#place(batch, times, groups, row, source, ALL, flushed)
    }
    this.#add(batch, times, flushed, batch.length)
    if (times.rows > 0 && Math.min(frontier[times.rows - 1]!, others) >= due[ALL]!) {
      this.#follow(times, others, followed, times.rows)
    }
  }

  /** Lets event time go on by the rows [from, to) of the topic one by one, those among them that a filter dropped. */
  #follow(times: Times, others: number, from: number, to: number): void {
    const { due } = this.#schedule
    for (let source = from; source < to; source++) {
      const own = this.#frontier[source]!
      const at = Math.min(own, others)
      if (at >= due[ALL]!) this.#emission.emit(ALL, at, Math.min(own, times.othersClosed) - this.#allowed)
    }
  }

  advance(watermark: Watermark): void {
    const { due } = this.#schedule
    const emit = this.#closesOnly ? watermark.close : watermark.emit
    const close = watermark.close - this.#allowed
    if (!this.#byKey) {
      // The time of one key says nothing of groups that have rows of others.
      if (watermark.key === null) this.#emission.emit(ALL, emit, close)
    } else if (watermark.key !== null && watermark.key < due.length && emit >= due[watermark.key]!) {
      this.#emission.emit(watermark.key, emit, close)
    }
    this.#finish()
    if (this.#options.downstreamKeepsTime) this.#downstream.advance({ ...watermark, emit })
  }

  awaits(key: number, emit: number): boolean {
    const { due } = this.#schedule
    return this.#options.downstreamKeepsTime || (this.#byKey && key < due.length && emit >= due[key]!)
  }

  end(): void {
    if (this.#byKey) for (const key of this.#schedule.keys) this.#emission.emit(key, NEVER, NEVER)
    else this.#emission.emit(ALL, NEVER, NEVER)
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
    const time = times.time[source]!
    const current = this.#panes.newest[group]!
    // Most rows go where the group's last row went; a product is cheaper to compare with than a quotient.
    const { pane } = this.#grid
    const start = this.#panes.index[current]! * pane
    const end = start + pane
    if (
      current !== NOWHERE &&
      time >= start &&
      time < end &&
      end > this.#frontier[source]! &&
      end > this.#schedule.emitted[key]! &&
      !this.#givesEarly
    ) {
      this.#slots[row] = current
      return flushed
    }
    return this.#placeSlowly(batch, times, group, row, source, key, this.#grid.paneOf(time), flushed)
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
    const schedule = this.#schedule
    const own = this.#frontier[source]!
    // Time has come this far though no window was due on the way.
    schedule.emit(key, this.#reached(times, own, key))
    // What was closed stays closed for a partition that is added later: its panes are gone.
    const closed = Math.max(own - this.#allowed, schedule.closed[key]!)
    const earliest = grid.earliestEnd(pane)
    const latest = grid.latestEnd(pane)
    if (latest <= closed) {
      return this.#late(group, row, source, flushed)
    }
    const firstEnd = earliest > closed ? earliest : grid.endAfter(closed)
    schedule.join(group, key)
    if (earliest > closed) {
      const known = this.#panes.find(group, pane)
      this.#slots[row] = known === NOWHERE ? this.#panes.add(group, pane) : known
      this.#panes.touch(group, pane)
    } else {
      this.#counts.partly_late++
      this.#slots[row] = this.#panes.partlyLate(group, pane, firstEnd)
    }
    const emitted = schedule.emitted[key]!
    const upcoming = firstEnd > emitted ? firstEnd : grid.endAfter(emitted)
    if (upcoming <= latest && upcoming < schedule.nextEnd(group)) schedule.schedule(group, key, upcoming)
    if (this.#givesEarly) schedule.change(group, key, own)
    if (firstEnd > emitted) return flushed
    // The row changes windows that have come out already: they come out again at once, so that a revision is a record's.
    this.#add(batch, times, flushed, row + 1)
    const last = Math.min(latest, emitted)
    for (let end = firstEnd; end <= last; end += grid.every) this.#emission.give(group, key, end, false)
    return row + 1
  }

  #late(group: number, row: number, source: number, flushed: number): number {
    this.#slots[row] = NOWHERE
    this.#counts.late++
    this.#schedule.passBy(group)
    this.#options.onLate(source)
    return flushed
  }

  /** Puts the rows [from, to) into the slots that were found for them. */
  #add(batch: Batch, times: Times, from: number, to: number): void {
    if (from >= to) return
    this.#changes.panes.markRows(this.#slots, from, to)
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

  #finish(): void {
    // Only between batches: the rows of a batch know their group by its slot.
    for (const group of this.#schedule.takeEmptied()) this.#groups.release(group)
    this.#emission.flush()
  }

  #ensure(rows: number, times: Times): void {
    if (this.#slots.length < rows) this.#slots = new Int32Array(rows * 2)
    const groups = this.#groups.capacity
    this.#panes.ensureGroups(groups)
    this.#schedule.ensureGroups(groups)
    if (!this.#byKey || !times.keys) return
    let highest = 0
    for (let row = 0; row < times.rows; row++) if (times.keys[row]! > highest) highest = times.keys[row]!
    this.#schedule.ensureKeys(highest + 1)
    this.#given.ensureKeys(highest + 1)
  }
}
