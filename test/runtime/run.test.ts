/** A run under a clock that the test holds: what follows, what comes out though nothing comes in, what is kept. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import { count, type Pipeline, pipeline, sum, timestamp, topic, tumbling } from '../../src/index.ts'
import type { SourceReference } from '../../src/plan/nodes.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { type Arrival, MemorySource } from '../../src/testing/memory-source.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { runOptions } from './runs.ts'

const START = Date.parse('2026-11-22T05:00:00Z')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-run-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function follow({ plan }: Pipeline, arrivals: readonly Arrival[]) {
  const clock = new VirtualClock(START * 1000)
  const source: SourceReference = {
    kind: 'source',
    connector: 'memory',
    options: {},
    open: async () => ({
      openSource: async () => new MemorySource(arrivals, { partitions: 1, chunkBytes: 1, clock, ends: false }),
    }),
  }
  return runPipeline(plan, runOptions(folder, { inputs: new Map([['readings', [source]]]) }), clock)
}

const readings = topic('readings', z.object({ device: z.string(), at: timestamp('ms') }), {
  key: 'device',
  eventTime: { field: 'at', disorder: '1 s', idleAfter: '10 s' },
})

const arrives = (second: number): Arrival => ({
  line: JSON.stringify({ device: 'a', at: START + second * 1000 }),
  partition: 0,
})

const rowsOf = (name: string): Record<string, unknown>[] =>
  readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))

test('a followed input: what comes out by idleness is delivered', async () => {
  const tracker = pipeline('followed', ({ from, deliver }) => {
    deliver(
      from(readings).groupBy('device').window(tumbling('10 s')).aggregate({ n: count() }),
      file({ path: 'out.ndjson' }),
    )
  })
  await follow(tracker, [arrives(1), arrives(4), { silence_us: 5e6 }])
  expect(rowsOf('out.ndjson').length).toBe(0)
  rmSync(folder, { recursive: true })
  await follow(tracker, [arrives(1), arrives(4), { silence_us: 12e6 }])
  expect(rowsOf('out.ndjson')).toMatchObject([{ device: 'a', n: 2 }])
})

test('a topic in between goes on with the wall clock too', async () => {
  const minutes = topic('minutes', z.object({ device: z.string(), n: z.number(), window_start: timestamp('us') }), {
    eventTime: { field: 'window_start', idleAfter: '10 s' },
  })
  const tracker = pipeline('chained', ({ from, deliver }) => {
    from(readings)
      .groupBy('device')
      .window(tumbling('10 s'))
      .aggregate({ n: count() })
      .select('device', 'n', 'window_start')
      .to(minutes)
    const sums = from(minutes)
      .groupBy('device')
      .window(tumbling('1 m'))
      .aggregate({ n: sum('n') })
    deliver(sums, file({ path: 'sums.ndjson' }))
  })
  await follow(tracker, [arrives(1), arrives(11), arrives(21), { silence_us: 15e6 }, { silence_us: 80e6 }])
  expect(rowsOf('sums.ndjson')).toMatchObject([{ device: 'a', n: 3 }])
})

test('a window over a topic without event time is refused before anything is opened', async () => {
  const timeless = topic('timeless', z.object({ device: z.string() }))
  const { plan } = pipeline('timeless', ({ ingest, from, deliver }) => {
    ingest(file({ path: join(folder, 'in.ndjson') }), timeless)
    const counts = from(timeless).groupBy('device').window(tumbling('1 m')).aggregate({ n: count() })
    deliver(counts, file({ path: 'out.ndjson' }))
  })
  const dataDirectory = join(folder, 'data')
  const running = runPipeline(plan, runOptions(dataDirectory, { untilEnd: true }))
  await expect(running).rejects.toMatchObject({ code: 'PIPELINE_INVALID' })
  await expect(running).rejects.toThrow(/run\.test\.ts:\d+:\d+: .*topic 'timeless' has none/)
  expect(existsSync(dataDirectory)).toBe(false)
})

test('state behind a lambda that cannot be read: kept with a word while its text is the same, refused when it is not', async () => {
  const limits = { low: -1 }
  const made = (variant: 'same' | 'other' | 'read') =>
    pipeline('unverified', ({ from, deliver }) => {
      const predicate = {
        same: () => from(readings).filter(r => r.device !== String(limits.low)),
        other: () => from(readings).filter(r => r.device !== String(limits.low - 1)),
        read: () => from(readings).filter(r => r.device !== '-1'),
      }[variant]
      deliver(
        predicate().groupBy('device').window(tumbling('10 s')).aggregate({ n: count() }),
        file({ path: 'out.ndjson' }),
      )
    })
  const first = await follow(made('same'), [arrives(1), { silence_us: 5e6 }])
  expect(first.warnings).toEqual([])
  const second = await follow(made('same'), [arrives(1), { silence_us: 5e6 }])
  expect(second.warnings).toEqual([
    {
      code: 'STATE_UNVERIFIED',
      message: expect.stringMatching(/is kept, behind a lambda that cannot be read \(.*run\.test\.ts:\d+:\d+\)/),
      next: expect.stringContaining('as a parameter'),
    },
  ])
  await expect(follow(made('other'), [arrives(1)])).rejects.toMatchObject({ code: 'CHANGE_REFUSED' })
  await expect(follow(made('read'), [arrives(1)])).rejects.toMatchObject({ code: 'CHANGE_REFUSED' })
})
