/** What operators are told of event time. */
import type { OtherPartitions } from './key-watermarks.ts'

/** What operators know of the time of a batch's rows, by row of the batch as it came from the topic. */
export interface Times {
  readonly rows: number
  /** Event time in microseconds. */
  readonly time: Float64Array
  /** A record no longer counts in what ends at or before this. */
  readonly frontier: Float64Array
  /**
   * The same for groups that hold rows of several progress keys, which close by the lowest of the keys: a key that is new
   * starts there at the lowest time of those that are known. Elsewhere the same array as `frontier`.
   */
  readonly joint: Float64Array
  /** With progress by key: the slot of each row's key; else null. */
  readonly keys: Int32Array | null
  /** With progress by key, where keys are scattered over partitions: how far the other partitions let a key go; else null. */
  readonly othersOfKey: OtherPartitions | null
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
