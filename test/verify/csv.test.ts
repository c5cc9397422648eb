/** CSV inputs are read by DuckDB's own reader: what the run made of them is held against that. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type FileOptions, file } from '../../src/connectors/file/describe.ts'
import { average, count, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { runOptions } from '../runtime/runs.ts'
import { inWarehouse, verdictOf } from './ran.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-csv-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const readings = topic(
  'readings',
  z.object({
    device: z.string(),
    time: timestamp('ms'),
    place: z.object({ level: z.number().nullable() }),
    on: z.boolean().nullish(),
    note: z.string().nullish(),
    more: z.unknown().optional(),
  }),
  { key: 'device', eventTime: { field: 'time', disorder: '1 s' } },
)

function over(options: Omit<FileOptions, 'path'>, name = 'in.csv') {
  return pipeline('csv', ({ ingest, from, warehouse }) => {
    ingest(file({ path: join(folder, name), ...options }), readings)
    warehouse.table('RAW').appends(readings)
    warehouse.table('W').appends(
      from(readings)
        .groupBy('device')
        .window(tumbling('10 s'))
        .aggregate({ n: count(), mean: average('place.level') }),
    )
  })
}

async function verdict(text: string | Uint8Array, options: Omit<FileOptions, 'path'> = {}, name = 'in.csv') {
  writeFileSync(join(folder, name), text)
  const built = over(options, name)
  const { outputs } = await runPipeline(built.plan, runOptions(folder, { untilEnd: true }))
  return { built, rows: outputs[0]!.rows, verdict: await verdictOf(built, folder) }
}

const AGREES = { differing: [], notCompared: [] }
const HEADER = 'device,time,place.level,on,note,more,other\n'
const ROWS = [
  'a,1698501145514,1.5,true,"3"" pipe","{""x"":[1,1e3]}",1\n',
  'a,1698501145999, 2 ,FALSE,,"text",x\n',
  '"b,c",1698501146514,,,"two\nlines",,\n',
  'b,1698501156514,-1e-3,,"",null,""\n',
  'b,1698501156515,0.10,,3/4" pipe,[],01\n',
]

describe('agrees with the run over', () => {
  test('quotes, line breaks in cells, nulls and nested names', async () => {
    const { rows, verdict: found } = await verdict(HEADER + ROWS.join(''))
    expect(rows).toBe(5)
    expect(found).toMatchObject(AGREES)
  })

  test('a byte order mark, CR LF, semicolons, decimal commas and words for null', async () => {
    const text = '\uFEFFdevice;time;place.level;note\r\na;1698501145514;1,5;NA\r\nb;1698501145514;NA;"NA"\r\n'
    const { rows, verdict: found } = await verdict(text, { delimiter: ';', decimal: ',', nulls: ['NA'] })
    expect(rows).toBe(2)
    expect(found).toMatchObject(AGREES)
  })

  test('CR alone, no header, lines above, and gzip', async () => {
    const text = 'made by\ra,1698501145514,1\rb,1698501145514,2\r'
    const options = { skipLines: 1, header: false, columns: ['device', 'time', 'place.level'] }
    const { rows, verdict: found } = await verdict(gzipSync(text), options, 'in.csv.gz')
    expect(rows).toBe(2)
    expect(found).toMatchObject(AGREES)
  })

  test('rows that the schema refuses, and rows of another width', async () => {
    const bad = 'a,soon,1,,,,\na,1698501145514,one,,,,\na,1698501145514\n'
    const { rows, verdict: found } = await verdict(HEADER + ROWS[0] + bad + ROWS.slice(1).join(''))
    expect(rows).toBe(5)
    expect(found).toMatchObject(AGREES)
  })

  test('a file in the middle of which the run was stopped', async () => {
    const rows = Array.from(
      { length: 30_000 },
      (_, n) => `d${n % 9},${1698501145000 + n},${n},,"l${n % 50 === 0 ? '\n' : ''}",,\n`,
    )
    writeFileSync(join(folder, 'in.csv'), HEADER + rows.join(''))
    const built = over({})
    const stop = new AbortController()
    const onProgress = ({ topics }: { topics: readonly { records: number }[] }) => {
      if (topics[0]!.records > 0) stop.abort()
    }
    await runPipeline(built.plan, runOptions(folder, { untilEnd: true, signal: stop.signal, onProgress }))
    expect(await verdictOf(built, folder)).toMatchObject(AGREES)
  })
})

test('a cell that the run read otherwise than DuckDB is found', async () => {
  const { built } = await verdict(HEADER + ROWS.join(''))
  await inWarehouse(
    folder,
    `UPDATE "RAW" SET note = '3 pipe' WHERE rowid = 0`,
    `UPDATE "RAW" SET "on" = NULL WHERE rowid = 1`,
  )
  expect((await verdictOf(built, folder)).differing).toEqual(['RAW.note', 'RAW.on'])
})

test('behind a quote that is never closed DuckDB goes on elsewhere: then nothing is claimed', async () => {
  const { verdict: found } = await verdict(`${HEADER}${ROWS[0]}a,1698501145514,1,,"open,,\n${ROWS.slice(1).join('')}`)
  expect(found.differing).toEqual([])
  expect(found.notCompared).toContain('RAW.note')
})

test('an encoding that DuckDB does not read is named', async () => {
  const latin = Buffer.from(`${HEADER}Z\u00fcrich,1698501145514,1,,,,\n`, 'latin1')
  const { verdict: found } = await verdict(latin, { encoding: 'latin1' })
  expect(found.notCompared).toContain('RAW.device')
})
