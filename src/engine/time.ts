/**
 * The two frontiers of event time of one topic.
 *
 * **Lateness** is a function of the log alone: each record is judged by the running maximum of its own partition, or of
 * its own key, up to and including itself, minus the topic's disorder. **Emission** follows the lowest partition that is
 * live, or each key by itself; where nothing arrives for `idleAfter` it goes on with the wall clock.
 */
import type { EventTime } from '../plan/nodes.ts'
import type { Column } from '../plan/schema.ts'
import type { Batch, ColumnData } from './batch.ts'
import { KeyTimes } from './key-times.ts'
import type { StateReader, StateWriter } from './state/bytes.ts'
import { ChangedSlots, numberTable, type Stateful, stateTable } from './state/table.ts'

/** What operators know of the time of a batch's rows, by row of the batch as it came from the topic. */
export interface Times {
  readonly rows: number
  /** Event time in microseconds. */
  readonly time: Float64Array
  /** A record no longer counts in what ends at or before this. */
  readonly frontier: Float64Array
  /** With progress by key: the slot of each row's key; else null. */
  readonly keys: Int32Array | null
  /** With progress by key: how far emission has come for the row's key; null where that is its frontier. */
  readonly emission: Float64Array | null
  readonly partition: number
  /** Number of the first row in its partition. */
  readonly firstOffset: number
  /** The lowest frontier of the other live partitions: emission does not pass it. With progress by key: no time at all. */
  readonly others: number
  /** The same with the idle partitions among them: nothing closes past it. */
  readonly othersClosed: number
}

/** How far event time has come. `emit`: windows that end by then come out. `close`: they no longer change. */
export interface Watermark {
  readonly emit: number
  readonly close: number
  /** Only for groups of this key; null: for all. */
  readonly key: number | null
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
  readonly #partitions: PartitionTime[] = []
  readonly #added = new Set<number>()
  readonly #isLive = (partition: number) => this.#partitions[partition]?.live === true
  #frontier = new Float64Array(1024)
  #emission = new Float64Array(1024)
  #idleEmit = Number.NEGATIVE_INFINITY
  readonly #changed = { partitions: new ChangedSlots(false), idle: new ChangedSlots(false) }

  constructor(eventTime: EventTime, columns: readonly Column[], key: readonly string[]) {
    this.#eventTime = eventTime
    this.#column = columns.findIndex(column => column.name === eventTime.column)
    this.#keys = eventTime.progress === 'key' ? new KeyTimes(columns, key, eventTime.disorder_us) : null
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
      this.#emission = new Float64Array(rows * 2)
    }
    const keys = this.#keys
      ? this.#keys.observe(batch, time, partition, arrived, this.#frontier)
      : this.#observePartition(state, time, rows)
    for (let row = 0; this.#keys && row < rows; row++) if (time[row]! > state.maximum) state.maximum = time[row]!
    const firstOffset = state.offset
    state.offset += rows
    state.arrived = arrived
    state.idle = false
    this.#changed.partitions.mark(partition)
    // Something came: event time goes by records again.
    this.#setIdleEmit(Number.NEGATIVE_INFINITY)
    const others = this.#keys ? Number.NEGATIVE_INFINITY : this.#lowest(partition, false)
    const othersClosed = this.#keys ? Number.NEGATIVE_INFINITY : this.#lowest(partition, true)
    const emission = this.#keys && this.#partitions.length > 1 ? this.#emission : null
    if (emission) this.#keys!.putEmission(keys!, this.#frontier, emission, partition, rows, this.#isLive)
    return { rows, time, frontier: this.#frontier, keys, emission, partition, firstOffset, others, othersClosed }
  }

  #observePartition(state: PartitionTime, time: Float64Array, rows: number): null {
    const { disorder_us } = this.#eventTime
    const frontier = this.#frontier
    let { maximum } = state
    for (let row = 0; row < rows; row++) {
      const at = time[row]!
      if (at > maximum) maximum = at
      frontier[row] = maximum - disorder_us
    }
    state.maximum = maximum
    return null
  }

  /** Says that nothing could come until now (the process was away): who has been silent is counted from `now` on. */
  wake(now: number): void {
    for (const state of this.#partitions) state.arrived = Math.max(state.arrived, now)
    this.#keys?.wake(now)
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

  #lowestKey(): number {
    let lowest = Number.POSITIVE_INFINITY
    const { count } = this.#keys!
    for (let key = 0; key < count; key++) lowest = Math.min(lowest, this.#keys!.maximumOf(key, this.#isLive))
    return lowest - this.#eventTime.disorder_us
  }

  /** Silent keys that something awaits, each by itself; then all keys together, for what goes by the lowest of them. */
  #idleKeys(now: number, awaited: (key: number, emit: number) => boolean): Watermark[] {
    const { idleAfter_us, disorder_us } = this.#eventTime
    const keys = this.#keys!
    const found: Watermark[] = []
    let isSilent = false
    let lowest = Number.POSITIVE_INFINITY
    let lowestAwake = Number.POSITIVE_INFINITY
    let furthest = Number.NEGATIVE_INFINITY
    let arrived = 0
    for (let key = 0; key < keys.count; key++) {
      const maximum = keys.maximumOf(key, this.#isLive)
      if (maximum === Number.POSITIVE_INFINITY) continue
      const silent = now - keys.arrivedAt(key)
      if (silent < idleAfter_us) lowestAwake = Math.min(lowestAwake, maximum)
      else {
        isSilent = true
        const emit = maximum + silent - disorder_us
        if (awaited(key, emit)) found.push({ emit, close: maximum - disorder_us, key })
      }
      lowest = Math.min(lowest, maximum)
      furthest = Math.max(furthest, maximum)
      arrived = Math.max(arrived, keys.arrivedAt(key))
    }
    if (!isSilent) return found
    const reached = lowestAwake === Number.POSITIVE_INFINITY ? furthest + (now - arrived) : lowestAwake
    const close = finite(lowest - disorder_us)
    return [...found, { emit: Math.max(reached - disorder_us, close), close, key: null }]
  }

  /** Event time for all as it stands after the rows seen so far. */
  watermark(): Watermark {
    const close = finite(this.#keys ? this.#lowestKey() : this.#lowest(-1, true))
    const emit = this.#keys ? close : finite(this.#lowest(-1, false))
    return { emit: Math.max(emit, close, this.#idleEmit), close, key: null }
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
  idle(now: number, awaited: (key: number, emit: number) => boolean = () => true): Watermark[] {
    if (this.#keys) return this.#idleKeys(now, awaited)
    const { idleAfter_us, disorder_us } = this.#eventTime
    let furthest = Number.NEGATIVE_INFINITY
    let arrived = 0
    for (const [partition, state] of this.#partitions.entries()) {
      if (!state.live) continue
      if (!state.idle && now - state.arrived >= idleAfter_us) {
        state.idle = true
        this.#changed.partitions.mark(partition)
      }
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
    return {
      identity,
      tables: [partitions, idle, ...(this.#keys?.tables() ?? [])],
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

/** With no partition left to wait for there is no frontier to speak of. */
function finite(lowest: number): number {
  return lowest === Number.POSITIVE_INFINITY ? Number.NEGATIVE_INFINITY : lowest
}
