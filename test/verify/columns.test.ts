/** Every column of every output is compared: what is wrong in one cell is found there. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import {
  average,
  count,
  deviation,
  first,
  hopping,
  last,
  max,
  type Pipeline,
  pipeline,
  quantile,
  sum,
  timestamp,
  topic,
  tumbling,
} from '../../src/index.ts'
import { inLines, inParquet, inTopic, inWarehouse, ran, verdictOf } from './ran.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-columns-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const schema = z.object({ sensor: z.string(), at: timestamp('s'), level: z.number() })
const readings = topic('readings', schema, { key: 'sensor', eventTime: { field: 'at', disorder: '5 s' } })

/** Two sensors, 60 windows of 10 s each. */
const ROWS = Array.from({ length: 1200 }, (_, n) => ({
  sensor: n % 2 === 0 ? 'a' : 'b',
  at: 1_700_000_000 + Math.floor(n / 2) - (n % 7 === 0 ? 3 : 0),
  level: 20 + Math.sin(n) * 5,
}))

const run = (built: Pipeline) => ran(built, folder, { readings: [ROWS] })
const AGREES = { differing: [], notCompared: [], open: 0 }

describe('outputs without a full key', () => {
  const built = pipeline('holes', ({ from, warehouse, deliver }) => {
    warehouse.table('sines').appends(from(readings).derive({ sine: r => Math.sin(r.level) }))
    const windows = from(readings)
      .groupBy('sensor')
      .window(tumbling('10 s'))
      .aggregate({ mean: average('level'), total: sum('level'), spread: deviation('level'), n: count() })
    warehouse.table('means').appends(windows.select('sensor', 'mean', 'total', 'spread', 'n'))
    warehouse.table('starts').appends(windows.select('window_start', 'mean'))
    warehouse.table('alone').appends(windows.select('mean'))
    warehouse.table('appended').appends(windows)
    warehouse.table('renamed').appends(windows.rename({ window_start: 'at' }))
    warehouse
      .table('labelled')
      .appends(
        windows.derive({ at: (r, $) => $.formatTime(r.window_start, 'HH:mm:ss') }).select('sensor', 'at', 'mean'),
      )
    warehouse.table('latest').upserts(windows, { key: 'sensor' })
    deliver(windows.select('sensor', 'mean'), file({ path: 'means.csv' }))
    deliver(windows.select('sensor', 'mean'), file({ path: 'means.ndjson' }))
    deliver(windows.select('sensor', 'mean'), file({ path: 'means.parquet' }))
  })

  test('agree with what is right, and each wrong cell is found in its column', async () => {
    await run(built)
    expect(await verdictOf(built, folder)).toMatchObject(AGREES)
    await inWarehouse(
      folder,
      'UPDATE sines SET sine = sine + 1e-6 WHERE rowid = 17',
      'UPDATE means SET mean = -1 WHERE rowid = 3',
      'UPDATE means SET spread = 0.5 WHERE rowid = 4',
      'UPDATE starts SET window_start = window_start + INTERVAL 1 SECOND WHERE rowid = 5',
      'UPDATE alone SET mean = 12 WHERE rowid = 5',
      'UPDATE appended SET total = total + 1 WHERE rowid = 6',
      'UPDATE renamed SET n = n + 1 WHERE rowid = 7',
      'UPDATE labelled SET mean = mean * 1.00001 WHERE rowid = 7',
      'UPDATE latest SET mean = 0 WHERE rowid = 1',
    )
    inLines(join(folder, 'means.csv'), lines => lines.map((line, n) => (n === 5 ? line.replace(/,.*/, ',7') : line)))
    inLines(join(folder, 'means.ndjson'), lines => [...lines, lines[0]!])
    await inParquet(join(folder, 'means.parquet'), 'DELETE FROM rows WHERE rowid = 9')
    expect((await verdictOf(built, folder)).differing).toEqual([
      'sines.sine',
      'means.mean',
      'means.spread',
      'starts.window_start',
      'alone',
      'appended.total',
      'renamed.n',
      'labelled.mean',
      'latest.mean',
      'means.csv.mean',
      'means.ndjson',
      'means.parquet',
    ])
  }, 120_000)

  test('columns overwritten in every row are not called equal', async () => {
    await run(built)
    await inWarehouse(folder, 'UPDATE means SET mean = -1, total = 1e9, spread = 7', 'UPDATE sines SET sine = 42')
    const { differing } = await verdictOf(built, folder)
    expect(differing).toEqual(['sines.sine', 'means'])
  }, 120_000)
})

describe('streams of several steps with state', () => {
  const seconds = topic(
    'seconds',
    z.object({ sensor: z.string(), n: z.number(), level: z.number().nullable(), at: timestamp('us') }),
    { key: 'sensor', eventTime: { field: 'at', disorder: '2 s' } },
  )
  const built = pipeline('cascade', ({ from, warehouse }) => {
    const small = from(readings)
      .groupBy('sensor')
      .window(tumbling('1 s'))
      .aggregate({ n: count(), level: average('level') })
    const large = small
      .groupBy('sensor')
      .window(hopping({ size: '10 s', every: '5 s' }))
      .aggregate({ n: sum('n'), most: max('level'), before: first('level'), after: last('level') })
    warehouse.table('LARGE').upserts(large, { key: ['sensor', 'window_start'] })
    warehouse.table('ALL_SENSORS').appends(
      small
        .groupBy('n')
        .window(tumbling('20 s'))
        .aggregate({ windows: count(), after: last('level') }),
    )
    warehouse.table('DEDUPED').appends(small.dedupe({ key: 'sensor', within: '2500 ms' }))
    small.rename({ window_start: 'at' }).to(seconds)
    warehouse.table('DERIVED').appends(
      from(seconds)
        .groupBy('sensor')
        .window(tumbling('30 s'))
        .aggregate({ n: sum('n') }),
    )
    warehouse.table('SECONDS').upserts(from(seconds), { key: 'sensor' })
  })

  test('are recomputed from the first records, through topics of their own', async () => {
    await run(built)
    const verdict = await verdictOf(built, folder)
    expect(verdict).toMatchObject({ differing: [], open: 0 })
    // Which of two sensors' windows of one moment comes last is no function of the records.
    expect(verdict.notCompared).toEqual(['ALL_SENSORS.after'])
    await inWarehouse(
      folder,
      'UPDATE "LARGE" SET most = most + 1 WHERE rowid = 2',
      'DELETE FROM "DEDUPED" WHERE rowid = 3',
      'UPDATE "DERIVED" SET n = 3 WHERE rowid = 1',
      'UPDATE "SECONDS" SET n = 77 WHERE rowid = 1',
      'UPDATE "ALL_SENSORS" SET windows = windows + 1 WHERE rowid = 1',
    )
    await inTopic(folder, 'seconds', records =>
      records.map((record, n) => (n === 9 ? record.replace(/"n":\d/, '"n":8') : record)),
    )
    expect((await verdictOf(built, folder)).differing).toEqual([
      'seconds.n',
      'LARGE.most',
      'ALL_SENSORS.windows',
      'DEDUPED',
      'DERIVED.n',
      'SECONDS.n',
    ])
  }, 120_000)
})

test('what cannot be recomputed is named column by column, and the rest is compared', async () => {
  const secret = (level: number) => level * 2
  const shout = topic(
    'shouts',
    z.object({
      sensor: z.string(),
      at: timestamp('s'),
      level: z.number(),
      loud: z
        .string()
        .transform(t => t.toUpperCase())
        .pipe(z.string()),
    }),
    { key: 'sensor', eventTime: { field: 'at' } },
  )
  const built = pipeline('opaque', ({ from, warehouse }) => {
    warehouse.table('HALF').appends(from(shout).derive({ twice: r => secret(r.level), thrice: r => r.level * 3 }))
    warehouse.table('NONE').appends(from(shout).filter(r => secret(r.level) > 1))
  })
  await ran(built, folder, { shouts: [[{ sensor: 'a', at: 1, level: 2, loud: 'x' }]] })
  expect(await verdictOf(built, folder)).toEqual({
    differing: [],
    notCompared: ['HALF.loud', 'HALF.twice', 'NONE.sensor', 'NONE.at', 'NONE.level', 'NONE.loud'],
    open: 0,
    agreed: 1,
  })
  await inWarehouse(folder, 'UPDATE "HALF" SET thrice = 7')
  expect((await verdictOf(built, folder)).differing).toEqual(['HALF.thrice'])
})

test('a quantile between two infinities is infinite', async () => {
  const built = pipeline('infinite', ({ from, warehouse }) => {
    const odd = from(readings).derive({ ratio: r => r.level / 0 })
    warehouse.table('QUANTILES').appends(
      odd
        .groupBy('sensor')
        .window(tumbling('10 s'))
        .aggregate({ third: quantile('ratio', 0.3) }),
    )
  })
  await ran(built, folder, { readings: [ROWS.slice(0, 4).map(row => ({ ...row, sensor: 'a' }))] })
  expect(await verdictOf(built, folder)).toMatchObject(AGREES)
  await inWarehouse(folder, 'UPDATE "QUANTILES" SET third = \'NaN\'')
  expect((await verdictOf(built, folder)).differing).toEqual(['QUANTILES.third'])
})
