/**
 * Gives windows out: as rows of the groups whose windows end by the emission watermark, again when a record changes them,
 * and for the last time when they are closed; then their panes are dropped.
 *
 * Rows come out in order of their windows' end, each after the stage below has done what was due until that end.
 */
import type { WindowNode } from '../../plan/nodes.ts'
import type { Cell } from '../../plan/schema.ts'
import type { Accumulator } from '../aggregates/accumulator.ts'
import type { KeyResolver } from '../state/key-resolver.ts'
import type { GivenWindows } from './given-windows.ts'
import { NOWHERE, type Panes } from './panes.ts'
import type { Stage } from './stage.ts'
import type { WindowGrid } from './window-grid.ts'
import type { WindowOutput } from './window-output.ts'
import { NEVER, type WindowSchedule } from './window-schedule.ts'

/** What arrival fills and emission empties. */
export interface WindowState {
  readonly grid: WindowGrid
  readonly groups: KeyResolver
  readonly panes: Panes
  readonly accumulators: readonly Accumulator[]
  readonly schedule: WindowSchedule
  readonly given: GivenWindows
  readonly output: WindowOutput
}

export interface EmissionOptions {
  /** Whether each progress key has its own time. */
  readonly byKey: boolean
  /** How long after its end a window can still change. */
  readonly allowed_us: number
  /** Whether the stage below keeps time itself and must be told of every advance. */
  readonly downstreamKeepsTime: boolean
}

export class WindowEmission {
  readonly #state: WindowState
  readonly #downstream: Stage
  readonly #options: EmissionOptions
  readonly #keyColumns: number
  readonly #isChangelog: boolean
  readonly #output: WindowOutput
  readonly #given: GivenWindows

  constructor(node: WindowNode, state: WindowState, downstream: Stage, options: EmissionOptions) {
    this.#state = state
    this.#downstream = downstream
    this.#options = options
    this.#keyColumns = node.keys.length
    this.#isChangelog = node.stream.kind === 'changelog'
    this.#output = state.output
    this.#given = state.given
  }

  /**
   * Says the last word on windows that are closed, gives out those that end by `emit`, in order of their end, then early
   * results.
   */
  emit(key: number, emit: number, close: number): void {
    const { schedule } = this.#state
    const { byKey, allowed_us, downstreamKeepsTime } = this.#options
    if (this.#given.any) this.#closeDue(key, close)
    schedule.close(key, close)
    let last = Number.NEGATIVE_INFINITY
    for (let end = schedule.firstEnd(key); end <= emit && end !== NEVER; end = schedule.firstEnd(key)) {
      last = end
      if (downstreamKeepsTime) this.#advanceDownstream(end - 1, Math.min(end - 1, close), byKey ? key : null)
      for (const group of schedule.takeDue(key, end)) this.#giveDue(group, key, end, close)
    }
    // What comes out by idleness is what is there: rows that come later may wait for their own time again.
    const own = close + allowed_us
    schedule.emit(key, emit > own ? Math.max(own, last) : emit)
    for (const group of schedule.takeEarly(key, emit)) this.#giveEarly(group, key)
    schedule.renewDue(key, this.#given.firstEnd(key) + allowed_us)
    if (byKey && downstreamKeepsTime) this.#advanceDownstream(emit, close, key)
  }

  /** Puts one row out: the window of the group that ends at `end`, as it is now. */
  give(group: number, key: number, end: number, isFinal: boolean): void {
    const { grid, groups, panes, accumulators } = this.#state
    const start = end - grid.size
    const slot = panes.window(group, grid.paneOf(start), grid.paneOf(end), end)
    if (slot === NOWHERE) return
    const output = this.#output
    if (!isFinal) this.#given.note()
    output.begin(end, key)
    let column = 0
    for (let index = 0; index < this.#keyColumns; index++) output.put(column++, groups.cell(group, index))
    for (const accumulator of accumulators) output.put(column++, accumulator.result(slot) as Cell)
    output.put(column++, start)
    output.put(column++, end)
    if (this.#isChangelog) {
      output.put(column++, this.#given.revise(group, key, end, isFinal))
      output.put(column, isFinal)
      // Its last word is to be said.
      if (!isFinal) this.#state.schedule.wake(key, end + this.#options.allowed_us)
    }
    output.finish()
  }

  /** Hands on what was given out. */
  flush(): void {
    this.#output.flush((batch, times) => this.#downstream.push(batch, times), this.#options.byKey)
  }

  /** The stage below sees no row of a later window before it has done what was due until then. */
  #advanceDownstream(emit: number, close: number, key: number | null): void {
    this.flush()
    this.#downstream.advance({ emit, close, key })
  }

  /** Gives out a window that has become due, and sees to what comes after it. */
  #giveDue(group: number, key: number, end: number, close: number): void {
    const { grid, panes, schedule } = this.#state
    this.give(group, key, end, end <= close)
    const following = this.#followingEnd(group, end)
    if (following !== NEVER) schedule.schedule(group, key, following)
    if (end > close) return
    panes.dropBefore(group, grid.firstPaneAfter(end))
    this.#leaveWhenEmpty(group)
  }

  #giveEarly(group: number, key: number): void {
    for (let end = this.#state.schedule.nextEnd(group); end !== NEVER; end = this.#followingEnd(group, end)) {
      this.give(group, key, end, false)
    }
  }

  /** The end of the first window after `end` that holds a row of the group. */
  #followingEnd(group: number, end: number): number {
    const { grid, panes } = this.#state
    const following = end + grid.every
    let found = NEVER
    const pane = panes.firstFrom(group, grid.paneOf(following - grid.size))
    if (!Number.isNaN(pane)) found = Math.max(following, grid.earliestEnd(pane))
    for (const entry of panes.partlyLateOf(group)) {
      const first = Math.max(following, entry.minimumEnd, grid.earliestEnd(entry.pane))
      if (first <= grid.latestEnd(entry.pane)) found = Math.min(found, first)
    }
    return found
  }

  #closeDue(key: number, close: number): void {
    const { grid, schedule } = this.#state
    const isNewStep = this.#options.byKey || grid.step(close) > grid.step(schedule.closed[key]!)
    if (!isNewStep && close < this.#given.firstEnd(key)) return
    for (const group of schedule.groupsOf(key)) this.#closeGroup(group, key, close)
    this.#given.renewFirst(key, schedule.groupsOf(key))
  }

  /** Says the last word on windows that came out earlier and that the log is done with, and drops their panes. */
  #closeGroup(group: number, key: number, close: number): void {
    const { grid, panes, schedule } = this.#state
    const closed = Math.min(close, schedule.emitted[key]!)
    for (const end of this.#given.endsBy(group, closed)) this.give(group, key, end, true)
    if (close === Number.NEGATIVE_INFINITY) return
    panes.dropBefore(group, grid.firstPaneAfter(closed))
    this.#leaveWhenEmpty(group)
  }

  #leaveWhenEmpty(group: number): void {
    const { panes, schedule } = this.#state
    if (!panes.isEmpty(group) || this.#given.has(group)) return
    panes.releaseGroup(group)
    schedule.leave(group)
  }
}
