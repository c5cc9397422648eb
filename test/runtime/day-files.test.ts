/** Files of consecutive days: a key that goes on in the next file loses nothing, whoever reads them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import { WorkerPool } from '../../src/engine/workers/pool.ts'
import { count, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { runOptions } from './runs.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-days-'))
const DAY = 86_400_000
const START = Date.parse('2026-11-20T00:00:00Z')
const RECORDS = 100_000

const readings = topic('readings', z.object({ device: z.string(), at: timestamp('ms'), note: z.string() }), {
  key: 'device',
  eventTime: { field: 'at', disorder: '1 s', progress: 'key' },
})

const { plan } = pipeline('days', ({ from, deliver }) => {
  const hours = from(readings).groupBy('device').window(tumbling('1 h')).aggregate({ n: count() })
  deliver(hours, file({ path: 'hours.ndjson' }))
})

/** Phone A fills the first day's file; phone B comes late on the first day and early on the second. */
beforeAll(() => {
  const note = 'x'.repeat(60)
  const line = (device: string, at: number) => `${JSON.stringify({ device, at, note })}\n`
  const first = Array.from({ length: RECORDS }, (_, index) => line('A', START + index * 800))
  const evening = [0, 1, 2].map(index => line('B', START + DAY - 3_600_000 + index))
  writeFileSync(join(folder, 'day-1.ndjson'), [...first, ...evening].join(''))
  const morning = [0, 1, 2, 3].map(index => line('B', START + DAY + index * 7_200_000))
  writeFileSync(join(folder, 'day-2.ndjson'), morning.join(''))
})
afterAll(() => rmSync(folder, { recursive: true }))

test.each([1, 2])('with %i threads', async threads => {
  const dataDirectory = join(folder, `data-${threads}`)
  const pool = threads > 1 ? new WorkerPool(threads - 1) : null
  const inputs = new Map([['readings', [file({ path: join(folder, 'day-*.ndjson') })]]])
  const summary = await runPipeline(plan, runOptions(dataDirectory, { inputs, untilEnd: true, pool }))
  await pool?.close()
  expect(summary.topics).toMatchObject([{ topic: 'readings', records: RECORDS + 7, late: 0 }])
  const rows = readFileSync(join(dataDirectory, 'hours.ndjson'), 'utf8').trimEnd().split('\n')
  const hours = rows.map(row => JSON.parse(row) as { device: string; n: number })
  expect(hours.filter(({ device }) => device === 'B').map(({ n }) => n)).toEqual([3, 1, 1, 1, 1])
  expect(hours.reduce((sum, { n }) => sum + n, 0)).toBe(RECORDS + 7)
})
