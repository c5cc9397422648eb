/**
 * How far event time has come for each key of a topic, in each partition that the key came in.
 *
 * Where records are placed by their key (a log of our own, a single file) a key has one partition, and its time is that of
 * its own records. Where keys are scattered over partitions (several files), a key that is new in a partition starts there
 * at the time that the partition has reached: so a partition that the key has not come in yet holds it up no longer than
 * the partition's own time does, and no record is in time for what has been closed.
 */
import type { Column } from '../plan/schema.ts'
import type { Batch } from './batch.ts'
import { LowestKey } from './lowest-key.ts'
import { KeyResolver } from './state/key-resolver.ts'
import { grown } from './state/key-table.ts'
import { ChangedSlots, type StateTable, stateTable } from './state/table.ts'

export const NEVER_CAME = Number.NEGATIVE_INFINITY

/** Where the frontiers of a batch's rows go: see `Times`. */
interface Frontiers {
  readonly frontier: Float64Array
  /** Null where no step has groups with rows of several keys. */
  readonly joint: Float64Array | null
}

export class KeyTimes {
  readonly #keyColumns: readonly number[]
  readonly #keys: KeyResolver
  readonly #disorder: number
  /** By partition and key. */
  readonly #maxima: Float64Array[] = []
  /** By key, where keys are placed: the lowest time of the keys known when it came first; see `Times.joint`. */
  #starts = new Float64Array(1024).fill(NEVER_CAME)
  #arrived = new Float64Array(1024)
  /** By partition, where a key is new: what the next new one starts at, at least. */
  readonly #floors: (number | undefined)[] = []
  /** By partition, once somebody has asked for the lowest key. */
  readonly #lowest: (LowestKey | undefined)[] = []
  readonly #changed = { times: new ChangedSlots(false), starts: new ChangedSlots(false) }

  constructor(columns: readonly Column[], key: readonly string[], disorder_us: number) {
    this.#keyColumns = key.map(name => columns.findIndex(column => column.name === name))
    this.#keys = new KeyResolver(this.#keyColumns.map(index => columns[index]!))
    this.#disorder = disorder_us
  }

  /** All keys are below. */
  get count(): number {
    return this.#keys.capacity
  }

  /** Takes note of rows: answers the key of each, lent until the next call, and fills in their frontiers. */
  observe(batch: Batch, time: Float64Array, partition: number, arrived: number, { frontier, joint }: Frontiers) {
    const keys = this.#resolve(batch, partition)
    const maxima = this.#maxima[partition]!
    for (let row = 0; row < batch.length; row++) {
      const key = keys[row]!
      const at = time[row]!
      if (joint !== null && maxima[key] === NEVER_CAME) this.#start(key, partition, at)
      if (at > maxima[key]!) maxima[key] = at
      const reached = maxima[key]! - this.#disorder
      frontier[row] = reached
      if (joint !== null) joint[row] = Math.max(reached, this.#starts[key]! - this.#disorder)
    }
    this.#note(keys, batch.length, arrived)
    return keys
  }

  /** The same where keys are scattered; `reached`: the largest time of the partition so far. */
  observeScattered(
    batch: Batch,
    time: Float64Array,
    partition: number,
    arrived: number,
    frontier: Float64Array,
    reached: number,
  ): Int32Array {
    const keys = this.#resolve(batch, partition)
    const maxima = this.#maxima[partition]!
    const lowest = this.#lowest[partition]
    let furthest = reached
    for (let row = 0; row < batch.length; row++) {
      const key = keys[row]!
      const at = time[row]!
      const isNew = maxima[key] === NEVER_CAME
      const maximum = Math.max(at, isNew ? furthest : maxima[key]!)
      if (isNew) lowest?.add(key, maximum)
      maxima[key] = maximum
      frontier[row] = maximum - this.#disorder
      if (at > furthest) furthest = at
    }
    this.#note(keys, batch.length, arrived)
    return keys
  }

  #resolve(batch: Batch, partition: number): Int32Array {
    const keys = this.#keys.resolve(
      this.#keyColumns.map(index => batch.data[index]!),
      batch.length,
    )
    this.#ensure(partition, this.#keys.capacity)
    return keys
  }

  #note(keys: Int32Array, rows: number, arrived: number): void {
    if (arrived !== 0) for (let row = 0; row < rows; row++) this.#arrived[keys[row]!] = arrived
    this.#changed.times.markRows(keys, 0, rows)
  }

  /** Of the lowest times so far the highest: keys that come later do not take it back. */
  #start(key: number, partition: number, at: number): void {
    const lowest = this.lowestIn(partition)
    this.#lowest[partition]!.add(key, at)
    const known = lowest === Number.POSITIVE_INFINITY ? NEVER_CAME : lowest
    const start = Math.max(this.#floors[partition] ?? this.#floorOf(partition), known)
    this.#floors[partition] = start
    if (start === NEVER_CAME) return
    this.#starts[key] = start
    this.#changed.starts.mark(key)
  }

  #floorOf(partition: number): number {
    const maxima = this.#maxima[partition]!
    let floor = NEVER_CAME
    for (let key = 0; key < maxima.length; key++) {
      if (maxima[key] !== NEVER_CAME) floor = Math.max(floor, this.#starts[key]!)
    }
    return floor
  }

  /** The lowest time that a key has reached in a partition, among those that came in it; +Infinity without any. */
  lowestIn(partition: number): number {
    const maxima = this.#maxima[partition]
    if (maxima === undefined) return Number.POSITIVE_INFINITY
    const timeOf = (key: number) => maxima[key]!
    let lowest = this.#lowest[partition]
    if (lowest === undefined) {
      lowest = new LowestKey()
      this.#lowest[partition] = lowest
      for (let key = 0; key < maxima.length; key++) if (maxima[key] !== NEVER_CAME) lowest.add(key, maxima[key]!)
    }
    return lowest.lowest(timeOf)
  }

  /** The largest time of a key in a partition, NEVER_CAME when it did not come in it. */
  reachedIn(partition: number, key: number): number {
    return this.#maxima[partition]?.[key] ?? NEVER_CAME
  }

  /** The largest time of a key in any partition, NEVER_CAME for a key without records. */
  furthestOf(key: number): number {
    let furthest = NEVER_CAME
    for (const maxima of this.#maxima) {
      const maximum = maxima[key] ?? NEVER_CAME
      if (maximum > furthest) furthest = maximum
    }
    return furthest
  }

  /** When rows of the key came last, by the wall clock; 0 where nobody asked for it. */
  arrivedAt(key: number): number {
    return this.#arrived[key]!
  }

  /** All keys count as if rows of theirs had come at `now`. */
  wake(now: number): void {
    for (let key = 0; key < this.count; key++) this.#arrived[key] = Math.max(this.#arrived[key]!, now)
  }

  /** The tables of the keys and their times; from now on what changes is noted. */
  tables(): readonly StateTable[] {
    this.#keys.changed.ask()
    this.#changed.times.ask()
    this.#changed.starts.ask()
    const times = stateTable('key times', this.#changed.times, {
      slots: () => this.count,
      write: (key, to) => {
        const maxima = this.#maxima.map(ofPartition => ofPartition[key] ?? NEVER_CAME)
        if (maxima.every(maximum => maximum === NEVER_CAME)) return false
        to.number(this.#arrived[key]!)
        to.whole(maxima.filter(maximum => maximum !== NEVER_CAME).length)
        for (const [partition, maximum] of maxima.entries()) {
          if (maximum === NEVER_CAME) continue
          to.whole(partition)
          to.number(maximum)
        }
        return true
      },
      read: (key, from) => {
        const arrived = from.number()
        const partitions = from.whole()
        for (let index = 0; index < partitions; index++) {
          const partition = from.whole()
          this.#ensure(partition, key + 1)
          this.#maxima[partition]![key] = from.number()
        }
        this.#arrived[key] = arrived
      },
    })
    const starts = stateTable('key starts', this.#changed.starts, {
      slots: () => this.count,
      write: (key, to) => {
        const start = this.#starts[key]!
        if (start === NEVER_CAME) return false
        to.number(start)
        return true
      },
      read: (key, from) => {
        this.#ensureKeys(key + 1)
        this.#starts[key] = from.number()
      },
    })
    return [this.#keys.table('keys'), times, starts]
  }

  restored(): void {
    this.#keys.restored()
    this.#lowest.length = 0
    this.#floors.length = 0
  }

  #ensure(partition: number, keys: number): void {
    while (this.#maxima.length <= partition) this.#maxima.push(new Float64Array(0))
    const old = this.#maxima[partition]!.length
    if (keys > old) {
      const larger = grown(this.#maxima[partition]!, new Float64Array(Math.max(1024, keys * 2)))
      this.#maxima[partition] = larger.fill(NEVER_CAME, old)
    }
    this.#ensureKeys(keys)
  }

  #ensureKeys(keys: number): void {
    const old = this.#arrived.length
    if (keys <= old) return
    this.#arrived = grown(this.#arrived, new Float64Array(keys * 2))
    this.#starts = grown(this.#starts, new Float64Array(keys * 2)).fill(NEVER_CAME, old)
  }
}
