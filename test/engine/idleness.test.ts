/** Event time goes on with the wall clock where nothing comes, and nothing is lost by it. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { count, type Pipeline, pipeline, sum, timestamp, topic, tumbling, type WindowOptions } from '../../src/index.ts'
import type { Progress, SinkReference } from '../../src/plan/nodes.ts'
import { pause, type TestRecord, testPipeline } from '../../src/testing/index.ts'

const sink: SinkReference = { kind: 'sink', connector: 'rows', options: {}, open: async () => null }
const START = Date.parse('2026-11-22T05:00:00Z')
const startsAt = '2026-11-22T05:00:00Z'

function counted(
  progress: Progress,
  options: WindowOptions = {},
  keys: readonly 'device'[] = ['device'],
  finals = false,
): Pipeline {
  const readings = topic('readings', z.object({ device: z.string(), at: timestamp('ms'), value: z.number() }), {
    key: 'device',
    eventTime: { field: 'at', disorder: '2 s', progress, idleAfter: '10 s' },
  })
  return pipeline('idleness', ({ from, deliver }) => {
    const windows = from(readings)
      .groupBy(...keys)
      .window(tumbling('10 s'), options)
      .aggregate({ n: count(), total: sum('value') })
    deliver(finals ? windows.finals() : windows, sink)
  })
}

const at = (seconds: number, device = 'a', value = 1) => ({ device, at: START + seconds * 1000, value })

async function rowsAfter(
  pipelineOf: Pipeline,
  records: readonly (TestRecord | ReturnType<typeof pause>)[],
  partitions: number | ((record: TestRecord) => number) = 1,
) {
  const { rows, late } = await testPipeline(pipelineOf, {
    inputs: { readings: records },
    startsAt,
    ends: false,
    partitions,
    chunkBytes: 1,
  })
  const short = rows.rows!.map(row => ({
    ...(row.device === undefined ? {} : { device: row.device }),
    start: ((row.window_start as number) - START * 1000) / 1e6,
    n: row.n,
    ...(row.revision === undefined ? {} : { revision: row.revision, is_final: row.is_final }),
  }))
  expect(late).toBe(0)
  return short
}

describe.each(['partition', 'key'] as const)('progress by %s', progress => {
  test('the last window closes though nothing comes', async () => {
    const records = [at(0), at(3), at(6)]
    expect(await rowsAfter(counted(progress), records)).toEqual([])
    expect(await rowsAfter(counted(progress), [...records, pause('5 s')])).toEqual([])
    // 12 s after the record at 6 s, less 2 s of disorder, is past the window's end.
    expect(await rowsAfter(counted(progress), [...records, pause('12 s')])).toEqual([{ device: 'a', start: 0, n: 3 }])
    expect(await rowsAfter(counted(progress), [...records, pause('12 s'), pause('1 h')])).toEqual([
      { device: 'a', start: 0, n: 3 },
    ])
  })

  test('a later record that is not late changes the window that came out', async () => {
    const records = [at(0), at(6), pause('12 s'), at(7)]
    expect(await rowsAfter(counted(progress), records)).toEqual([
      { device: 'a', start: 0, n: 2 },
      { device: 'a', start: 0, n: 3 },
    ])
    const restating = counted(progress, { late: 'restate', allowedLateness: '20 s' })
    expect(await rowsAfter(restating, [...records, at(40)])).toEqual([
      { device: 'a', start: 0, n: 2, revision: 0, is_final: false },
      { device: 'a', start: 0, n: 3, revision: 1, is_final: false },
      { device: 'a', start: 0, n: 3, revision: 2, is_final: true },
    ])
  })

  test('only last words: silence lets none out, and each window comes once', async () => {
    const lastWords = counted(progress, { late: 'restate', allowedLateness: '0 s' }, ['device'], true)
    expect(await rowsAfter(lastWords, [at(0), at(6), pause('12 s')])).toEqual([])
    expect(await rowsAfter(lastWords, [at(0), at(6), pause('12 s'), at(7), at(40)])).toEqual([
      { device: 'a', start: 0, n: 3 },
    ])
  })

  test('who comes back with an hour of readings gets one row a window', async () => {
    const burst = Array.from({ length: 722 }, (_, index) => at(20 + index * 5))
    const rows = await rowsAfter(counted(progress), [at(0), pause('1 h'), ...burst])
    expect(rows).toEqual([
      { device: 'a', start: 0, n: 1 },
      ...Array.from({ length: 360 }, (_, index) => ({ device: 'a', start: 20 + index * 10, n: 2 })),
    ])
  })
})

test('groups of several keys wait for none that is silent', async () => {
  const across = counted('key', {}, [])
  const records = [at(0, 'a'), at(1, 'b'), at(14, 'a')]
  expect(await rowsAfter(across, records)).toEqual([])
  expect(await rowsAfter(across, [...records, pause('12 s')])).toEqual([
    { start: 0, n: 2 },
    { start: 10, n: 1 },
  ])
})

test('the clock of one key closes nothing of the others', async () => {
  const across = counted('key', {}, [])
  const records = [at(0, 'a'), pause('9 s'), at(1, 'b'), pause('2 s'), at(2, 'b')]
  expect(await rowsAfter(across, records)).toEqual([])
})

test('a silent partition holds the others up for a while only', async () => {
  const partitions = (record: TestRecord) => ((record as { device: string }).device === 'a' ? 0 : 1)
  const records = [at(0, 'a'), at(0, 'b'), pause('8 s'), at(5, 'a'), at(13, 'a')]
  expect(await rowsAfter(counted('partition'), records, partitions)).toEqual([])
  expect(await rowsAfter(counted('partition'), [...records, pause('4 s')], partitions)).toEqual([
    { device: 'a', start: 0, n: 2 },
    { device: 'b', start: 0, n: 1 },
  ])
  // It comes back with a record that its own partition does not call late.
  expect(await rowsAfter(counted('partition'), [...records, pause('4 s'), at(9, 'b')], partitions)).toEqual([
    { device: 'a', start: 0, n: 2 },
    { device: 'b', start: 0, n: 1 },
    { device: 'b', start: 0, n: 2 },
  ])
})
