/** Text that is not Unicode never reaches a row: two such keys would be one as soon as they are written as UTF-8. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import { withScratch } from '../../src/formats/duckdb.ts'
import { count, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import type { DeadLetter } from '../../src/log/dead-letter.ts'
import { readTopic } from '../../src/log/topic-store.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { verifyPipeline } from '../../src/verify/verify.ts'
import { query } from '../connectors/query-file.ts'
import { runOptions } from './runs.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-unicode-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const readings = topic('readings', z.object({ device: z.string(), time: timestamp('ms'), more: z.unknown() }), {
  key: 'device',
  eventTime: { field: 'time' },
})

/** JSON of a record, with its escapes as they are written here. */
const line = (device: string, more = 'null') => `{"device":"${device}","time":1698501145514,"more":${more}}`

test('half characters are dead letters with their bytes, and all outputs hold the same rows', async () => {
  const lines = [
    line('a\\ud800'),
    line('a\\ud801'),
    line('a\ufffd'),
    line('\\ud83d\\ude00'),
    line('json', '["\\udfff"]'),
    line('json', '{"\\ud83d":1}'),
    line('json', '{"\\ud83d\\ude00":"\\\\ud83d"}'),
  ]
  const input = join(folder, 'in.ndjson')
  writeFileSync(input, Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), Buffer.from([0x22, 0xff, 0x22, 0x0a])]))
  const { plan } = pipeline('unicode', ({ ingest, from, deliver, warehouse }) => {
    ingest(file({ path: input }), readings)
    warehouse.table('latest').upserts(readings, { key: 'device' })
    warehouse
      .table('counts')
      .appends(from(readings).groupBy('device').window(tumbling('1 s')).aggregate({ n: count() }))
    for (const path of ['o.ndjson', 'o.csv', 'o.parquet']) deliver(from(readings), file({ path }))
    from(readings).to(topic('copies'))
  })
  const dataDirectory = join(folder, 'data')
  await runPipeline(plan, runOptions(dataDirectory, { untilEnd: true }))

  const letters = [...readTopic(dataDirectory, 'dead_letters')].map(text => JSON.parse(text) as DeadLetter)
  expect(letters.map(({ line, code, bytes }) => ({ line, code, bytes }))).toEqual([
    { line: 1, code: 'TEXT_NOT_UNICODE', bytes: lines[0] },
    { line: 2, code: 'TEXT_NOT_UNICODE', bytes: lines[1] },
    { line: 5, code: 'TEXT_NOT_UNICODE', bytes: lines[4] },
    { line: 6, code: 'TEXT_NOT_UNICODE', bytes: lines[5] },
    { line: 8, code: 'TEXT_NOT_UNICODE', bytes: Buffer.from([0x22, 0xff, 0x22]).toString('base64') },
  ])
  const devices = ['a\ufffd', 'json', '\u{1f600}']
  const copies = [...readTopic(dataDirectory, 'copies')].map(text => JSON.parse(text) as { device: string })
  expect(copies.map(({ device }) => device).sort()).toEqual(devices)
  const written = readFileSync(join(dataDirectory, 'o.ndjson'), 'utf8').trim().split('\n')
  expect(written.map(text => JSON.parse(text).device).sort()).toEqual(devices)
  const parquet = `SELECT device FROM read_parquet('${join(dataDirectory, 'o.parquet')}') ORDER BY 1`
  const inParquet = await withScratch(async connection => (await connection.runAndReadAll(parquet)).getRows())
  expect(inParquet).toEqual(devices.map(device => [device]))
  const report = await verifyPipeline(plan, { dataDirectory })
  expect(
    report.outputs.map(
      ({ missingCount, unexpectedCount, differentCount }) => missingCount + unexpectedCount + differentCount,
    ),
  ).toEqual([0, 0, 0, 0, 0, 0])
})

test('a text that a lambda cuts inside a character is the same key in every output', async () => {
  const input = join(folder, 'cut.ndjson')
  writeFileSync(input, `${['\u{1f600}', '\u{1f601}', '\u{2f600}'].map(device => line(device)).join('\n')}\n`)
  const { plan } = pipeline('cut', ({ ingest, from, warehouse }) => {
    ingest(file({ path: input }), readings)
    const cut = from(readings).derive({ half: r => r.device.slice(1, 2), opaque: r => String([r.device[0]]) })
    warehouse.table('cut').appends(cut.groupBy('half', 'opaque').window(tumbling('1 s')).aggregate({ n: count() }))
  })
  const dataDirectory = join(folder, 'cut-data')
  await runPipeline(plan, runOptions(dataDirectory, { untilEnd: true }))
  const cut = await query(join(dataDirectory, 'warehouse.duckdb'), 'SELECT half, opaque, n::INTEGER AS n FROM cut', 9)
  expect(cut.rows).toEqual([{ half: '\ufffd', opaque: '\ufffd', n: 3 }])
})
