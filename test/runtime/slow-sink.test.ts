/** Sinks that take their time or never answer: their streams go on, and a restart gives them what they lack. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { count, pipeline, sum, timestamp, topic, tumbling } from '../../src/index.ts'
import type { RunHandle } from '../../src/runtime/options.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { gone, Outside } from './outside.ts'
import { hasty, push, readings, silent } from './pushed-readings.ts'
import { begin, runOptions } from './runs.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-slow-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 2))
}

/** One reading a second of one device. */
const seconds = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => {
    return `${JSON.stringify({ device: 'a', at: (from + index) * 1000 + 1, n: from + index })}\n`
  }).join('')

/** A window over a window, stored in a topic that is read again, whose sink cannot take its first row. */
async function cascade(isCutOff: boolean): Promise<string[]> {
  rmSync(folder, { recursive: true, force: true })
  const storage = new MemoryStorage()
  const slow = new Outside('slow')
  const gate = Promise.withResolvers<void>()
  slow.before = call => (isCutOff && call === 'write' ? gate.promise : undefined)
  const { plan } = pipeline('cascade', ({ ingest, from, deliver }) => {
    ingest(silent, readings)
    const ones = from(readings).groupBy('device').window(tumbling('1 s')).aggregate({ n: count() })
    const tens = ones
      .groupBy('device')
      .window(tumbling('10 s'))
      .aggregate({ total: sum('n') })
    const stored = topic('tens')
    tens.to(stored)
    // @ts-expect-error the topic has its columns by now
    deliver(from(stored) as never, slow.reference as never)
  })
  let run = await begin(plan, folder, {}, storage.forProcess())
  expect((await push(run.handle!, { sender: 's', number: 0, lines: seconds(0, 65) })).kind).toBe('kept')
  if (isCutOff) {
    const { epoch } = run.handle!.progress()
    await until(() => run.handle!.progress().epoch > epoch)
    storage.kill()
    isCutOff = false
    gate.resolve()
    await run.stop()
    run = await begin(plan, folder, {}, storage.forProcess())
    expect(run.failure).toBeNull()
  }
  await push(run.handle!, { sender: 's', number: 1, lines: seconds(65, 100) })
  await until(() => slow.rows.length === 9)
  await run.stop()
  expect(run.failure).toBeNull()
  return slow.rows.map(row => `${row.window_start} ${row.total}`)
}

test('windows over windows behind a slow sink: killed, every result is there', async () => {
  const tens = Array.from({ length: 9 }, (_, ten) => `${ten * 10_000_000} 10`)
  expect(await cascade(false)).toEqual(tens)
  expect(await cascade(true)).toEqual(tens)
}, 60_000)

test.each(['open', 'write', 'commit', 'half a commit'] as const)(
  'a sink that never answers (%s): its topic and the other sinks go on, it is told, and opened again',
  async where => {
    const ill = new Outside('ill')
    const well = new Outside('well')
    ill.deadlines_ms = { [where === 'half a commit' ? 'commit' : where]: 5_000 }
    const { plan } = pipeline('hang', ({ ingest, from, deliver }) => {
      ingest(silent, readings)
      deliver(from(readings).filter(r => r.n >= 0) as never, ill.reference as never)
      deliver(from(readings) as never, well.reference as never)
    })
    const run = await begin(plan, folder, {}, new MemoryStorage().forProcess())
    let hangs = true
    ill.before = call => {
      if (hangs && call === where) return new Promise(() => {})
      if (hangs && where === 'open' && call === 'write') throw gone()
    }
    for (let number = 0; number < 10; number++) {
      const outcome = await push(run.handle!, { sender: 's', number, lines: seconds(number, number + 1) })
      expect(outcome.kind).toBe('kept')
    }
    await until(() => well.rows.length === 10)
    const outputOf = (name: string) => run.handle!.progress().outputs.find(({ output }) => output === name)!
    await until(() => outputOf('ill').behind?.error?.code === 'SINK_TIMEOUT')
    hangs = false
    await until(() => ill.rows.length === 10 && outputOf('ill').behind === null)
    await run.stop()
    expect(run.failure).toBeNull()
    expect(ill.rows).toEqual(well.rows)
  },
  60_000,
)

test('a sink that is open only after its deadline is closed, and opened again', async () => {
  const ill = new Outside('ill')
  ill.deadlines_ms = { open: 5_000 }
  const { plan } = pipeline('late', ({ ingest, from, deliver }) => {
    ingest(silent, readings)
    deliver(from(readings) as never, ill.reference as never)
  })
  const run = await begin(plan, folder, {}, new MemoryStorage().forProcess())
  const answers = Promise.withResolvers<void>()
  let isFirst = true
  ill.before = call => {
    if (call === 'write' && ill.opened === 1) throw gone()
    if (call !== 'open' || !isFirst) return
    isFirst = false
    return answers.promise
  }
  const { kind } = await push(run.handle!, { sender: 's', number: 0, lines: seconds(0, 10) })
  expect(kind).toBe('kept')
  await until(() => run.handle!.progress().outputs[0]!.behind?.error?.code === 'SINK_TIMEOUT')
  // It has the place of the next one until it is closed.
  answers.resolve()
  await until(() => ill.rows.length === 10)
  await run.stop()
  expect(run.failure).toBeNull()
  expect(ill.opened).toBe(3)
}, 20_000)

test('a sink that cannot commit as many rows as it lacks is given fewer at a time', async () => {
  const small = new Outside('small')
  const { plan } = pipeline('small', ({ ingest, from, deliver }) => {
    ingest(silent, readings)
    deliver(from(readings) as never, small.reference as never)
  })
  const run = await begin(plan, folder, {}, new MemoryStorage().forProcess())
  let isGone = true
  const sizes: number[] = []
  small.before = call => {
    if (isGone) throw gone()
    if (call !== 'commit') return
    sizes.push(small.pending)
    if (small.pending > 900) throw gone()
  }
  for (let number = 0; number < 20; number++) {
    const lines = seconds(number * 200, (number + 1) * 200)
    expect((await push(run.handle!, { sender: 's', number, lines })).kind).toBe('kept')
  }
  isGone = false
  await until(() => small.rows.length === 4000)
  await run.stop()
  expect(run.failure).toBeNull()
  expect(small.rows.map(({ n }) => n)).toEqual(Array.from({ length: 4000 }, (_, n) => n))
  expect(sizes[0]).toBeGreaterThan(900)
}, 60_000)

test('the budget of the disk never takes what a sink lacks, and makes room when it has it', async () => {
  const schema = z.object({ device: z.string(), at: timestamp('ms'), n: z.number(), pad: z.string() })
  const kept = topic('kept', schema, {
    key: 'device',
    retention: { size: '1 MB' },
    eventTime: { field: 'at', disorder: '0 s', progress: 'partition', idleAfter: '1 h' },
  })
  const ill = new Outside('ill')
  const well = new Outside('well')
  const { plan } = pipeline('budget', ({ ingest, from, deliver }) => {
    ingest(silent, kept)
    deliver(from(kept) as never, ill.reference as never)
    const windows = from(kept).groupBy('device').window(tumbling('1 s')).aggregate({ readings: count() })
    deliver(windows as never, well.reference as never)
  })
  const stop = new AbortController()
  const ready = Promise.withResolvers<RunHandle>()
  const budget_bytes = 150 * 1024 * 1024
  const options = {
    ...runOptions(folder, { signal: stop.signal, onReady: ready.resolve }),
    diskBudget_bytes: budget_bytes,
  }
  const run = runPipeline(plan, options, hasty, new MemoryStorage().forProcess())
  const handle = await ready.promise
  let isGone = true
  ill.before = () => {
    if (isGone) throw gone()
  }
  const acknowledged: number[] = []
  let n = 0
  const send = async (records: number, at: number, pad: string): Promise<boolean> => {
    const first = n
    const lines = Array.from({ length: records }, () => {
      return `${JSON.stringify({ device: `device-${n % 20_000}`, at, n: n++, pad })}\n`
    })
    const { kind } = await handle.append('kept', Buffer.from(lines.join('')))
    if (kind === 'kept') for (let one = first; one < n; one++) acknowledged.push(one)
    return kind === 'kept'
  }
  expect(await send(20_000, 1, '')).toBe(true)
  const pad = 'x'.repeat(60_000)
  for (const records of [60, 10, 1]) while (await send(records, 2, pad)) await Promise.resolve()
  const { code, message, next } = handle.progress().held!
  expect(`${code}: ${message} ${next}`).toMatch(/^LOG_FULL: The disk budget of .* is used up.* Raise --disk-budget/)
  // What closes all windows: the rows that it makes are kept although the budget is used up.
  await send(1, 5000, '')
  isGone = false
  await until(() => handle.progress().outputs.every(({ behind }) => behind === null))
  let isRefused = true
  while (isRefused) {
    isRefused = !(await send(1, 6000, ''))
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  stop.abort()
  await run
  expect(ill.rows.map(row => row.n)).toEqual(acknowledged)
}, 120_000)
