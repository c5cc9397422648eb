/** A warehouse that another process has open, at the start and in the middle of a run, and one that refuses rows for a while. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { PushOutcome } from '../../src/connectors/contract.ts'
import { pipeline, topic } from '../../src/index.ts'
import type { RunHandle, RunProgress } from '../../src/runtime/options.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { readStored } from '../log/read-stored.ts'
import { hasty, silent } from './pushed-readings.ts'
import { runOptions } from './runs.ts'

const readings = topic('readings', z.object({ n: z.number().nullable(), batch: z.number() }))
const { plan } = pipeline('kept-waiting', ({ ingest, from, warehouse }) => {
  ingest(silent, readings)
  const even = from(readings)
    .filter(r => r.batch % 2 === 0)
    .to(topic('even'))
  warehouse.table('READINGS').appends(readings)
  warehouse.table('EVEN').appends(even)
})

let folder: string
const children: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-warehouse-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Another process that opens the warehouse as soon as it can, asks it something, and keeps it open until it is told. */
function other(sql: string) {
  const script = `
    const { DuckDBInstance } = await import('@duckdb/node-api')
    let instance = null
    while (instance === null) instance = await DuckDBInstance.create(process.argv[1]).catch(() => null)
    const connection = await instance.connect()
    const answer = await connection.runAndReadAll(process.argv[2])
    console.log(JSON.stringify(answer.getRows().map(cells => cells.map(String))))
    process.stdin.resume().once('end', () => {
      connection.closeSync()
      instance.closeSync()
      process.exit(0)
    })`
  const words = ['--input-type=module', '-e', script, join(folder, 'warehouse.duckdb'), sql]
  const child = spawn(process.execPath, words, { cwd: import.meta.dirname, stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  const rows = once(child.stdout!, 'data').then(([bytes]) => JSON.parse(String(bytes)) as string[][])
  return {
    rows,
    async close() {
      child.stdin!.end()
      await once(child, 'close')
    },
  }
}

async function ask(sql: string): Promise<string[][]> {
  const process = other(sql)
  const rows = await process.rows
  await process.close()
  return rows
}

/** A run that is ready, or the error with which it ended before. */
async function started() {
  const stop = new AbortController()
  const held: NonNullable<RunProgress['held']>[] = []
  const ready = Promise.withResolvers<RunHandle>()
  const onProgress = (progress: RunProgress) => {
    if (progress.held !== null) held.push(progress.held)
  }
  const onReady = (handle: RunHandle) => {
    // The owner's socket is opened here.
    expect(handle.notReady()).toBe('The run is being opened.')
    ready.resolve(handle)
  }
  const run = runPipeline(plan, runOptions(folder, { signal: stop.signal, onProgress, onReady }), hasty)
  const handle = await Promise.race([ready.promise, run.then(() => Promise.reject(new Error('it ended')))])
  return {
    handle,
    held,
    async stop() {
      stop.abort()
      return await run
    },
  }
}

/** As a client does that sends a message again until it is kept; answers the outcomes before that. */
async function pushAll(handle: RunHandle, from: number, to: number, nullAt: number | null = null) {
  const failed: PushOutcome[] = []
  for (let n = from; n < to; ) {
    const line = `${JSON.stringify({ n: n === nullAt ? null : n, batch: n })}\n`
    const outcome = await handle.append('readings', Buffer.from(line), `client:${n}`)
    if (outcome.kind === 'failed') failed.push(outcome)
    else n++
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  return failed
}

/** Every record is in the log and in the tables, once. */
async function expectAll(records: number): Promise<void> {
  const all = Array.from({ length: records }, (_, n) => n)
  const stored = readStored(folder, 'readings')
  expect(stored.faults).toEqual([])
  expect(stored.records.map(line => (JSON.parse(line) as { batch: number }).batch)).toEqual(all)
  expect((await ask('SELECT batch FROM READINGS ORDER BY batch')).map(([n]) => Number(n))).toEqual(all)
  const even = (await ask('SELECT batch FROM EVEN ORDER BY batch')).map(([n]) => Number(n))
  expect(even).toEqual(all.filter(n => n % 2 === 0))
}

test('another process has the warehouse open at the start: it says so, and nothing is lost', async () => {
  const first = await started()
  await pushAll(first.handle, 0, 20)
  await first.stop()
  const process = other('SELECT 1')
  await process.rows
  await expect(started()).rejects.toMatchObject({
    code: 'DATA_DIR_BUSY',
    message: expect.stringContaining('warehouse'),
  })
  await process.close()
  const next = await started()
  await pushAll(next.handle, 15, 40)
  await next.stop()
  await expectAll(40)
}, 30_000)

test('a warehouse that refuses rows, and that another process opens meanwhile: nobody who pushes notices', async () => {
  const first = await started()
  await pushAll(first.handle, 0, 10)
  await first.stop()
  await ask('ALTER TABLE READINGS ALTER COLUMN n SET NOT NULL')
  const { handle, held, stop } = await started()
  const pushing = pushAll(handle, 10, 60, 30)
  const behind = (table: string) => handle.progress().outputs.find(({ output }) => output === table)!.behind
  const failsWith = async (code: string) => {
    while (behind('READINGS')?.error?.code !== code) await new Promise(resolve => setTimeout(resolve, 2))
  }
  await failsWith('WAREHOUSE_FAILED')
  expect(behind('READINGS')!.error!.message).toMatch(/READINGS: .*NOT NULL/)
  // It takes the file while the run waits, and keeps it for some of the run's tries.
  const process = other('ALTER TABLE READINGS ALTER COLUMN n DROP NOT NULL')
  await process.rows
  await failsWith('DATA_DIR_BUSY')
  expect(handle.notReady()).toBe('The warehouse takes no rows: DATA_DIR_BUSY.')
  expect(await pushing).toEqual([])
  expect(behind('READINGS')!.rows).toBeGreaterThan(0)
  // The tables of one file come and go together.
  expect(await pushAll(handle, 60, 64)).toEqual([])
  expect(behind('EVEN')).not.toBeNull()
  await expect(handle.query('SELECT 1', {})).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  await expect(handle.snapshot(join(folder, 'copy.duckdb'))).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  await process.close()
  while (behind('READINGS') !== null || behind('EVEN') !== null) await new Promise(resolve => setTimeout(resolve, 2))
  expect(held).toEqual([])
  expect(handle.notReady()).toBe(null)
  await stop()
  expect(handle.notReady()).toBe('The run is being stopped.')
  await expectAll(64)
}, 30_000)
