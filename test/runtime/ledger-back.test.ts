/** A ledger that went back: the sink gets what it lacks again while that is kept, and stands still alone where it is not. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { pipeline, timestamp, topic } from '../../src/index.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { Outside } from './outside.ts'
import { push, silent } from './pushed-readings.ts'
import { begin } from './runs.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-back-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 2))
}

const PAD = 'x'.repeat(100_000)
const RECORDS_A_PUSH = 20
/** More than a segment of the log holds. */
const PUSHES = 45

function planOf(back: Outside, well: Outside) {
  const schema = z.object({ device: z.string(), at: timestamp('ms'), n: z.number(), pad: z.string() })
  const readings = topic('readings', schema, {
    key: 'device',
    // Of what all sinks hold, the last part alone is kept.
    retention: { size: '1 MB' },
    eventTime: { field: 'at', disorder: '0 s', progress: 'partition', idleAfter: '1 h' },
  })
  return pipeline('back', ({ ingest, from, deliver }) => {
    ingest(silent, readings)
    const numbers = from(readings).select('n')
    deliver(numbers as never, back.reference as never)
    deliver(numbers as never, well.reference as never)
  }).plan
}

/** A directory whose topic has dropped its first records, all of them delivered. */
async function delivered(back: Outside, well: Outside, storage: MemoryStorage): Promise<void> {
  const run = await begin(planOf(back, well), folder, {}, storage.forProcess())
  let n = 0
  for (let number = 0; number < PUSHES; number++) {
    const lines = Array.from({ length: RECORDS_A_PUSH }, () => {
      return `${JSON.stringify({ device: 'a', at: n + 1, n: n++, pad: PAD })}\n`
    })
    expect((await push(run.handle!, { sender: 's', number, lines: lines.join('') })).kind).toBe('kept')
    await until(() => well.rows.length === n && back.rows.length === n)
  }
  await run.stop()
  expect(run.failure).toBeNull()
}

/** The first record that the topic still has. */
function startOf(storage: MemoryStorage): number {
  const segments = storage.list(join(folder, 'topics/readings/0')).filter(name => name.endsWith('.log'))
  return Math.min(...segments.map(name => Number.parseInt(name, 10)))
}

const numbers = (rows: readonly Record<string, unknown>[]) => rows.map(({ n }) => n)
const upTo = (end: number) => Array.from({ length: end }, (_, n) => n)
const RECORDS = PUSHES * RECORDS_A_PUSH

test('a ledger that went back to rows whose records are kept: the sink gets them again, once', async () => {
  const [back, well, storage] = [new Outside('back'), new Outside('well'), new MemoryStorage()]
  await delivered(back, well, storage)
  const start = startOf(storage)
  expect(start).toBeGreaterThan(1)
  back.restore(start + 7)
  const run = await begin(planOf(back, well), folder, {}, storage.forProcess())
  await until(() => back.rows.length === RECORDS)
  await push(run.handle!, { sender: 's', number: PUSHES, lines: `{"device":"a","at":5000,"n":${RECORDS},"pad":""}\n` })
  await until(() => back.rows.length === RECORDS + 1)
  await run.stop()
  expect(run.failure).toBeNull()
  expect(numbers(back.rows)).toEqual(upTo(RECORDS + 1))
  expect(numbers(well.rows)).toEqual(upTo(RECORDS + 1))
}, 60_000)

test('a ledger that went back to rows that are gone: its sink stands still and is told, all others go on', async () => {
  const [back, well, storage] = [new Outside('back'), new Outside('well'), new MemoryStorage()]
  await delivered(back, well, storage)
  const start = startOf(storage)
  back.restore(start - 1)
  const run = await begin(planOf(back, well), folder, {}, storage.forProcess())
  expect(run.failure).toBeNull()
  await push(run.handle!, { sender: 's', number: PUSHES, lines: `{"device":"a","at":5000,"n":${RECORDS},"pad":""}\n` })
  await until(() => well.rows.length === RECORDS + 1)
  const { behind } = run.handle!.progress().outputs.find(({ output }) => output === 'back')!
  expect(behind).toMatchObject({ rows: RECORDS + 1 - (start - 1), error: { code: 'SINK_BEHIND_LOG' } })
  await run.stop()
  expect(run.failure).toBeNull()
  expect(back.rows).toHaveLength(start - 1)
  // The newer state of the external system is restored, as the words say.
  for (const n of upTo(RECORDS).slice(start - 1)) back.rows.push({ n })
  back.restore(RECORDS)
  const again = await begin(planOf(back, well), folder, {}, storage.forProcess())
  await until(() => back.rows.length === RECORDS + 1)
  await again.stop()
  expect(again.failure).toBeNull()
  expect(numbers(back.rows)).toEqual(upTo(RECORDS + 1))
}, 60_000)
