/** How far event time has come for each key of a topic, in each partition that the key came in. */
import type { Column } from '../plan/schema.ts'
import type { Batch } from './batch.ts'
import { KeyResolver } from './state/key-resolver.ts'
import { grown } from './state/key-table.ts'
import { ChangedSlots, type StateTable, stateTable } from './state/table.ts'

const NEVER_CAME = Number.NEGATIVE_INFINITY

export class KeyTimes {
  readonly #keyColumns: readonly number[]
  readonly #keys: KeyResolver
  readonly #disorder: number
  /** By partition and key. A key belongs into one partition; where it comes in several, each has its own frontier. */
  readonly #maxima: Float64Array[] = []
  #arrived = new Float64Array(1024)
  readonly #changed = new ChangedSlots(false)

  constructor(columns: readonly Column[], key: readonly string[], disorder_us: number) {
    this.#keyColumns = key.map(name => columns.findIndex(column => column.name === name))
    this.#keys = new KeyResolver(this.#keyColumns.map(index => columns[index]!))
    this.#disorder = disorder_us
  }

  /** All keys are below. */
  get count(): number {
    return this.#keys.capacity
  }

  /** Takes note of rows: answers the key of each, lent until the next call, and puts their frontiers into `frontier`. */
  observe(batch: Batch, time: Float64Array, partition: number, arrived: number, frontier: Float64Array): Int32Array {
    const keys = this.#keys.resolve(
      this.#keyColumns.map(index => batch.data[index]!),
      batch.length,
    )
    this.#ensure(partition, this.#keys.capacity)
    const maxima = this.#maxima[partition]!
    for (let row = 0; row < batch.length; row++) {
      const key = keys[row]!
      const at = time[row]!
      if (at > maxima[key]!) maxima[key] = at
      frontier[row] = maxima[key]! - this.#disorder
    }
    if (arrived !== 0) for (let row = 0; row < batch.length; row++) this.#arrived[keys[row]!] = arrived
    this.#changed.markRows(keys, 0, batch.length)
    return keys
  }

  /** The emission of each row: a key that comes in several partitions waits for the lowest of them that is live. */
  putEmission(
    keys: Int32Array,
    frontier: Float64Array,
    emission: Float64Array,
    partition: number,
    rows: number,
    isLive: (partition: number) => boolean,
  ): void {
    const others = this.#maxima.filter((_, other) => other !== partition && isLive(other))
    for (let row = 0; row < rows; row++) {
      let lowest = frontier[row]!
      for (const maxima of others) {
        const other = (maxima[keys[row]!] ?? NEVER_CAME) - this.#disorder
        if (other < lowest && other !== NEVER_CAME) lowest = other
      }
      emission[row] = lowest
    }
  }

  /** The lowest maximum of a key among the live partitions that it came in, +Infinity when there is none. */
  maximumOf(key: number, isLive: (partition: number) => boolean): number {
    let lowest = Number.POSITIVE_INFINITY
    for (let partition = 0; partition < this.#maxima.length; partition++) {
      const maximum = this.#maxima[partition]![key] ?? NEVER_CAME
      if (maximum !== NEVER_CAME && isLive(partition)) lowest = Math.min(lowest, maximum)
    }
    return lowest
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
    this.#changed.ask()
    const times = stateTable('key times', this.#changed, {
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
    return [this.#keys.table('keys'), times]
  }

  restored(): void {
    this.#keys.restored()
  }

  #ensure(partition: number, keys: number): void {
    while (this.#maxima.length <= partition) this.#maxima.push(new Float64Array(0))
    const old = this.#maxima[partition]!.length
    if (keys > old) {
      const larger = grown(this.#maxima[partition]!, new Float64Array(Math.max(1024, keys * 2)))
      this.#maxima[partition] = larger.fill(NEVER_CAME, old)
    }
    if (keys > this.#arrived.length) this.#arrived = grown(this.#arrived, new Float64Array(keys * 2))
  }
}
