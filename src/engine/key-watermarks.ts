/**
 * How far event time has come for keys that each have a time of their own.
 *
 * Where keys are scattered over partitions, each partition that has not ended holds a key up: at the key's own time in it,
 * or at the time that the partition has reached while the key has not come in it. An idle one holds up the closing alone.
 */
import type { EventTime } from '../plan/nodes.ts'
import { type KeyTimes, NEVER_CAME } from './key-times.ts'
import { grown } from './state/key-table.ts'
import type { Watermark } from './times.ts'

/** A partition that has not ended. */
export interface LivePartition {
  readonly number: number
  /** The largest event time in it, -Infinity before its first record. */
  readonly reached: number
  readonly idle: boolean
}

/** Whether anything would happen if the time of this key alone came to `emit`. */
export type Awaited = (key: number, emit: number) => boolean

/** How far the other partitions let the keys of a batch go: looked up once a key, for keys that something is due for. */
export class OtherPartitions {
  readonly #keys: KeyTimes
  readonly #disorder: number
  #others: readonly LivePartition[] = []
  #batch = 0
  #lookedUp = new Float64Array(1024)
  #emitted = new Float64Array(1024)
  #closed = new Float64Array(1024)

  constructor(keys: KeyTimes, disorder_us: number) {
    this.#keys = keys
    this.#disorder = disorder_us
  }

  /** To be called once a batch. */
  begin(others: readonly LivePartition[]): void {
    this.#others = others
    this.#batch++
  }

  /** Windows of the key that end after it do not come out yet; +Infinity: no other partition holds the key up. */
  emitted(key: number): number {
    this.#lookUp(key)
    return this.#emitted[key]!
  }

  /** The same with the idle partitions among them: windows that end after it may still change. */
  closed(key: number): number {
    this.#lookUp(key)
    return this.#closed[key]!
  }

  #lookUp(key: number): void {
    if (key >= this.#lookedUp.length) this.#grow(key)
    if (this.#lookedUp[key] === this.#batch) return
    this.#lookedUp[key] = this.#batch
    const { emit, close } = reachedBy(this.#keys, key, this.#others)
    this.#emitted[key] = emit - this.#disorder
    this.#closed[key] = close - this.#disorder
  }

  #grow(key: number): void {
    const length = key * 2
    this.#lookedUp = grown(this.#lookedUp, new Float64Array(length))
    this.#emitted = grown(this.#emitted, new Float64Array(length))
    this.#closed = grown(this.#closed, new Float64Array(length))
  }
}

/**
 * The lowest time of a key in these partitions: in all of them (close), and in those that are not idle (emit); +Infinity
 * where none holds the key up.
 */
function reachedBy(keys: KeyTimes, key: number, partitions: readonly LivePartition[], isScattered = true) {
  let emit = Number.POSITIVE_INFINITY
  let close = Number.POSITIVE_INFINITY
  for (const { number, reached, idle } of partitions) {
    const own = keys.reachedIn(number, key)
    if (own === NEVER_CAME && !isScattered) continue
    const at = own === NEVER_CAME ? reached : own
    if (at < close) close = at
    if (at < emit && !idle) emit = at
  }
  return { emit, close }
}

/** The lowest time that a key has in a partition that has not ended, with or without the idle ones. */
export function lowestKey(keys: KeyTimes, live: readonly LivePartition[], withIdle: boolean): number {
  let lowest = Number.POSITIVE_INFINITY
  for (const { number, reached, idle } of live) {
    if (idle && !withIdle) continue
    lowest = Math.min(lowest, reached === NEVER_CAME ? reached : keys.lowestIn(number))
  }
  return lowest
}

/** Where keys are scattered: those among the wanted ones that partitions held up and hold up no longer. */
export function releasedKeys(
  keys: KeyTimes,
  live: readonly LivePartition[],
  { disorder_us }: EventTime,
  awaited: Awaited,
  isWanted: (key: number) => boolean = () => true,
): Watermark[] {
  const found: Watermark[] = []
  const awake = live.filter(({ idle }) => !idle)
  if (awake.length === 0 || awake.some(({ reached }) => reached === NEVER_CAME)) return found
  for (let key = 0; key < keys.count; key++) {
    if (!isWanted(key) || keys.furthestOf(key) === NEVER_CAME) continue
    const reached = reachedBy(keys, key, live)
    const [emit, close] = [reached.emit - disorder_us, reached.close - disorder_us]
    if (awaited(key, emit)) found.push({ emit, close, key })
  }
  return found
}

/**
 * Silent keys that something awaits, each by itself, and scattered ones that are held up no longer; then all keys together,
 * for what goes by the lowest of them. `now` in microseconds.
 */
export function idleKeys(
  keys: KeyTimes,
  live: readonly LivePartition[],
  eventTime: EventTime,
  { now, isScattered }: { readonly now: number; readonly isScattered: boolean },
  awaited: Awaited,
): Watermark[] {
  const { idleAfter_us, disorder_us } = eventTime
  const isAwake = (key: number) => now - keys.arrivedAt(key) < idleAfter_us
  const found = isScattered ? releasedKeys(keys, live, eventTime, awaited, isAwake) : []
  let isSilent = false
  let lowest = Number.POSITIVE_INFINITY
  let lowestAwake = Number.POSITIVE_INFINITY
  let furthest = Number.NEGATIVE_INFINITY
  let arrived = 0
  for (let key = 0; key < keys.count; key++) {
    const maximum = keys.furthestOf(key)
    const { emit: reached, close } = reachedBy(keys, key, live, isScattered)
    if (maximum === NEVER_CAME) continue
    if (isAwake(key)) lowestAwake = Math.min(lowestAwake, reached)
    else {
      isSilent = true
      const emit = maximum + now - keys.arrivedAt(key) - disorder_us
      if (awaited(key, emit)) found.push({ emit, close: finite(close) - disorder_us, key })
    }
    lowest = Math.min(lowest, close)
    furthest = Math.max(furthest, maximum)
    arrived = Math.max(arrived, keys.arrivedAt(key))
  }
  if (!isSilent) return found
  const reached = lowestAwake === Number.POSITIVE_INFINITY ? furthest + (now - arrived) : lowestAwake
  const close = finite(lowest) - disorder_us
  return [...found, { emit: Math.max(reached - disorder_us, close), close, key: null }]
}

/** Where every partition has ended, another one may come: results come out by silence, and nothing is closed. */
export function finite(lowest: number): number {
  return lowest === Number.POSITIVE_INFINITY ? Number.NEGATIVE_INFINITY : lowest
}
