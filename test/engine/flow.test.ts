/** The flow's promises to what stands behind it, and what its operators hold in memory. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Batch, batchOf, rowsOf } from '../../src/engine/batch.ts'
import { Flow } from '../../src/engine/flow.ts'
import type { Stage } from '../../src/engine/operators/stage.ts'
import { WindowOperator } from '../../src/engine/operators/window.ts'
import { TopicTime } from '../../src/engine/time.ts'
import { count, hopping, pipeline, sum, timestamp, topic, tumbling, type WindowOptions } from '../../src/index.ts'
import type { SinkReference, WindowNode } from '../../src/plan/nodes.ts'

const sink: SinkReference = { kind: 'sink', connector: 'rows', options: {}, open: async () => null }
const message = z.object({ device: z.string(), at: timestamp('us'), value: z.number() })
const readings = topic('readings', message, { key: 'device', eventTime: { field: 'at', disorder: '1 s' } })
const readingsByKey = topic('readings', message, {
  key: 'device',
  eventTime: { field: 'at', disorder: '1 s', progress: 'key' },
})

test.each([readings, readingsByKey])('all that a push causes has happened when it returns', source => {
  const { plan } = pipeline('slow', ({ from, deliver }) => {
    const inner = from(source)
      .groupBy('device')
      .window(tumbling('1 s'))
      .aggregate({ n: count(), total: sum('value') })
    const outer = inner
      .groupBy('device')
      .window(tumbling('1 m'))
      .aggregate({ n: sum('n') })
    deliver(inner, sink)
    deliver(outer, sink)
  })
  const found: Record<string, unknown>[] = []
  const write = (batch: Batch) => void found.push(...rowsOf(batch).map(row => ({ ...row })))
  const outerFound: unknown[] = []
  const writeOuter = (batch: Batch) => void outerFound.push(...rowsOf(batch).map(row => row.window_start))
  const streams = plan.delivers.map(({ stream }) => stream)
  const flow = new Flow(plan.topics[0]!, {
    outputs: [
      { stream: streams[0]!, write },
      { stream: streams[1]!, write: writeOuter },
    ],
    taps: new Map(),
    onLate: () => {},
    onOverflow: () => {},
  })
  const time = new TopicTime(plan.topics[0]!.eventTime!, plan.topics[0]!.columns, ['device'])
  time.addPartition(0)
  const rows = Array.from({ length: 600 }, (_, index) => ({
    device: `d${index % 3}`,
    at: index * 250_000,
    value: index,
  }))
  flow.push(batchOf(plan.topics[0]!.columns, rows), time.observe(batchOf(plan.topics[0]!.columns, rows), 0, 0))
  flow.end()
  const totals = found.map(row => row.total).sort()
  const wanted = new Map<string, number>()
  for (const { device, at, value } of rows) {
    const key = `${device}@${Math.floor(at / 1e6)}`
    wanted.set(key, (wanted.get(key) ?? 0) + value)
  }
  expect(totals).toEqual([...wanted.values()].sort())
  expect(outerFound.toSorted((a, b) => Number(a) - Number(b))).toEqual([0, 0, 0, 60e6, 60e6, 60e6, 120e6, 120e6, 120e6])
})

/** A window operator by itself, fed a record at a time by one device or many. */
function operatorOf(options: WindowOptions, progress: 'partition' | 'key') {
  const source = progress === 'key' ? readingsByKey : readings
  const { plan } = pipeline('alone', ({ from, deliver }) => {
    const windows = from(source)
      .groupBy('device')
      .window(hopping({ size: '10 s', every: '1 s' }), options)
      .aggregate({ n: count() })
    deliver(windows, sink)
  })
  let given = 0
  const gather = (rows: number) => {
    given += rows
  }
  const end: Stage = { push: batch => gather(batch.length), advance: () => {}, end: () => {} }
  const node = plan.delivers[0]!.stream as WindowNode
  const operator = new WindowOperator(node, node.input.columns, end, {
    progress,
    downstreamKeepsTime: false,
    onOverflow: () => {},
    onLate: () => {},
  })
  const { columns, eventTime, key } = plan.topics[0]!
  const time = new TopicTime(eventTime!, columns, key)
  time.addPartition(0)
  const push = (rows: { device: string; at: number; value: number }[]) => {
    const batch = batchOf(columns, rows)
    operator.push(batch, time.observe(batch, 0, 1))
    operator.advance(time.watermark())
  }
  return { operator, time, push, given: () => given }
}

const POLICIES: WindowOptions[] = [
  {},
  { early: '3 s' },
  { late: 'restate', allowedLateness: '20 s' },
  { late: 'restate', allowedLateness: '20 s', early: '3 s' },
]

describe.each(['partition', 'key'] as const)('memory, progress by %s', progress => {
  test.each(POLICIES)('one device for a day: what is held does not grow (%o)', options => {
    const { operator, push } = operatorOf(options, progress)
    let panes = 0
    for (let second = 0; second < 86_400; second += 10) {
      push(Array.from({ length: 10 }, (_, index) => ({ device: 'a', at: (second + index) * 1e6, value: 1 })))
      panes = Math.max(panes, operator.size.panes)
      expect(operator.size.groups).toBe(1)
    }
    // 10 panes a window and 20 more that can be restated, 10 that came in at once; each with its merge.
    expect(panes).toBeLessThan(100)
  })
})

test.each(POLICIES)('devices that come and go leave nothing behind (%o)', options => {
  const { operator, push } = operatorOf(options, 'partition')
  for (let second = 0; second < 20_000; second += 10) {
    push(
      Array.from({ length: 10 }, (_, index) => ({
        device: `d${second + index}`,
        at: (second + index) * 1e6,
        value: 1,
      })),
    )
  }
  expect(operator.size.groups).toBeLessThan(100)
  expect(operator.size.panes).toBeLessThan(300)
  operator.end()
  expect(operator.size).toEqual({ groups: 0, panes: 0 })
})

test('windows that came out by idleness are let go when their time comes', () => {
  for (const progress of ['partition', 'key'] as const) {
    const { operator, time, push, given } = operatorOf({}, progress)
    push([{ device: 'a', at: 0, value: 1 }])
    for (const watermark of time.idle(3600e6)) operator.advance(watermark)
    expect(given()).toBe(10)
    expect(operator.size.groups).toBe(1)
    push([{ device: 'a', at: 3600e6, value: 1 }])
    push([{ device: 'a', at: 3700e6, value: 1 }])
    operator.end()
    expect(operator.size).toEqual({ groups: 0, panes: 0 })
    expect(given()).toBe(30)
  }
})
