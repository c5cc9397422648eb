import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import { count, first, hopping, max, pipeline, sum, timestamp, topic, tumbling } from '../../src/index.ts'
import { openDatabase } from '../../src/verify/database.ts'
import { loadRecords } from '../../src/verify/records.ts'
import { type VerifyReport, verifyPipeline } from '../../src/verify/verify.ts'
import { openRows, put } from '../log/stored.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-verify-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const lines = (rows: readonly object[]) => rows.map(row => `${JSON.stringify(row)}\n`).join('')

const measurements = topic(
  'measurements',
  z.object({ sensor: z.string(), t: timestamp('s'), values: z.object({ v: z.number().optional() }) }),
  { key: 'sensor', eventTime: { field: 't' } },
)

const { plan } = pipeline('sums', ({ from, deliver, warehouse }) => {
  const sums = from(measurements)
    .groupBy('sensor')
    .window(tumbling('10 s'))
    .aggregate({ n: count(), total: sum('values.v'), largest: max('values.v') })
  deliver(sums, file({ path: 'sums.ndjson', timestamps: 'ms' }))
  warehouse.table('WEATHER.SUMS').upserts(sums, { key: ['sensor', 'window_start'] })
  warehouse.table('WEATHER.RAW').appends(measurements)
})

const INPUT = [
  { sensor: 'a', t: 100, values: { v: 1 } },
  { sensor: 'a', t: 101.5, values: { v: 0.1 } },
  { sensor: 'b', t: 108, values: {} },
  { sensor: 'a', t: 112, values: { v: 5 } },
  // Too late: its window ended at 110, and the partition stands at 112.
  { sensor: 'a', t: 103, values: { v: 9 } },
]
const SUMS = [
  { sensor: 'a', n: 2, total: 1.1, largest: 1, window_start: 100_000, window_end: 110_000 },
  { sensor: 'b', n: 1, total: null, largest: null, window_start: 100_000, window_end: 110_000 },
  { sensor: 'a', n: 1, total: 5, largest: 5, window_start: 110_000, window_end: 120_000 },
]

/** Lays out a data directory as a run leaves it. */
async function run(
  input: { readonly path: string; readonly bytes: string | Uint8Array },
  more: { readonly sums?: readonly object[]; readonly untilEnd?: boolean } = {},
): Promise<void> {
  const path = join(folder, input.path)
  writeFileSync(path, input.bytes)
  const record = {
    inputs: { measurements: [path] },
    warehouseFile: 'warehouse.duckdb',
    untilEnd: more.untilEnd ?? true,
  }
  writeFileSync(join(folder, 'run.json'), JSON.stringify(record))
  writeFileSync(join(folder, 'sums.ndjson'), lines(more.sums ?? SUMS))
}

async function warehouse(statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(join(folder, 'warehouse.duckdb'))
  const connection = await instance.connect()
  for (const statement of statements) await connection.run(statement)
  connection.closeSync()
  instance.closeSync()
}

const outputOf = (report: VerifyReport, name: string) => report.outputs.find(({ output }) => output === name)!
const verify = () => verifyPipeline(plan, { dataDirectory: folder })

describe('verifyPipeline', () => {
  test('agrees with what is right, to the row', async () => {
    await run({ path: 'in.ndjson', bytes: lines(INPUT) })
    const report = await verify()
    expect(outputOf(report, 'sums.ndjson')).toMatchObject({
      rows: 3,
      agreed: 3,
      missing: [],
      unexpected: [],
      different: [],
    })
    expect(outputOf(report, 'sums.ndjson').sql).toContain('GROUP BY')
    expect(report.notCompared.map(({ output, reason }) => `${output}: ${reason}`)).toEqual([
      'WEATHER.SUMS: there is no warehouse file in the data directory',
      'WEATHER.RAW: there is no warehouse file in the data directory',
    ])
  })

  test('names rows that are missing, unexpected or different, each with an example', async () => {
    const wrong = [
      { ...SUMS[0]!, total: 1.1000001 },
      { ...SUMS[2]!, n: 2 },
      { ...SUMS[2]!, sensor: 'c' },
    ]
    await run({ path: 'in.ndjson', bytes: lines(INPUT) }, { sums: wrong })
    const output = outputOf(await verify(), 'sums.ndjson')
    expect(output).toMatchObject({ agreed: 0, missingCount: 1, unexpectedCount: 1, differentCount: 2 })
    expect(output.missing).toMatchObject([{ sensor: 'b', n: 1, window_start: '1970-01-01T00:01:40.000Z' }])
    expect(output.unexpected).toMatchObject([{ sensor: 'c' }])
    expect(output.different.map(({ columns }) => columns)).toEqual([['n'], ['total']])
  })

  test('a sum may differ in its last digits, a maximum may not', async () => {
    const near = SUMS.map(row => ({ ...row, total: row.total === null ? null : row.total * (1 + 1e-12) }))
    await run({ path: 'in.ndjson', bytes: lines(INPUT) }, { sums: near })
    expect(outputOf(await verify(), 'sums.ndjson').agreed).toBe(3)
    const maxima = SUMS.map(row => ({ ...row, largest: row.largest === null ? null : row.largest * (1 + 1e-12) }))
    await run({ path: 'in.ndjson', bytes: lines(INPUT) }, { sums: maxima })
    expect(outputOf(await verify(), 'sums.ndjson')).toMatchObject({ agreed: 1, differentCount: 2 })
  })

  test('a row that was delivered twice is unexpected', async () => {
    await run({ path: 'in.ndjson', bytes: lines(INPUT) }, { sums: [...SUMS, SUMS[1]!] })
    expect(outputOf(await verify(), 'sums.ndjson')).toMatchObject({ agreed: 3, unexpectedCount: 1 })
  })

  test('refused records are left out', async () => {
    const bad = '{"sensor":"a","t":105,"values":{"v":"7"}}\n{"sensor":"a","t":1\n'
    await run({ path: 'in.ndjson', bytes: lines(INPUT.slice(0, 2)) + bad + lines(INPUT.slice(2)) })
    const letters = openRows(folder, 'dead_letters')
    put(letters, JSON.stringify({ topic: 'measurements' }))
    await letters.close()
    expect(outputOf(await verify(), 'sums.ndjson')).toMatchObject({ rows: 3, agreed: 3 })
  })

  test('of two equal keys the last counts, as JSON says', async () => {
    const twice = lines(INPUT).replace('{"sensor":"b",', '{"sensor":"a","sensor":"b",')
    await run({ path: 'in.ndjson', bytes: twice })
    expect(outputOf(await verify(), 'sums.ndjson')).toMatchObject({ rows: 3, agreed: 3 })
  })

  test('reads compressed and translated inputs through their source', async () => {
    await run({ path: 'in.ndjson.gz', bytes: gzipSync(lines(INPUT)) })
    expect(outputOf(await verify(), 'sums.ndjson')).toMatchObject({ rows: 3, agreed: 3 })
    const csv = INPUT.map(({ sensor, t, values }) => `${sensor},${t},${values.v ?? ''}\n`).join('')
    await run({ path: 'in.csv', bytes: `sensor,t,values.v\n${csv}` })
    expect(outputOf(await verify(), 'sums.ndjson')).toMatchObject({ rows: 3, agreed: 3 })
  })

  test('tables of the warehouse: windows by key, raw rows as a bag', async () => {
    await run({ path: 'in.ndjson', bytes: lines(INPUT) })
    const raw = INPUT.map(
      ({ sensor, t, values }) => `('${sensor}', make_timestamp(${t * 1e6}::BIGINT), ${values.v ?? 'NULL'})`,
    )
    const sums = SUMS.map(
      row =>
        `('${row.sensor}', ${row.n}, ${row.total}, ${row.largest}, epoch_ms(${row.window_start}), epoch_ms(${row.window_end}))`,
    )
    await warehouse([
      'CREATE SCHEMA "WEATHER"',
      'CREATE TABLE "WEATHER"."RAW" (sensor VARCHAR, t TIMESTAMP, values_v DOUBLE)',
      `INSERT INTO "WEATHER"."RAW" VALUES ${raw.join(', ')}`,
      'CREATE TABLE "WEATHER"."SUMS" (sensor VARCHAR, n DOUBLE, total DOUBLE, largest DOUBLE, window_start TIMESTAMP, window_end TIMESTAMP)',
      `INSERT INTO "WEATHER"."SUMS" VALUES ${sums.join(', ')}`,
    ])
    const report = await verify()
    expect(report.notCompared).toEqual([])
    expect(outputOf(report, 'WEATHER.SUMS')).toMatchObject({ rows: 3, agreed: 3 })
    expect(outputOf(report, 'WEATHER.RAW')).toMatchObject({ rows: 5, agreed: 5 })
    await warehouse(['UPDATE "WEATHER"."RAW" SET values_v = 2 WHERE values_v = 1'])
    expect(outputOf(await verify(), 'WEATHER.RAW')).toMatchObject({
      agreed: 4,
      different: [
        { oracle: { sensor: 'a', 'values.v': 1 }, stream: { sensor: 'a', 'values.v': 2 }, columns: ['values.v'] },
      ],
    })
  })

  test('after a run that was stopped, windows that were not due are pending', async () => {
    await run({ path: 'in.ndjson', bytes: lines(INPUT) }, { sums: SUMS.slice(0, 2), untilEnd: false })
    expect(outputOf(await verify(), 'sums.ndjson')).toMatchObject({ agreed: 2, missingCount: 0, open: 1 })
  })

  test('an empty folder is no run', async () => {
    await expect(verify()).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })
})

describe('loadRecords', () => {
  const times = topic(
    'times',
    z.object({ n: z.number(), ns: timestamp('ns'), s: timestamp('s'), iso: timestamp('iso') }),
  )

  async function rows(text: string, isDoubtful: boolean): Promise<Record<string, unknown>[]> {
    const path = join(folder, 'times.ndjson')
    writeFileSync(path, text)
    const database = await openDatabase(folder)
    try {
      const input = { topic: times.node, sources: [file({ path })], isDoubtful, folder }
      const { relation } = await loadRecords(database, input)
      return await database.rows(`SELECT * FROM ${relation} ORDER BY "#position"`)
    } finally {
      database.close()
      rmSync(join(folder, 'verify.duckdb'))
    }
  }

  const time = (n: number, ns: string, s: string, iso: string) => `{"n":${n},"ns":${ns},"s":${s},"iso":"${iso}"}\n`
  const text = [
    time(0, '1698501145514000999', '1698501600', '2023-10-28T13:52:25.123456Z'),
    time(1, '-1', '-0.5', '1969-12-31T23:59:59.5Z'),
    time(2, '-1698501145514000001', '1698501600.123456', '2023-10-28T13:52:25+02:00'),
    time(3, '0', '0.0000019', '2023-10-28T13:52Z'),
    time(4, '0', '0', '2023-10-28 13:52:25.5+0200'),
    time(5, '0', '0', '2023-10-28 13:52:25-03'),
  ].join('')

  test('both ways of reading give the same times', async () => {
    const fast = await rows(text, false)
    expect(fast).toEqual(await rows(text, true))
    expect(fast[2]).toMatchObject({ ns: -1698501145514001n, s: 1698501600123456n, iso: 1698493945000000n })
    expect(fast.map(row => row.ns)).toEqual([1698501145514000n, -1n, -1698501145514001n, 0n, 0n, 0n])
    expect(fast.slice(4).map(row => row.iso)).toEqual([1698493945500000n, 1698511945000000n])
  })

  test('a time that is no plain number is read by the slow way', async () => {
    const odd = text + time(6, '1.698501145514000123e18', '1e3', '2023-10-28T13:52:25.1234567Z')
    expect((await rows(odd, false))[6]).toMatchObject({ ns: 1698501145514000n, s: 1000000000n, iso: 1698501145123456n })
  })

  test('records keep the order of their file, however DuckDB reads it', async () => {
    const many = Array.from({ length: 300_000 }, (_, n) => time(n, '1', '1', '2023-10-28T13:52:25Z')).join('')
    const positions = (await rows(many, false)).map(row => Number(row.n))
    expect(positions.length).toBe(300_000)
    expect(positions.every((n, index) => n === index)).toBe(true)
  })
})

test('overlapping windows go by the records, not by the rows before', async () => {
  const overlapping = pipeline('overlapping', ({ from, deliver }) => {
    const counts = from(measurements)
      .groupBy('sensor')
      .window(hopping({ size: '10 s', every: '5 s' }))
      .aggregate({ n: count() })
    deliver(counts, file({ path: 'counts.csv' }))
  })
  await run({ path: 'in.ndjson', bytes: lines(INPUT) })
  const csv = [
    'a,2,1970-01-01T00:01:35.000Z,1970-01-01T00:01:45.000Z',
    'a,2,1970-01-01T00:01:40.000Z,1970-01-01T00:01:50.000Z',
    'b,1,1970-01-01T00:01:40.000Z,1970-01-01T00:01:50.000Z',
    'b,1,1970-01-01T00:01:45.000Z,1970-01-01T00:01:55.000Z',
    'a,1,1970-01-01T00:01:45.000Z,1970-01-01T00:01:55.000Z',
    'a,1,1970-01-01T00:01:50.000Z,1970-01-01T00:02:00.000Z',
  ]
  writeFileSync(join(folder, 'counts.csv'), `sensor,n,window_start,window_end\n${csv.join('\n')}\n`)
  const [output] = (await verifyPipeline(overlapping.plan, { dataDirectory: folder })).outputs
  expect(output).toMatchObject({ rows: 6, agreed: 6, unexpected: [] })
})

test('the elements of an array become rows in their order, with times in their own unit', async () => {
  const messages = topic(
    'messages',
    z.object({
      device: z.string(),
      sent: timestamp('ms'),
      payload: z.array(
        z.object({ name: z.string(), at: timestamp('ns'), values: z.object({ x: z.number().nullish() }) }),
      ),
    }),
    { key: 'device', eventTime: { field: 'sent' } },
  )
  const exploded = pipeline('exploded', ({ from, deliver }) => {
    const rows = from(messages).explode('payload')
    deliver(rows.select('device', 'name', 'at', 'values.x'), file({ path: 'rows.ndjson', timestamps: 'us' }))
    const windows = rows
      .groupBy('device')
      .window(tumbling('1 s'))
      .aggregate({ n: count(), first: first('name'), total: sum('values.x') })
    deliver(windows, file({ path: 'windows.ndjson', timestamps: 'us' }))
  })
  const input =
    '{"device":"d","sent":1500,"payload":[{"name":"a","at":1698501145514000999,"values":{"x":1}},{"name":"b","at":5,"values":{}}]}\n' +
    '{"device":"d","sent":1600,"payload":[]}\n{"device":"d","sent":1700,"payload":[{"name":"c","at":1999,"values":{"x":2}}]}\n'
  await run({ path: 'in.ndjson', bytes: input })
  const record = { inputs: { messages: [join(folder, 'in.ndjson')] }, untilEnd: true }
  writeFileSync(join(folder, 'run.json'), JSON.stringify(record))
  const rows = [
    { device: 'd', name: 'a', at: 1698501145514000, values: { x: 1 } },
    { device: 'd', name: 'b', at: 0, values: { x: null } },
    { device: 'd', name: 'c', at: 1, values: { x: 2 } },
  ]
  writeFileSync(join(folder, 'rows.ndjson'), lines(rows))
  const window = { device: 'd', n: 3, first: 'a', total: 3, window_start: 1_000_000, window_end: 2_000_000 }
  writeFileSync(join(folder, 'windows.ndjson'), lines([window]))
  const { outputs, notCompared } = await verifyPipeline(exploded.plan, { dataDirectory: folder })
  expect(notCompared).toEqual([])
  expect(outputs.map(({ output, rows, agreed }) => [output, rows, agreed])).toEqual([
    ['rows.ndjson', 3, 3],
    ['windows.ndjson', 1, 1],
  ])
})

test('in CSV an empty text is not null', async () => {
  const notes = topic('notes', z.object({ sensor: z.string().nullable(), t: timestamp('s') }))
  const copied = pipeline('copied', ({ from, deliver }) => deliver(from(notes), file({ path: 'copied.csv' })))
  await run({
    path: 'in.ndjson',
    bytes: lines([
      { sensor: '', t: 1 },
      { sensor: null, t: 2 },
    ]),
  })
  const record = { inputs: { notes: [join(folder, 'in.ndjson')] }, untilEnd: true }
  writeFileSync(join(folder, 'run.json'), JSON.stringify(record))
  writeFileSync(join(folder, 'copied.csv'), 'sensor,t\n"",1970-01-01T00:00:01.000Z\n,1970-01-01T00:00:02.000Z\n')
  const [output] = (await verifyPipeline(copied.plan, { dataDirectory: folder })).outputs
  expect(output).toMatchObject({ agreed: 2, missing: [], unexpected: [] })
})

test('a data directory whose last run was one of another pipeline is not compared', async () => {
  writeFileSync(join(folder, 'run.json'), JSON.stringify({ pipeline: 'others', inputs: {}, untilEnd: true }))
  await expect(verifyPipeline(plan, { dataDirectory: folder })).rejects.toMatchObject({ code: 'DATA_DIR_MISMATCH' })
})
