/**
 * The two frontiers of event time of one topic.
 *
 * **Lateness** is a function of the log alone: each record is judged by the running maximum of its own partition, or of
 * its own key in its partition, up to and including itself, minus the topic's disorder. **Emission** follows the lowest
 * partition that is live, or each key by itself; where nothing arrives for `idleAfter` it goes on with the wall clock.
 * **Closing** (a window's state is dropped) follows the lowest live partition, the idle ones among them: no record that
 * is in time comes after it.
 */
import type { EventTime } from '../plan/nodes.ts'
import type { Column } from '../plan/schema.ts'
import type { Batch, ColumnData } from './batch.ts'
import { KeyTimes } from './key-times.ts'
import {
  type Awaited,
  finite,
  idleKeys,
  type LivePartition,
  lowestKey,
  OtherPartitions,
  releasedKeys,
} from './key-watermarks.ts'
import type { StateReader, StateWriter } from './state/bytes.ts'
import { ChangedSlots, numberTable, type Stateful, stateTable } from './state/table.ts'
import type { Times, Watermark } from './times.ts'

export interface TopicTimeOptions {
  /** Whether a step has groups with rows of several progress keys, or deduplicates them: `Times.joint`. Default false. */
  readonly hasJointGroups?: boolean
  /** Whether a key may come in several partitions, with progress by key. Default false. */
  readonly isScattered?: boolean
}

/** What time asks of the operators behind it. */
export interface TimedFlow {
  awaits: Awaited
  /** Whether it needs the lowest time of all keys. */
  readonly needsLowestKey: boolean
}

interface PartitionTime {
  maximum: number
  offset: number
  /** Whether a source reads it now; one of an earlier run only, which no source has any more, holds nobody up. */
  live: boolean
  idle: boolean
  arrived: number
}

export class TopicTime {
  readonly #eventTime: EventTime
  readonly #column: number
  readonly #keys: KeyTimes | null
  readonly #others: OtherPartitions | null
  readonly #partitions: PartitionTime[] = []
  readonly #added = new Set<number>()
  readonly #hasJointGroups: boolean
  #isScattered: boolean
  /** Rows since keys that waited for other partitions were looked at. */
  #rowsSinceLook = Number.NEGATIVE_INFINITY
  #frontier = new Float64Array(1024)
  #joint = new Float64Array(1024)
  #idleEmit = Number.NEGATIVE_INFINITY
  readonly #changed = {
    partitions: new ChangedSlots(false),
    idle: new ChangedSlots(false),
    look: new ChangedSlots(false),
  }

  constructor(
    eventTime: EventTime,
    columns: readonly Column[],
    key: readonly string[],
    { hasJointGroups = false, isScattered = false }: TopicTimeOptions = {},
  ) {
    this.#eventTime = eventTime
    this.#column = columns.findIndex(column => column.name === eventTime.column)
    this.#keys = eventTime.progress === 'key' ? new KeyTimes(columns, key, eventTime.disorder_us) : null
    this.#others = this.#keys && new OtherPartitions(this.#keys, eventTime.disorder_us)
    this.#hasJointGroups = hasJointGroups
    this.#isScattered = isScattered && this.#keys !== null
  }

  /** Says that a key may come in several partitions; before any row comes. */
  scatterKeys(): void {
    this.#isScattered = this.#keys !== null
  }

  /** Says that a source reads the partition; saying it again changes nothing. */
  addPartition(partition: number): void {
    if (this.#added.has(partition)) return
    this.#added.add(partition)
    this.#partition(partition).live = true
  }

  #partition(partition: number): PartitionTime {
    while (this.#partitions.length <= partition) {
      this.#partitions.push({ maximum: Number.NEGATIVE_INFINITY, offset: 0, live: false, idle: false, arrived: 0 })
    }
    return this.#partitions[partition]!
  }

  /** Takes note of rows; `arrived` is the wall clock in microseconds (0 where nobody asks for idleness). */
  observe(batch: Batch, partition: number, arrived: number): Times {
    const state = this.#partitions[partition]!
    const rows = batch.length
    const time = (batch.data[this.#column] as Extract<ColumnData, { values: Float64Array }>).values
    if (this.#frontier.length < rows) {
      this.#frontier = new Float64Array(rows * 2)
      this.#joint = new Float64Array(rows * 2)
    }
    const frontier = this.#frontier
    const joint = this.#keys && this.#hasJointGroups && !this.#isScattered ? this.#joint : null
    const keys = this.#observeKeys(batch, time, partition, arrived, joint)
    if (this.#keys === null) this.#observePartition(state, time, rows)
    else for (let row = 0; row < rows; row++) if (time[row]! > state.maximum) state.maximum = time[row]!
    const firstOffset = state.offset
    state.offset += rows
    state.arrived = arrived
    state.idle = false
    this.#changed.partitions.mark(partition)
    // Something came: event time goes by records again.
    this.#setIdleEmit(Number.NEGATIVE_INFINITY)
    const others = this.#keys ? Number.NEGATIVE_INFINITY : this.#lowest(partition, false)
    const othersClosed = this.#keys ? Number.NEGATIVE_INFINITY : this.#lowest(partition, true)
    const othersOfKey = this.#othersOfKey(partition, rows)
    return {
      rows,
      time,
      frontier,
      joint: joint ?? frontier,
      keys,
      othersOfKey,
      partition,
      firstOffset,
      others,
      othersClosed,
    }
  }

  #observeKeys(
    batch: Batch,
    time: Float64Array,
    partition: number,
    arrived: number,
    joint: Float64Array | null,
  ): Int32Array | null {
    const { maximum } = this.#partitions[partition]!
    const frontier = this.#frontier
    if (this.#keys === null) return null
    return this.#isScattered
      ? this.#keys.observeScattered(batch, time, partition, arrived, frontier, maximum)
      : this.#keys.observe(batch, time, partition, arrived, { frontier, joint })
  }

  #othersOfKey(partition: number, rows: number): OtherPartitions | null {
    if (this.#others === null || !this.#isScattered) return null
    this.#setRowsSinceLook(Math.max(0, this.#rowsSinceLook) + rows)
    this.#others.begin(this.#live(partition))
    return this.#others
  }

  #setRowsSinceLook(rows: number): void {
    this.#rowsSinceLook = rows
    this.#changed.look.mark(0)
  }

  /** The partitions that have not ended, without one of them. */
  #live(without = -1): LivePartition[] {
    const live: LivePartition[] = []
    for (const [number, { live: isLive, idle, maximum: reached }] of this.#partitions.entries()) {
      if (isLive && number !== without) live.push({ number, reached, idle })
    }
    return live
  }

  #observePartition(state: PartitionTime, time: Float64Array, rows: number): void {
    const { disorder_us } = this.#eventTime
    const frontier = this.#frontier
    let { maximum } = state
    for (let row = 0; row < rows; row++) {
      const at = time[row]!
      if (at > maximum) maximum = at
      frontier[row] = maximum - disorder_us
    }
    state.maximum = maximum
  }

  /** Says that nothing could come until now (the process was away): who has been silent is counted from `now` on. */
  wake(now: number): void {
    for (const state of this.#partitions) state.arrived = Math.max(state.arrived, now)
    this.#keys?.wake(now)
  }

  /** How far event time has come in a partition: -Infinity before its first record, +Infinity when it has ended. */
  reachedIn(partition: number): number {
    const { live, maximum } = this.#partitions[partition]!
    return live ? maximum : Number.POSITIVE_INFINITY
  }

  /** Says that the first record of a partition has this time: it holds nobody up who has not come so far. */
  beginPartition(partition: number, time: number): void {
    const state = this.#partitions[partition]!
    if (state.offset === 0) state.maximum = time
  }

  endPartition(partition: number): void {
    this.#partitions[partition]!.live = false
  }

  /** The lowest frontier of the partitions that have not ended, without one of them, with or without the idle ones. */
  #lowest(without: number, withIdle: boolean): number {
    let lowest = Number.POSITIVE_INFINITY
    for (let index = 0; index < this.#partitions.length; index++) {
      const state = this.#partitions[index]!
      if (index === without || !state.live || (state.idle && !withIdle)) continue
      lowest = Math.min(lowest, state.maximum - this.#eventTime.disorder_us)
    }
    return lowest
  }

  /**
   * Event time after rows, or after the end of a partition, for what does not go by the rows of its own key: first keys
   * that other partitions held up and hold up no longer, then all. Scattered keys are looked at once in as many rows as
   * there are keys, and until then nothing else goes on either: what closes by the lowest key has their rows before.
   */
  watermarks(flow: TimedFlow): readonly Watermark[] {
    if (this.#keys === null) return [this.watermark()]
    const all = () => (flow.needsLowestKey ? [this.watermark()] : [])
    if (!this.#isScattered) return all()
    if (this.#rowsSinceLook < this.#keys.count) return []
    this.#setRowsSinceLook(0)
    return [...releasedKeys(this.#keys, this.#live(), this.#eventTime, (key, emit) => flow.awaits(key, emit)), ...all()]
  }

  #noteIdlePartitions(now: number): void {
    for (const [partition, state] of this.#partitions.entries()) {
      if (!state.live || state.idle || now - state.arrived < this.#eventTime.idleAfter_us) continue
      state.idle = true
      this.#changed.partitions.mark(partition)
    }
  }

  /** Event time for all as it stands after the rows seen so far. */
  watermark(): Watermark {
    const close = finite(this.#lowestOfAll(true))
    const emit = finite(this.#lowestOfAll(false))
    return { emit: Math.max(emit, close, this.#idleEmit), close, key: null }
  }

  #lowestOfAll(withIdle: boolean): number {
    if (this.#keys === null) return this.#lowest(-1, withIdle)
    return lowestKey(this.#keys, this.#live(), withIdle) - this.#eventTime.disorder_us
  }

  /** For people to look at: the frontier of the furthest partition. */
  get furthest(): number | null {
    let furthest = Number.NEGATIVE_INFINITY
    for (const state of this.#partitions) furthest = Math.max(furthest, state.maximum)
    return furthest === Number.NEGATIVE_INFINITY ? null : furthest - this.#eventTime.disorder_us
  }

  /**
   * What the wall clock closes while no backlog is known: keys, or the whole topic, that have been silent for `idleAfter`.
   * `now` in microseconds. Keys that nobody awaits are left out. Default: all are told.
   */
  idle(now: number, awaited: Awaited = () => true): Watermark[] {
    this.#noteIdlePartitions(now)
    if (this.#keys !== null) {
      return idleKeys(this.#keys, this.#live(), this.#eventTime, { now, isScattered: this.#isScattered }, awaited)
    }
    const { disorder_us } = this.#eventTime
    let furthest = Number.NEGATIVE_INFINITY
    let arrived = 0
    // Those that have ended too: there may be none but them, and their last results come out as those of any other.
    for (const state of this.#partitions) {
      if (state.maximum > furthest) furthest = state.maximum
      arrived = Math.max(arrived, state.arrived)
    }
    const allIdle = this.#partitions.every(state => !state.live || state.idle)
    if (allIdle && furthest !== Number.NEGATIVE_INFINITY) {
      this.#setIdleEmit(Math.max(this.#idleEmit, furthest + (now - arrived) - disorder_us))
    }
    return [this.watermark()]
  }

  #setIdleEmit(time: number): void {
    if (time === this.#idleEmit) return
    this.#idleEmit = time
    this.#changed.idle.mark(0)
  }

  /**
   * Time as state, under an identity that is the owner's to choose; asked for before any row comes. Partitions are added
   * and ended anew after a restart: that is the sources' to say.
   */
  stateful(identity: string): Stateful {
    this.#changed.partitions.ask()
    this.#changed.idle.ask()
    this.#changed.look.ask()
    const partitions = stateTable('partitions', this.#changed.partitions, {
      slots: () => this.#partitions.length,
      write: (partition, to) => this.#writePartition(partition, to),
      read: (partition, from) => this.#readPartition(partition, from),
    })
    const idle = numberTable('idle', this.#changed.idle, {
      get: () => this.#idleEmit,
      set: value => {
        this.#idleEmit = value
      },
    })
    const look = numberTable('rows since look', this.#changed.look, {
      get: () => this.#rowsSinceLook,
      set: value => {
        this.#rowsSinceLook = value
      },
    })
    return {
      identity,
      tables: [partitions, idle, look, ...(this.#keys?.tables() ?? [])],
      restored: () => this.#keys?.restored(),
    }
  }

  #writePartition(partition: number, to: StateWriter): boolean {
    const { maximum, offset, idle, arrived } = this.#partitions[partition]!
    if (offset === 0 && !idle) return false
    to.number(maximum)
    to.number(offset)
    to.byte(idle ? 1 : 0)
    to.number(arrived)
    return true
  }

  #readPartition(partition: number, from: StateReader): void {
    const state = this.#partition(partition)
    state.maximum = from.number()
    state.offset = from.number()
    state.idle = from.byte() === 1
    state.arrived = from.number()
  }
}
