/** Sends a log through the real operators, cut as the test says, and gathers the rows of each output. */
import { type Batch, batchOf, rowsOf } from '../../src/engine/batch.ts'
import { Flow, topicOf } from '../../src/engine/flow.ts'
import { TopicTime } from '../../src/engine/time.ts'
import type { Plan, StreamNode, TopicNode } from '../../src/plan/nodes.ts'
import type { Cells, LogRecord } from './reference.ts'

export interface Driven {
  readonly rows: readonly Cells[][]
  readonly late: number
}

/** The topic at work, with what is behind it, and what has come out. */
export function start(topic: TopicNode, streams: readonly StreamNode[], partitions: number, keepsState: boolean) {
  const rows = streams.map((): Cells[] => [])
  let late = 0
  const flow = new Flow(topic, {
    outputs: streams.map((stream, index) => ({
      stream,
      write: (batch: Batch) => {
        rows[index]!.push(...rowsOf(batch).map(row => ({ ...row })))
      },
    })),
    taps: new Map(),
    onOverflow: () => {},
    onLate: () => {
      late++
    },
    keepsState,
  })
  const time = new TopicTime(topic.eventTime!, topic.columns, topic.key, {
    hasJointGroups: flow.needsLowestKey,
    isScattered: partitions > 1,
  })
  const stateful = keepsState ? [time.stateful('time'), ...flow.stateful] : []
  for (let partition = 0; partition < partitions; partition++) time.addPartition(partition)
  const awaits = (key: number, emit: number) => flow.awaits(key, emit)
  const advance = () => {
    for (const watermark of time.watermarks(flow)) flow.advance(watermark)
  }
  return { flow, time, stateful, rows, late: () => late, advance, awaits }
}

/** How many records of the log each partition has. */
export const recordsPerPartition = (log: readonly LogRecord[], partitions: number): number[] =>
  Array.from({ length: partitions }, (_, partition) => log.filter(one => one.partition === partition).length)

/**
 * `endsBatch` after which record a batch ends at the latest: a batch never holds records of two partitions. `silenceAfter_s`:
 * for how long nothing comes after a batch that ends with this record.
 */
export function drive(
  topic: TopicNode,
  streams: readonly StreamNode[],
  log: readonly LogRecord[],
  partitions: number,
  endsBatch: (record: number) => boolean,
  silenceAfter_s: (record: number) => number = () => 0,
): Driven {
  const { flow, time, rows, late, advance, awaits } = start(topic, streams, partitions, false)
  const left = recordsPerPartition(log, partitions)
  let pending: Cells[] = []
  let clock = 1
  for (let index = 0; index < log.length; index++) {
    const { partition, cells } = log[index]!
    pending.push(cells)
    if (!endsBatch(index) && log[index + 1]?.partition === partition) continue
    const batch = batchOf(topic.columns, pending)
    flow.push(batch, time.observe(batch, partition, clock))
    advance()
    const silence_s = silenceAfter_s(index)
    if (silence_s > 0) {
      clock += silence_s * 1e6
      for (const watermark of time.idle(clock, awaits)) flow.advance(watermark)
    }
    left[partition]! -= pending.length
    pending = []
    if (left[partition] === 0) {
      time.endPartition(partition)
      advance()
    }
  }
  flow.end()
  return { rows, late: late() }
}

export const topicOfPlan = (plan: Plan): TopicNode => topicOf(plan.delivers[0]!.stream)
