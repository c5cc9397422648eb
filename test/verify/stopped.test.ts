/** Runs that were stopped, or fell silent: what is not due yet is open, and nothing is called wrong that is right. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import { average, count, max, type Pipeline, pipeline, sum, timestamp, topic, tumbling } from '../../src/index.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { silent } from '../runtime/pushed-readings.ts'
import { type Begun, begin, runOptions } from '../runtime/runs.ts'
import { inWarehouse, ran, verdictOf } from './ran.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-stopped-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const schema = z.object({ sensor: z.string(), at: timestamp('s'), level: z.number().nullable() })
const readings = (idleAfter: '1 h' | '100 ms') =>
  topic('readings', schema, {
    key: 'sensor',
    eventTime: { field: 'at', disorder: idleAfter === '1 h' ? '2 s' : '20 ms', progress: 'key', idleAfter },
  })

const rows = (...cells: readonly (readonly [string, number, number | null])[]) =>
  Buffer.from(cells.map(([sensor, at, level]) => `${JSON.stringify({ sensor, at, level })}\n`).join(''))

async function started({ plan }: Pipeline): Promise<Begun & { readonly handle: NonNullable<Begun['handle']> }> {
  const begun = await begin(plan, folder)
  if (begun.handle === null) throw begun.failure
  return begun as Begun & { readonly handle: NonNullable<Begun['handle']> }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 5))
}

const rowsOf = ({ handle }: { handle: NonNullable<Begun['handle']> }, output: string) =>
  handle.progress().outputs.find(found => found.output === output)?.rows ?? 0

describe('open windows', () => {
  test('are known by the step that made them, whatever columns the output kept', async () => {
    const built = pipeline('open', ({ ingest, from, warehouse, deliver }) => {
      const input = readings('1 h')
      ingest(silent, input)
      const windows = from(input)
        .groupBy('sensor')
        .window(tumbling('10 s'))
        .aggregate({ n: count(), mean: average('level') })
      warehouse.table('plain').appends(windows)
      warehouse.table('filtered').appends(windows.filter(r => r.n > 0))
      warehouse.table('selected').appends(windows.select('sensor', 'n'))
      warehouse.table('means').appends(windows.select('mean'))
      warehouse.table('renamed').appends(windows.rename({ window_start: 'at' }))
      warehouse.table('noend').appends(windows.select('sensor', 'n', 'window_start'))
      warehouse.table('nostart').appends(windows.select('sensor', 'n', 'window_end'))
      warehouse.table('latest').upserts(windows, { key: 'sensor' })
      warehouse.table('wide').appends(
        windows
          .groupBy('sensor')
          .window(tumbling('20 s'))
          .aggregate({ n: sum('n') }),
      )
      deliver(windows.select('sensor', 'n'), file({ path: 'open.csv' }))
    })
    const run = await started(built)
    const cells = Array.from({ length: 36 }, (_, n): [string, number, number] => [n % 3 === 0 ? 'a' : 'b', n, n / 7])
    await run.handle.append('readings', rows(...cells))
    await until(() => rowsOf(run, 'plain') === 6)
    await run.stop()
    const verdict = await verdictOf(built, folder)
    expect(verdict).toMatchObject({ differing: [], notCompared: [] })
    // Each of the two sensors has one in each output; where only the latest row is kept, it is no row of its own.
    expect(verdict.open).toBe(2 * 9)
    await inWarehouse(folder, 'DELETE FROM selected WHERE rowid = 0', 'UPDATE means SET mean = 4 WHERE rowid = 1')
    expect((await verdictOf(built, folder)).differing).toEqual(['selected', 'means'])
  }, 60_000)

  test('a run over files that was stopped is held against what it had read', async () => {
    const input = readings('1 h')
    const built = pipeline('midway', ({ from, warehouse, deliver }) => {
      warehouse.table('RAW').appends(from(input))
      const windows = from(input).groupBy('sensor').window(tumbling('10 s')).aggregate({ n: count() })
      warehouse.table('W').upserts(windows, { key: ['sensor', 'window_start'] })
      deliver(windows, file({ path: 'w.ndjson' }))
    })
    const records = Array.from({ length: 60_000 }, (_, n) => ({
      sensor: `s${n % 50}`,
      at: Math.floor(n / 5),
      level: n,
    }))
    const stop = new AbortController()
    const onProgress = ({ topics }: { topics: readonly { records: number }[] }) => {
      if ((topics[0]?.records ?? 0) > 0) stop.abort()
    }
    await ran(built, folder, { readings: [records, records.slice(0, 10)] }, { signal: stop.signal, onProgress })
    expect(await verdictOf(built, folder)).toMatchObject({ differing: [], notCompared: [] })
  }, 60_000)
})

test('a second row after silence: the last one counts, and no more than records can have made', async () => {
  const built = pipeline('silence', ({ ingest, from, warehouse, deliver }) => {
    const input = readings('100 ms')
    ingest(silent, input)
    const windows = from(input)
      .groupBy('sensor')
      .window(tumbling('100 ms'))
      .aggregate({ n: count(), most: max('level') })
    warehouse.table('appended').appends(windows)
    warehouse.table('upserted').upserts(windows, { key: ['sensor', 'window_start'] })
    warehouse.table('latest').upserts(windows, { key: 'sensor' })
    warehouse.table('unkeyed').appends(windows.select('sensor', 'n'))
    deliver(windows, file({ path: 'windows.ndjson' }))
  })
  const run = await started(built)
  await run.handle.append('readings', rows(['a', 0.01, 5], ['a', 0.02, 3]))
  await until(() => rowsOf(run, 'appended') === 1)
  await run.handle.append('readings', rows(['a', 0.03, 4]))
  await until(() => rowsOf(run, 'appended') === 2)
  await run.handle.append('readings', rows(['a', 0.15, 4], ['a', 0.3, 1]))
  await until(() => rowsOf(run, 'appended') >= 4)
  await run.stop()
  // Nothing tells which row of a window is its last one where the window itself was left out.
  const notCompared = ['unkeyed.sensor', 'unkeyed.n']
  expect(await verdictOf(built, folder)).toMatchObject({ differing: [], notCompared })
  await inWarehouse(
    folder,
    ...Array.from({ length: 2 }, () => 'INSERT INTO appended SELECT * FROM appended WHERE rowid = 0'),
    'UPDATE latest SET most = 77',
  )
  expect((await verdictOf(built, folder)).differing).toEqual(['appended.n', 'appended', 'latest.most'])
}, 60_000)

test('early results and corrections: the last row of a window counts, and rows are numbered from 0', async () => {
  const built = pipeline('early', ({ ingest, from, warehouse, deliver }) => {
    const input = readings('1 h')
    ingest(silent, input)
    const early = from(input)
      .groupBy('sensor')
      .window(tumbling('10 s'), { early: '2 s' })
      .aggregate({ n: count(), total: sum('level') })
    warehouse.table('early').appends(early)
    warehouse
      .table('early_last')
      .upserts(early.select('sensor', 'window_start', 'n'), { key: ['sensor', 'window_start'] })
    warehouse.table('finals').appends(early.finals())
    const restated = from(input)
      .groupBy('sensor')
      .window(tumbling('10 s'), { late: 'restate', allowedLateness: '20 s' })
      .aggregate({ n: count() })
    deliver(restated, file({ path: 'restated.ndjson' }))
    warehouse.table('restated_finals').appends(restated.finals())
  })
  const run = await started(built)
  const cells = Array.from({ length: 58 }, (_, n): [string, number, number] => ['a', n % 9 === 8 ? n - 8 : n, n / 3])
  for (const cell of cells) await run.handle.append('readings', rows(cell))
  await until(() => rowsOf(run, 'finals') === 5)
  await run.stop()
  const verdict = await verdictOf(built, folder)
  expect(verdict).toMatchObject({ differing: [], notCompared: [] })
  expect(verdict.open).toBeGreaterThan(3)
  await inWarehouse(
    folder,
    'UPDATE early SET is_final = false WHERE is_final AND n = (SELECT max(n) FROM early)',
    'DELETE FROM early WHERE rowid = 2',
  )
  const { differing } = await verdictOf(built, folder)
  expect(differing).toEqual(['early.is_final', 'early.revision'])
}, 60_000)

test('files without rows, numbers that are not finite, and numbers that JSON writes otherwise', async () => {
  const any = topic('any', z.object({ id: z.string(), at: timestamp('s'), x: z.number(), more: z.unknown() }), {
    eventTime: { field: 'at' },
  })
  const built = pipeline('odd', ({ from, warehouse, deliver }) => {
    const odd = from(any).derive({ ratio: r => r.x / (r.x - r.x), none: r => r.x * 1e308 * 10 - r.x * 1e308 * 10 })
    warehouse.table('odd').appends(odd)
    for (const format of ['csv', 'ndjson', 'parquet']) {
      deliver(odd, file({ path: `odd.${format}` }))
      deliver(
        odd.filter(r => r.x > 100),
        file({ path: `empty.${format}` }),
      )
    }
    odd.to(topic('odds'))
  })
  const text =
    '{"id":"a","at":1,"x":1,"more":{"z":1e308,"y":[1.0,0.10],"b":null}}\n{"id":"b","at":2,"x":0,"more":"t"}\n{"id":"c","at":3,"x":5,"more":[1e21]}\n'
  writeFileSync(join(folder, 'any.ndjson'), text)
  const inputs = new Map([['any', [file({ path: join(folder, 'any.ndjson') })]]])
  await runPipeline(built.plan, runOptions(folder, { inputs, untilEnd: true }))
  expect(readFileSync(join(folder, 'empty.csv'), 'utf8')).toBe('id,at,x,more,ratio,none\n')
  expect(await verdictOf(built, folder)).toMatchObject({ differing: [], notCompared: [], agreed: 15 })
}, 60_000)
