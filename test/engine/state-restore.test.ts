/** Laws: state that was saved and read into new objects goes on as if nothing had happened. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batchOf } from '../../src/engine/batch.ts'
import { TopicTime } from '../../src/engine/time.ts'
import type { StreamNode, TopicNode } from '../../src/plan/nodes.ts'
import { seededRandom } from '../../src/system/random.ts'
import { recordsPerPartition, start, topicOfPlan } from './drive.ts'
import {
  across,
  chained,
  logs,
  nested,
  plainPolicies,
  policies,
  type Setting,
  scattered,
  settings,
  stacked,
  sums,
  windowed,
} from './random-logs.ts'
import type { Cells, LogRecord } from './reference.ts'
import { PlainJournal } from './restarts.ts'
import { options, SEED } from './seed.ts'

test(`seed ${SEED}`, () => {})

/** What happens after a batch: time passes, perhaps with idleness; state is saved, perhaps as a whole; all is lost. */
interface Step {
  readonly cuts: boolean
  readonly silence_s: number
  readonly isIdle: boolean
  readonly does: 'nothing' | 'save' | 'restart' | 'compact'
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    cuts: fc.boolean(),
    silence_s: fc.constantFrom(0, 0, 1, 5, 11, 60),
    isIdle: fc.boolean(),
    does: fc.constantFrom('nothing', 'save', 'restart', 'compact'),
  }),
  { minLength: 5, maxLength: 31 },
)

/** Plays the log; with a seed it is saved and restarted as the steps say, the seed says in which order slots are read. */
function play(
  topic: TopicNode,
  streams: readonly StreamNode[],
  log: readonly LogRecord[],
  partitions: number,
  plan: readonly Step[],
  seed: number | null,
) {
  const journal = new PlainJournal(seededRandom(seed ?? 0))
  const begun = () => start(topic, streams, partitions, seed !== null)
  let running = begun()
  const rows = streams.map((): Cells[] => [])
  let late = 0
  const gather = () => {
    running.rows.forEach((own, index) => {
      rows[index]!.push(...own)
    })
    late += running.late()
  }
  const left = recordsPerPartition(log, partitions)
  const restart = () => {
    gather()
    running = begun()
    journal.restore(running.stateful)
    for (let partition = 0; partition < partitions; partition++) {
      if (left[partition] === 0 && log.some(one => one.partition === partition)) running.time.endPartition(partition)
    }
  }
  let now = 1e12
  let pending: Cells[] = []
  log.forEach(({ partition, cells }, index) => {
    const { cuts, silence_s, isIdle, does } = plan[index % plan.length]!
    pending.push(cells)
    if (!cuts && log[index + 1]?.partition === partition) return
    const batch = batchOf(topic.columns, pending)
    running.flow.push(batch, running.time.observe(batch, partition, now))
    running.advance()
    left[partition]! -= pending.length
    pending = []
    if (left[partition] === 0) {
      running.time.endPartition(partition)
      running.advance()
    }
    now += silence_s * 1e6
    if (isIdle) for (const watermark of running.time.idle(now)) running.flow.advance(watermark)
    if (seed === null || does === 'nothing') return
    if (does === 'compact') journal.saveWhole(running.stateful)
    else journal.save(running.stateful)
    if (does !== 'save') restart()
  })
  running.flow.end()
  gather()
  return { rows, late }
}

/** How far numbers may be apart, as a part of the larger one. */
type Tolerance = (column: string) => number
const exactly: Tolerance = () => 0

function check(
  build: typeof windowed,
  setting: Setting,
  log: readonly LogRecord[],
  partitions: number,
  plan: readonly Step[],
  tolerance: Tolerance = exactly,
) {
  const node = build(setting).plan
  const topic = topicOfPlan(node)
  const streams = node.delivers.map(({ stream }) => stream)
  const whole = play(topic, streams, log, partitions, plan, null)
  const broken = play(topic, streams, log, partitions, plan, log.length)
  expect(broken.late).toBe(whole.late)
  streams.forEach((_, output) => {
    const [wanted, found] = [whole.rows[output]!, broken.rows[output]!]
    if (wanted.length !== found.length) expect(found).toEqual(wanted)
    wanted.forEach((row, index) => {
      if (!sameRow(row, found[index]!, tolerance)) expect(found.slice(index)).toEqual(wanted.slice(index))
      if (!sameRow(row, found[index]!, tolerance)) throw new Error(`row ${index} differs in a sign of zero`)
    })
  })
}

function sameRow(row: Cells, other: Cells, tolerance: Tolerance): boolean {
  return Object.entries(row).every(([name, cell]) => {
    if (Object.is(cell, other[name])) return true
    if (typeof cell !== 'number' || tolerance(name) === 0) return false
    const [a, b] = [cell, Number(other[name])]
    return Math.abs(a - b) <= tolerance(name) * Math.max(Math.abs(a), Math.abs(b))
  })
}

/** Values whose sums are exact in any order. */
const wholeValues = (log: readonly LogRecord[]): LogRecord[] =>
  log.map(({ partition, cells }) => ({
    partition,
    cells: { ...cells, value: cells.value === null ? null : Math.round(cells.value as number) },
  }))

const anyPartitions = fc.integer({ min: 1, max: 3 }).chain(partitions =>
  fc.record({
    partitions: fc.constant(partitions),
    log: fc.oneof(
      logs(partitions, 80),
      logs(partitions, 80).map(log => scattered(log, partitions)),
    ),
  }),
)

describe('rows after restarts are those of an unbroken run', { timeout: 60_000 }, () => {
  test('windows of every aggregate, merged pane by pane', () => {
    fc.assert(
      fc.property(settings(policies), anyPartitions, steps, (setting, { log, partitions }, plan) => {
        check(windowed, setting, log, partitions, plan)
      }),
      options(150),
    )
  })

  test('long windows of many panes', () => {
    fc.assert(
      fc.property(settings(policies), anyPartitions, steps, (setting, { log, partitions }, plan) => {
        check(stacked, setting, wholeValues(log), partitions, plan)
      }),
      options(150),
    )
  })

  test('groups of several keys', () => {
    fc.assert(
      fc.property(settings(policies), anyPartitions, steps, (setting, { log, partitions }, plan) => {
        check(across, setting, log, partitions, plan)
      }),
      options(100),
    )
  })

  test('windows of windows, after a dedupe', () => {
    fc.assert(
      fc.property(settings(plainPolicies), anyPartitions, steps, (setting, { log, partitions }, plan) => {
        check(nested, setting, wholeValues(log), partitions, plan)
      }),
      options(100),
    )
  })

  test('windows of the last words on windows, with a dedupe between them', () => {
    fc.assert(
      fc.property(settings(policies), anyPartitions, steps, (setting, { log, partitions }, plan) => {
        check(chained, setting, wholeValues(log), partitions, plan)
      }),
      options(100),
    )
  })

  test('sums and variances of any doubles, to the last bit', () => {
    fc.assert(
      fc.property(settings(policies), anyPartitions, steps, (setting, { log, partitions }, plan) => {
        check(sums, setting, log, partitions, plan)
      }),
      options(150),
    )
  })
})

describe('state that nobody keeps', () => {
  const setting: Setting = { size: 10, every: 2, disorder: 0, progress: 'key', shape: 'device', window: {} }
  const node = nested(setting).plan
  const topic = topicOfPlan(node)
  const streams = node.delivers.map(({ stream }) => stream)

  test('is not asked what changed', () => {
    const flow = start(topic, streams, 1, false).flow
    expect(flow.stateful.length).toBe(3)
    for (const { tables } of flow.stateful) {
      for (const table of tables) expect(() => table.takeChanged()).toThrow('Changes were asked of state')
    }
  })

  test('each operator has an identity of its own', () => {
    const { stateful } = start(topic, streams, 1, true)
    expect(new Set(stateful.map(({ identity }) => identity)).size).toBe(4)
  })
})

test('a watermark that idleness moved stands where it stood', () => {
  const node = stacked({ size: 10, every: 2, disorder: 0, progress: 'partition', shape: 'device', window: {} }).plan
  const topic = topicOfPlan(node)
  const journal = new PlainJournal(seededRandom(1))
  const begun = () => {
    const time = new TopicTime(topic.eventTime!, topic.columns, topic.key)
    const stateful = [time.stateful('time')]
    time.addPartition(0)
    return { time, stateful }
  }
  const before = begun()
  const cells = { device: 'a', at: 50e6, text: null, number: null, flag: null, value: 1 }
  before.time.observe(batchOf(topic.columns, [cells]), 0, 1e6)
  before.time.idle(41e6)
  expect(before.time.watermark()).toEqual({ emit: 90e6, close: 50e6, key: null })
  journal.save(before.stateful)
  const after = begun()
  journal.restore(after.stateful)
  expect(after.time.watermark()).toEqual(before.time.watermark())
})

test('a partition that no source has any more holds nobody up', () => {
  const node = stacked({ size: 10, every: 2, disorder: 0, progress: 'partition', shape: 'device', window: {} }).plan
  const topic = topicOfPlan(node)
  const journal = new PlainJournal(seededRandom(1))
  const row = (device: string, at: number) => ({ device, at: at * 1e6, text: null, number: null, flag: null, value: 1 })
  const batch = (device: string, at: number) => batchOf(topic.columns, [row(device, at)])
  const before = new TopicTime(topic.eventTime!, topic.columns, topic.key)
  const kept = [before.stateful('time')]
  before.addPartition(0)
  before.addPartition(1)
  before.observe(batch('a', 50), 0, 1)
  before.observe(batch('b', 20), 1, 1)
  expect(before.watermark().close).toBe(20e6)
  journal.save(kept)

  for (const partitions of [[0, 1], [0]]) {
    const after = new TopicTime(topic.eventTime!, topic.columns, topic.key)
    // Whether partitions are added before or after: the same.
    if (partitions.length === 1) for (const partition of partitions) after.addPartition(partition)
    journal.restore([after.stateful('time')])
    for (const partition of partitions) after.addPartition(partition)
    expect(after.watermark().close).toBe(partitions.length === 2 ? 20e6 : 50e6)
  }
})
