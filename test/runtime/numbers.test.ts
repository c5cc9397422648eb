/** The numbers of a topic are the same on the page, in the summary, in what is stored, in the list of dead letters, in SQL. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { lettersOf } from '../../src/cli/dead-letters.ts'
import { summaryLines } from '../../src/cli/run-summary.ts'
import { styleFor } from '../../src/cli/terminal.ts'
import { topicId } from '../../src/dashboard/graph.ts'
import { StatusReporter } from '../../src/dashboard/status.ts'
import { count, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import { listTopics } from '../../src/log/topic-store.ts'
import { systemClock } from '../../src/system/clock.ts'
import { silent } from './pushed-readings.ts'
import { begin } from './runs.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-numbers-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const readings = topic('readings', z.object({ device: z.string(), at: timestamp('ms'), n: z.number() }), {
  key: 'device',
  eventTime: { field: 'at', disorder: '0 s', progress: 'partition', idleAfter: '1 h' },
})
const { plan } = pipeline('numbers', ({ ingest, from, warehouse }) => {
  ingest(silent, readings)
  const windows = from(readings)
    .groupBy('device')
    .window(tumbling('1 s'), { late: 'quarantine' })
    .aggregate({ readings: count() })
  warehouse.table('RAW').appends(readings)
  warehouse.table('WINDOWS').appends(windows)
})

const MESSAGES: readonly (readonly [id: string, lines: readonly string[]])[] = [
  ['a', ['{"device":"a","at":1000,"n":1}', '{"device":"a","at":5000,"n":2}']],
  // One is not JSON, one has a text for a number, one is late.
  ['b', ['{"device":', '{"device":"a","at":5100,"n":"two"}', '{"device":"a","at":1500,"n":3}']],
  ['a', ['{"device":"a","at":1000,"n":1}', '{"device":"a","at":5000,"n":2}']],
]

test('records, rejected, late, duplicates and dead letters, after a restart too', async () => {
  const first = await begin(plan, folder)
  for (const [id, lines] of MESSAGES) {
    const { kind } = await first.handle!.append('readings', Buffer.from(`${lines.join('\n')}\n`), id)
    expect(kind).not.toBe('failed')
  }
  await first.stop()
  const { handle, stop } = await begin(plan, folder)
  const progress = handle!.progress()
  const numbers = { records: 5, rejected: 2, late: 1, duplicates: 2, deadLetters: 3, repeats: 0 }
  expect(progress.topics).toMatchObject([{ topic: 'readings', ...numbers }])
  const { nodes } = new StatusReporter(handle!, systemClock).status()!
  expect(nodes[topicId('readings')]).toMatchObject({ records: 5, late: 1, deadLetters: 3 })
  const summary = { ...progress, dataDirectory: folder, reason: 'stopped' as const }
  const cells = summaryLines(plan, 'pipeline.ts', summary, styleFor({})).map(line => line.trim().split(/ {2,}/))
  const titles = cells.findIndex(([title]) => title === 'topic')
  expect(cells.slice(titles, titles + 2)).toEqual([
    ['topic', 'records', 'dead letters', 'late', 'rejected', 'duplicates'],
    ['readings', '5', '3', '1', '2', '2'],
  ])
  await stop()
  expect(listTopics(folder)).toContainEqual(expect.objectContaining({ name: 'readings', stored_records: 3 }))
  const letters = [...lettersOf(folder, { topic: null, code: null, numbers: null })].map(({ letter }) => letter.code)
  expect(letters.sort()).toEqual(['RECORD_INVALID', 'RECORD_INVALID', 'RECORD_LATE'])
  const again = await begin(plan, folder)
  const rows = await again.handle!.query('SELECT count(*) AS n FROM RAW', {})
  expect(await rows.read()).toEqual([{ n: 3 }])
  rows.close()
  await again.stop()
})
