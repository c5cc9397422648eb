import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { count, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import type { RunHandle } from '../../src/runtime/options.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { gone, Outside } from './outside.ts'
import { hasty, silent } from './pushed-readings.ts'
import { runOptions } from './runs.ts'

const schema = z.object({ device: z.string(), at: timestamp('ms'), n: z.number() })
const MB = 1024 * 1024

test('the disk budget never takes what a sink that is behind still lacks', { timeout: 120_000 }, async () => {
  const readings = topic('readings', schema, {
    key: 'device', retention: { size: '1 MB' },
    eventTime: { field: 'at', disorder: '0 s', progress: 'partition', idleAfter: '1 h' },
  })
  const ill = new Outside('ill')
  const well = new Outside('well')
  const { plan } = pipeline('budget', ({ ingest, from, deliver }) => {
    ingest(silent, readings)
    deliver(from(readings) as never, ill.reference as never)
    deliver(from(readings).groupBy('device').window(tumbling('1 s')).aggregate({ n: count() }) as never, well.reference as never)
  })
  const folder = mkdtempSync(join(tmpdir(), 'millrace-budget-'))
  const storage = new MemoryStorage()
  const stop = new AbortController()
  const ready = Promise.withResolvers<RunHandle>()
  let failure: unknown = null
  const run = runPipeline(plan, runOptions(folder, { signal: stop.signal, onReady: ready.resolve, diskBudget_bytes: 150 * MB } as never), hasty, storage.forProcess()).catch(e => { failure = e })
  const handle = (await Promise.race([ready.promise, run])) as RunHandle
  let isGone = false
  for (const o of [ill]) o.before = () => { if (isGone) throw gone() }
  let n = 0
  const kept: number[] = []
  const pad = 'x'.repeat(60_000)
  const send = async (records: number, at: () => number) => {
    const first = n
    const lines = Array.from({ length: records }, () => `${JSON.stringify({ device: 'a', at: at(), n: n++, pad })}\n`).join('')
    const outcome = await handle.append('readings', Buffer.from(lines), null as never)
    if (outcome.kind === 'kept') for (let i = first; i < n; i++) kept.push(i)
    return outcome
  }
  const devices = Array.from({ length: 60_000 }, (_, i) => `${JSON.stringify({ device: `device-${i}`, at: 1, n: n++ })}\n`).join('')
  expect((await handle.append('readings', Buffer.from(devices), null as never)).kind).toBe('kept')
  for (let i = 0; i < n; i++) kept.push(i)
  await new Promise(r => setTimeout(r, 300))
  isGone = true
  const starts = () => storage.paths.filter(p => p.includes('/topics/readings/0/') && p.endsWith('.log')).map(p => p.split('/').at(-1))
  for (const size of [60, 10, 1]) for (let i = 0; i < 100; i++) if ((await send(size, () => 2)).kind === 'failed') break
  console.log('kept', kept.length, 'held', JSON.stringify(handle.progress().held?.message ?? null), 'segments', starts())
  const line = `${JSON.stringify({ device: 'a', at: 5000, n: n++ })}\n`
  const outcome = await handle.append('readings', Buffer.from(line), null as never)
  console.log('closer', outcome.kind)
  if (outcome.kind === 'kept') kept.push(n - 1)
  for (let i = 0; i < 40; i++) { await new Promise(r => setTimeout(r, 50)); const h = handle.progress(); if (i % 8 === 0) console.log('held', JSON.stringify(h.held?.message ?? null), starts().join(' ')) }
  await new Promise(r => setTimeout(r, 300))
  console.log('after', 'kept', kept.length, 'held', JSON.stringify(handle.progress().held?.message ?? null), 'segments', starts(), 'warnings', JSON.stringify(handle.progress().warnings))
  isGone = false
  const deadline = Date.now() + 10_000
  while (Date.now() < deadline && failure === null && handle.progress().outputs.some(({ behind }) => behind !== null)) await new Promise(r => setTimeout(r, 20))
  console.log('failure', (failure as Error | null)?.message, JSON.stringify(handle.progress().outputs.map(({output, rows, behind}) => ({output, rows, behind: behind?.rows, e: behind?.error?.message}))), JSON.stringify(handle.progress().warnings))
  stop.abort()
  await run
  console.log('failure', (failure as Error | null)?.message)
  rmSync(folder, { recursive: true, force: true })
  const got = new Set(ill.rows.map(r => r.n))
  const lost = kept.filter(k => !got.has(k))
  console.log('acknowledged', kept.length, 'ill holds', ill.rows.length, 'lost', lost.length, lost.slice(0, 3), lost.at(-1))
  expect(lost.length).toBe(0)
})
