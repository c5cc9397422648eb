/** Files that come, grow and are replaced between runs and during them: each row once, and nothing lost without a word. */
import { appendFileSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import { count, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import type { DeadLetter } from '../../src/log/dead-letter.ts'
import { readTopic } from '../../src/log/topic-store.ts'
import type { RunHandle } from '../../src/runtime/options.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { verifyPipeline } from '../../src/verify/verify.ts'
import { runOptions } from './runs.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-new-files-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const readings = topic('readings', z.object({ device: z.string(), time: timestamp('ms') }), {
  key: 'device',
  eventTime: { field: 'time', disorder: '5 s', progress: 'key' },
})
const at = (name: string) => join(folder, name)
const line = (device: string, time: number) => `{"device":"${device}","time":${time}}\n`

const planOf = (pattern: string) =>
  pipeline('new-files', ({ ingest, from }) => {
    ingest(file({ path: at(pattern) }), readings)
    from(readings).to(topic('copies'))
  }).plan

const readOrNone = () => (existsSync(at('data/topics/copies')) ? copies() : [])
const copies = () => [...readTopic(at('data'), 'copies')].map(text => JSON.parse(text).device as string).sort()
const letters = () => [...readTopic(at('data'), 'dead_letters')].map(text => JSON.parse(text) as DeadLetter)

const toTheEnd = async (pattern: string) => {
  const summary = await runPipeline(planOf(pattern), runOptions(at('data'), { untilEnd: true }))
  expect(summary.reason).toBe('ended')
  return summary.newRecords
}

test('a run with an end reads files that are new in its pattern, and what was added to those that it knows', async () => {
  writeFileSync(at('a.ndjson'), line('a1', 1000))
  writeFileSync(at('t.csv'), 'device,time\nt1,1000\n')
  expect(await toTheEnd('*.{ndjson,csv}')).toBe(2)
  expect(copies()).toEqual(['a1', 't1'])
  expect(await toTheEnd('*.{ndjson,csv}')).toBe(0)
  expect(copies()).toEqual(['a1', 't1'])
  writeFileSync(at('b.ndjson'), line('b1', 2000))
  appendFileSync(at('a.ndjson'), line('a2', 2000))
  appendFileSync(at('t.csv'), 't2,2000\n')
  expect(await toTheEnd('*.{ndjson,csv}')).toBe(3)
  expect(await toTheEnd('*.{ndjson,csv}')).toBe(0)
  expect(copies()).toEqual(['a1', 'a2', 'b1', 't1', 't2'])
})

test('one that was written anew meanwhile is read from its start, and what was lost is told', async () => {
  writeFileSync(at('a.ndjson'), line('a1', 1000))
  await toTheEnd('*.ndjson')
  writeFileSync(at('a.ndjson'), line('n1', 1000) + line('n2', 2000))
  await toTheEnd('*.ndjson')
  expect(copies()).toEqual(['a1', 'n1', 'n2'])
  expect(letters()).toMatchObject([
    { source: at('a.ndjson'), code: 'FILE_UNREADABLE', position: line('a1', 1000).length },
  ])
  await toTheEnd('*.ndjson')
  expect(copies()).toEqual(['a1', 'n1', 'n2'])
  expect(letters().length).toBe(1)
  // What the file held first can be read by nobody: then nothing is claimed.
  const verified = await verifyPipeline(planOf('*.ndjson'), { dataDirectory: at('data') })
  expect(verified.outputs).toEqual([])
  expect(verified.notCompared).toMatchObject([
    { output: 'copies', reason: expect.stringContaining('is there no more') },
  ])
})

test('a run that follows a pattern reads a file that is made after its start', async () => {
  writeFileSync(at('a.ndjson'), line('a1', 1000))
  const stop = new AbortController()
  const plan = planOf('*.ndjson')
  let rows = 0
  const seen = Promise.withResolvers<void>()
  const tap = (batch: { readonly length: number }) => {
    rows += batch.length
    if (rows === 1) writeFileSync(at('b.ndjson'), line('b1', 2000))
    if (rows === 2) seen.resolve()
  }
  const running = runPipeline(
    plan,
    runOptions(at('data'), {
      signal: stop.signal,
      taps: new Map(plan.produces.map(({ stream }) => [stream.identity, tap])),
    }),
  )
  await Promise.race([seen.promise, running])
  stop.abort()
  await running
  expect(copies()).toEqual(['a1', 'b1'])
})

/** Follows the pattern until `isDone`; answers the warnings. */
async function follow(pattern: string, isDone: () => boolean): Promise<readonly string[]> {
  const stop = new AbortController()
  let handle: RunHandle | null = null
  const running = runPipeline(
    planOf(pattern),
    runOptions(at('data'), {
      signal: stop.signal,
      onReady: ready => {
        handle = ready
      },
    }),
  )
  const isOver = running.then(() => true)
  while (!(await Promise.race([isOver, new Promise(resolve => setTimeout(resolve, 20))]))) {
    if (handle !== null && (isDone() || stop.signal.aborted)) stop.abort()
  }
  await running
  return handle!.progress().warnings.map(({ code, message }) => `${code}: ${message}`)
}

test('a run that follows a pattern waits for the first file', async () => {
  setTimeout(() => writeFileSync(at('a.ndjson'), line('a1', 1000)), 300)
  const warnings = await follow('*.ndjson', () => readOrNone().length === 1)
  expect(warnings).toEqual([`FILE_UNREADABLE: No file matches ${at('*.ndjson')} yet.`])
  expect(copies()).toEqual(['a1'])
})

test('one file whose header does not fit keeps no start from the others, and is told once', async () => {
  writeFileSync(at('a.csv'), 'device,time\na1,1000\n')
  await follow('*.csv', () => readOrNone().length === 1)
  writeFileSync(at('b.csv'), 'gadget,time\nb1,1000\n')
  writeFileSync(at('c.csv'), 'device,time\nc1,1000\n')
  await follow('*.csv', () => readOrNone().length === 2)
  await follow('*.csv', () => true)
  expect(copies()).toEqual(['a1', 'c1'])
  expect(letters()).toMatchObject([{ source: at('b.csv'), code: 'HEADER_MISMATCH', position: 0 }])
  writeFileSync(at('b.csv'), 'device,time\nb1,1000\n')
  await follow('*.csv', () => readOrNone().length === 3)
  expect(copies()).toEqual(['a1', 'b1', 'c1'])
})

test('files of which none fits refuse the start', async () => {
  writeFileSync(at('b.csv'), 'gadget,time\nb1,1000\n')
  await expect(follow('*.csv', () => true)).rejects.toMatchObject({ code: 'HEADER_MISMATCH' })
})

test('a file that begins as one that is gone is read, with a word', async () => {
  writeFileSync(at('a.ndjson'), line('a1', 1000))
  await follow('*.ndjson', () => readOrNone().length === 1)
  renameSync(at('a.ndjson'), at('b.ndjson'))
  const warnings = await follow('*.ndjson', () => readOrNone().length === 2)
  expect(warnings).toEqual([
    `FILE_RENAMED: ${at('b.ndjson')} begins as ${at('a.ndjson')} did, which is gone; it is read from its start, as a new file.`,
  ])
  expect(copies()).toEqual(['a1', 'a1'])
})

test.each(['partition', 'key'] as const)(
  'the last windows over a file that was read once come out by silence, by %s',
  async progress => {
    writeFileSync(at('a.csv'), 'device,time\na1,1000\na2,1500\na1,2500\n')
    const timed = topic('timed', z.object({ device: z.string(), time: timestamp('ms') }), {
      key: 'device',
      eventTime: { field: 'time', progress, idleAfter: '300 ms' },
    })
    const { plan } = pipeline('silence', ({ ingest, from }) => {
      ingest(file({ path: at('*.csv') }), timed)
      const windows = from(timed).groupBy('device').window(tumbling('1 s')).aggregate({ n: count() })
      windows.select('device', 'n').to(topic('counts'))
    })
    const stop = new AbortController()
    const running = runPipeline(plan, runOptions(at('data'), { signal: stop.signal, duration_ms: 20_000 }))
    const counts = () =>
      existsSync(at('data/topics/counts')) ? [...readTopic(at('data'), 'counts')].map(text => JSON.parse(text)) : []
    while (
      counts().length < 3 &&
      (await Promise.race([
        running.then(() => false),
        new Promise(resolve => setTimeout(resolve, 50)).then(() => true),
      ]))
    ) {
      // It goes on with the wall clock.
    }
    stop.abort()
    await running
    expect(
      counts()
        .map(({ device, n }) => `${device} ${n}`)
        .sort(),
    ).toEqual(['a1 1', 'a1 1', 'a2 1'])
  },
  40_000,
)

test('records that come after windows were closed by the end of the inputs are refused, not late', async () => {
  const { plan } = pipeline('days', ({ ingest, from }) => {
    ingest(file({ path: at('*.ndjson') }), readings)
    const windows = from(readings).groupBy('device').window(tumbling('1 m')).aggregate({ n: count() })
    windows.select('device', 'n').to(topic('counts'))
  })
  const run = (untilEnd: boolean) =>
    runPipeline(plan, runOptions(at('data'), { untilEnd, ...(untilEnd ? {} : { duration_ms: 100 }) }))
  writeFileSync(at('day-1.ndjson'), line('a', 1000))
  await run(true)
  // The same again has nothing to do.
  expect(await run(true)).toMatchObject({ reason: 'ended', newRecords: 0 })
  const refused = { code: 'CHANGE_REFUSED', message: expect.stringContaining('counts/window-1') }
  await expect(run(false)).rejects.toMatchObject({ code: 'CHANGE_REFUSED' })
  writeFileSync(at('day-2.ndjson'), line('a', 86_401_000))
  for (let time = 0; time < 2; time++) await expect(run(true)).rejects.toMatchObject(refused)
  expect([...readTopic(at('data'), 'counts')]).toEqual(['{"device":"a","n":1}'])
  rmSync(at('day-2.ndjson'))
  expect(await run(true)).toMatchObject({ reason: 'ended', newRecords: 0 })
})
