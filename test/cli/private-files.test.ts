/** What a run stores is for its user alone; what the user names elsewhere has the rights that they gave. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inFolder, millrace, start } from './support.ts'

const HTTP = new URL('../../src/connectors/http/index.ts', import.meta.url).href
const FILE = new URL('../../src/connectors/file/index.ts', import.meta.url).href

const pipelineFor = (outside: string) => `
import { count, pipeline, timestamp, topic, tumbling } from 'millrace'
import { http } from '${HTTP}'
import { file } from '${FILE}'
import { z } from 'zod'

const readings = topic('readings', z.object({ sensor: z.string(), time: timestamp('iso') }), {
  eventTime: { field: 'time', disorder: '1 s' },
})

export default pipeline('pushed', ({ ingest, from, deliver, warehouse }) => {
  ingest(http({ path: '/readings' }), readings)
  const minutes = from(readings).groupBy('sensor').window(tumbling('1 m')).aggregate({ readings: count() })
  warehouse.table('minutes').appends(minutes.to(topic('minutes')))
  deliver(from(readings), file({ path: 'inside.ndjson' }))
  deliver(from(readings), file({ path: '${outside}/new/rows.csv' }))
  deliver(from(readings), file({ path: '${outside}/new/rows.parquet' }))
})
`

let umask: number
beforeAll(() => {
  umask = process.umask(0o002)
})
afterAll(() => {
  process.umask(umask)
})

function modesIn(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true }) as string[]
  return Object.fromEntries(names.map(name => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]))
}

const openToOthers = (folder: string) => Object.entries(modesIn(folder)).filter(([, mode]) => !/^[67]00$/.test(mode))

test.each([
  ['that is new', false],
  ['that the user made, open to all', true],
])(
  'a data directory %s',
  (_, isThere) =>
    inFolder(async folder => {
      const data = join(folder, 'data')
      const outside = join(folder, 'outside')
      writeFileSync(join(folder, 'pipeline.ts'), pipelineFor(outside))
      if (isThere) mkdirSync(data)
      const made = await millrace(['keys', 'make', 'ann', '--data-dir', data, '--json'])
      const headers = { authorization: `Bearer ${(JSON.parse(made.stdout) as { key: string }).key}` }
      const words = [
        'run',
        'pipeline.ts',
        '--listen',
        '127.0.0.1:0',
        '--console',
        '127.0.0.1:0',
        '--events',
        '--data-dir',
        data,
      ]
      const running = start(words, { cwd: folder })
      try {
        await running.said('"event":"ready"')
        const [{ address }] = JSON.parse(readFileSync(join(data, 'addresses.json'), 'utf8')) as [{ address: string }]
        const body = Array.from({ length: 5 }, (_, minute) => `{"sensor":"roof","time":"2026-01-05T09:0${minute}:00Z"}`)
        const { status } = await fetch(address, { method: 'POST', headers, body: [...body, '{"no":1}'].join('\n') })
        expect(status).toBe(200)
        const ask = () => millrace(['query', 'FROM minutes', '--data-dir', data, '--json'])
        await expect.poll(async () => (await ask()).stdout.trim().split('\n').length).toBeGreaterThan(2)
        expect(await millrace(['snapshot', join(folder, 'copy.duckdb'), '--data-dir', data])).toMatchObject({ code: 0 })
        expect(openToOthers(data)).toEqual([])
        expect(Object.keys(modesIn(data))).toEqual(
          expect.arrayContaining(['warehouse.duckdb.wal', 'owner.sock', 'inside.ndjson']),
        )
      } finally {
        running.child.kill('SIGINT')
        await running.result
      }
      expect(openToOthers(data)).toEqual([])
      expect((statSync(data).mode & 0o777).toString(8)).toBe(isThere ? '775' : '700')
      expect(modesIn(outside)).toMatchObject({ new: '775', 'new/rows.csv': '664', 'new/rows.parquet': '664' })
      expect((statSync(join(folder, 'copy.duckdb')).mode & 0o777).toString(8)).toBe('664')
    }),
  60_000,
)
