/** The harness that users test their pipelines with, and through it the decoder and the operators together. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { count, pipeline, sum, timestamp, topic, tumbling } from '../../src/index.ts'
import type { SinkReference } from '../../src/plan/nodes.ts'
import { pause, type TestRecord, testPipeline } from '../../src/testing/index.ts'
import { expectSameRows } from '../engine/compare.ts'
import { topicOfPlan } from '../engine/drive.ts'
import { logs, nested, plainPolicies, settings, windowed } from '../engine/random-logs.ts'
import { framed, type LogRecord, lastWords } from '../engine/reference.ts'
import { options } from '../engine/seed.ts'

const sink: SinkReference = { kind: 'sink', connector: 'rows', options: { path: 'out' }, open: async () => null }

const readings = topic(
  'readings',
  z.object({ device: z.string(), at: timestamp('ns'), value: z.number().nullable() }),
  {
    key: 'device',
    eventTime: { field: 'at', maxAhead: '1 m' },
  },
)

const totals = topic(
  'totals',
  z.object({
    device: z.string(),
    n: z.number(),
    total: z.number().nullable(),
    window_start: timestamp('us'),
    window_end: timestamp('us'),
  }),
)

const counted = pipeline('counted', ({ from, deliver, warehouse }) => {
  const windows = from(readings)
    .groupBy('device')
    .window(tumbling('1 m'), { late: 'quarantine' })
    .aggregate({ n: count(), total: sum('value') })

  windows.to(totals)
  warehouse.table('BIG').appends(from(totals).filter(row => row.n > 1))
  deliver(windows, sink)
})

const minute = (device: string, minute: number, value: number | null = 1) => ({
  device,
  at: 1_763_787_600_000_000_001n + BigInt(minute) * 60_000_000_000n,
  value,
})

describe('testPipeline', () => {
  test('answers with the rows of each output by its name', async () => {
    const records = [minute('a', 0), minute('a', 0, null), minute('b', 0), minute('a', 1)]
    const { rows, deadLetters, late } = await testPipeline(counted, { inputs: { readings: records } })
    const window_start = 1_763_787_600_000_000
    expect(rows.out).toEqual([
      { device: 'a', n: 2, total: 1, window_start, window_end: window_start + 60e6 },
      { device: 'b', n: 1, total: 1, window_start, window_end: window_start + 60e6 },
      { device: 'a', n: 1, total: 1, window_start: window_start + 60e6, window_end: window_start + 120e6 },
    ])
    expect(rows.totals).toEqual(rows.out)
    expect(rows.BIG).toEqual([rows.out![0]])
    expect({ deadLetters, late }).toEqual({ deadLetters: [], late: 0 })
  })

  test('keeps what was refused, late and ahead', async () => {
    const ahead = { ...minute('a', 5), device: 'late' }
    const records = [minute('a', 0), '{"device":"a"}', 'no json', minute('a', 2), minute('a', 0), ahead]
    const { deadLetters, late } = await testPipeline(counted, {
      inputs: { readings: records },
      startsAt: '2025-11-22T05:02:00Z',
    })
    const codes = deadLetters.map(({ code }) => code).sort()
    expect(codes).toEqual(['RECORD_AHEAD', 'RECORD_INVALID', 'RECORD_INVALID', 'RECORD_LATE'])
    expect(late).toBe(1)
  })

  test('refuses what does not fit', async () => {
    await expect(testPipeline(counted, { inputs: { other: [] } })).rejects.toMatchObject({ code: 'TOPIC_UNKNOWN' })
    await expect(testPipeline(counted, { inputs: { readings: [pause('1 s')] } })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    await expect(testPipeline(counted, { inputs: {}, startsAt: 'soon' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    const partitions = () => -1
    await expect(testPipeline(counted, { inputs: { readings: [minute('a', 0)] }, partitions })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })
})

/** JSON has no NaN, and -0 is written as 0. */
const asJson = (log: readonly LogRecord[]): LogRecord[] =>
  log.map(({ partition, cells }) => ({ partition, cells: JSON.parse(JSON.stringify(cells)) }))

test('decoder and operators together, cut anywhere, give what a plain recomputation gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }).chain(partitions => fc.tuple(fc.constant(partitions), logs(partitions))),
      settings(plainPolicies),
      fc.integer({ min: 1, max: 2000 }),
      fc.boolean(),
      async ([partitions, written], setting, chunkBytes, isNested) => {
        const log = asJson(written)
        const built = (isNested && partitions === 1 ? nested : windowed)(setting)
        const places = new Map<TestRecord, number>(log.map(({ cells, partition }) => [cells, partition]))
        const { rows } = await testPipeline(built, {
          inputs: { readings: log.map(({ cells }) => cells) },
          chunkBytes,
          partitions: record => places.get(record)!,
        })
        // The last sink is looked at.
        const { stream, name } = built.plan.delivers.at(-1)!
        expectSameRows(
          rows[name]!,
          lastWords(stream, framed(topicOfPlan(built.plan), log, true)).map(({ cells }) => cells),
        )
      },
    ),
    options(100),
  )
})
