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
import { KeyResolver } from './state/key-resolver.ts'
import { grown } from './state/key-table.ts'

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
  ended: boolean
  idle: boolean
  arrived: number
}

export class TopicTime {
  readonly #eventTime: EventTime
  readonly #column: number
  readonly #keyColumns: readonly number[]
  readonly #keys: KeyResolver | null
  readonly #partitions: PartitionTime[] = []
  /** By partition and key. A key belongs into one partition; where it comes in several, each has its own frontier. */
  readonly #keyMaxima: Float64Array[] = []
  #keyArrived = new Float64Array(1024)
  #frontier = new Float64Array(1024)
  #emission = new Float64Array(1024)
  #idleEmit = Number.NEGATIVE_INFINITY

  constructor(eventTime: EventTime, columns: readonly Column[], key: readonly string[]) {
    this.#eventTime = eventTime
    this.#column = columns.findIndex(column => column.name === eventTime.column)
    this.#keyColumns = key.map(name => columns.findIndex(column => column.name === name))
    this.#keys = eventTime.progress === 'key' ? new KeyResolver(this.#keyColumns.map(index => columns[index]!)) : null
  }

  addPartition(partition: number): void {
    this.#partitions[partition] ??= {
      maximum: Number.NEGATIVE_INFINITY,
      offset: 0,
      ended: false,
      idle: false,
      arrived: 0,
    }
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
      ? this.#observeKeys(batch, time, partition, arrived)
      : this.#observePartition(state, time, rows)
    for (let row = 0; this.#keys && row < rows; row++) if (time[row]! > state.maximum) state.maximum = time[row]!
    const firstOffset = state.offset
    state.offset += rows
    state.arrived = arrived
    state.idle = false
    // Something came: event time goes by records again.
    this.#idleEmit = Number.NEGATIVE_INFINITY
    const others = this.#keys ? Number.NEGATIVE_INFINITY : this.#lowest(partition, false)
    const othersClosed = this.#keys ? Number.NEGATIVE_INFINITY : this.#lowest(partition, true)
    const emission = this.#keys && this.#partitions.length > 1 ? this.#emission : null
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

  #observeKeys(batch: Batch, time: Float64Array, partition: number, arrived: number): Int32Array {
    const { disorder_us } = this.#eventTime
    const frontier = this.#frontier
    const keys = this.#keys!.resolve(
      this.#keyColumns.map(index => batch.data[index]!),
      batch.length,
    )
    this.#ensureKeys(partition)
    const maxima = this.#keyMaxima[partition]!
    for (let row = 0; row < batch.length; row++) {
      const key = keys[row]!
      const at = time[row]!
      if (at > maxima[key]!) maxima[key] = at
      frontier[row] = maxima[key]! - disorder_us
    }
    if (this.#partitions.length > 1) this.#observeEmission(keys, frontier, partition, batch.length)
    if (arrived !== 0) for (let row = 0; row < batch.length; row++) this.#keyArrived[keys[row]!] = arrived
    return keys
  }

  /** A key that comes in several partitions waits for the lowest of them. */
  #observeEmission(keys: Int32Array, frontier: Float64Array, partition: number, rows: number): void {
    const emission = this.#emission
    const others = this.#keyMaxima.filter((_, other) => other !== partition && !this.#partitions[other]!.ended)
    for (let row = 0; row < rows; row++) {
      let lowest = frontier[row]!
      for (const maxima of others) {
        const other = (maxima[keys[row]!] ?? Number.NEGATIVE_INFINITY) - this.#eventTime.disorder_us
        if (other < lowest && other !== Number.NEGATIVE_INFINITY) lowest = other
      }
      emission[row] = lowest
    }
  }

  #ensureKeys(partition: number): void {
    const { capacity } = this.#keys!
    for (let index = this.#keyMaxima.length; index <= partition; index++) this.#keyMaxima.push(new Float64Array(0))
    const old = this.#keyMaxima[partition]!.length
    if (capacity > old) {
      const larger = grown(this.#keyMaxima[partition]!, new Float64Array(Math.max(1024, capacity * 2)))
      this.#keyMaxima[partition] = larger.fill(Number.NEGATIVE_INFINITY, old)
    }
    if (capacity > this.#keyArrived.length) this.#keyArrived = grown(this.#keyArrived, new Float64Array(capacity * 2))
  }

  endPartition(partition: number): void {
    this.#partitions[partition]!.ended = true
  }

  /** The lowest frontier of the partitions that have not ended, without one of them, with or without the idle ones. */
  #lowest(without: number, withIdle: boolean): number {
    let lowest = Number.POSITIVE_INFINITY
    for (let index = 0; index < this.#partitions.length; index++) {
      const state = this.#partitions[index]!
      if (index === without || state.ended || (state.idle && !withIdle)) continue
      lowest = Math.min(lowest, state.maximum - this.#eventTime.disorder_us)
    }
    return lowest
  }

  /** The lowest maximum of a key among the live partitions that it came in. */
  #maximumOf(key: number): number {
    let lowest = Number.POSITIVE_INFINITY
    for (let partition = 0; partition < this.#keyMaxima.length; partition++) {
      const maximum = this.#keyMaxima[partition]![key] ?? Number.NEGATIVE_INFINITY
      if (maximum !== Number.NEGATIVE_INFINITY && !this.#partitions[partition]!.ended)
        lowest = Math.min(lowest, maximum)
    }
    return lowest
  }

  #lowestKey(): number {
    let lowest = Number.POSITIVE_INFINITY
    for (let key = 0; key < this.#keys!.capacity; key++) lowest = Math.min(lowest, this.#maximumOf(key))
    return lowest - this.#eventTime.disorder_us
  }

  /** Event time for all keys while some of them are silent: it follows the others, with none of them the wall clock. */
  #idleKeys(silentKeys: ReadonlySet<number>, now: number): Watermark {
    const { disorder_us } = this.#eventTime
    let lowest = Number.POSITIVE_INFINITY
    let furthest = Number.NEGATIVE_INFINITY
    let arrived = 0
    for (let key = 0; key < this.#keys!.capacity; key++) {
      const maximum = this.#maximumOf(key)
      if (maximum === Number.POSITIVE_INFINITY) continue
      if (!silentKeys.has(key)) lowest = Math.min(lowest, maximum)
      furthest = Math.max(furthest, maximum)
      arrived = Math.max(arrived, this.#keyArrived[key]!)
    }
    const reached = lowest === Number.POSITIVE_INFINITY ? furthest + (now - arrived) : lowest
    const close = finite(this.#lowestKey())
    return { emit: Math.max(reached - disorder_us, close), close, key: null }
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
   * `now` in microseconds.
   */
  idle(now: number): Watermark[] {
    const { idleAfter_us, disorder_us } = this.#eventTime
    if (this.#keys) {
      const found: Watermark[] = []
      for (let key = 0; key < this.#keys.capacity; key++) {
        const silent = now - this.#keyArrived[key]!
        const maximum = this.#maximumOf(key)
        if (silent < idleAfter_us || maximum === Number.POSITIVE_INFINITY) continue
        found.push({ emit: maximum + silent - disorder_us, close: maximum - disorder_us, key })
      }
      const silentKeys = new Set(found.map(({ key }) => key!))
      return silentKeys.size === 0 ? found : [...found, this.#idleKeys(silentKeys, now)]
    }
    let furthest = Number.NEGATIVE_INFINITY
    let arrived = 0
    for (const state of this.#partitions) {
      if (state.ended) continue
      if (now - state.arrived >= idleAfter_us) state.idle = true
      if (state.maximum > furthest) furthest = state.maximum
      arrived = Math.max(arrived, state.arrived)
    }
    const allIdle = this.#partitions.every(state => state.ended || state.idle)
    if (allIdle && furthest !== Number.NEGATIVE_INFINITY) {
      this.#idleEmit = Math.max(this.#idleEmit, furthest + (now - arrived) - disorder_us)
    }
    return [this.watermark()]
  }
}

/** With no partition left to wait for there is no frontier to speak of. */
function finite(lowest: number): number {
  return lowest === Number.POSITIVE_INFINITY ? Number.NEGATIVE_INFINITY : lowest
}
