/** What the documents show compiles in the project that `millrace init` writes, whose compiler is stricter than most. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inFolder, millrace, ROOT } from './support.ts'

const PIPELINE = `import { count, pipeline, timestamp, topic, tumbling } from 'millrace'
import { file } from 'millrace/file'
import { z } from 'zod'

const readings = topic(
  'readings',
  z.object({
    device: z.string(),
    at: timestamp('yyyy-MM-dd HH:mm:ss', { zone: 'Europe/Madrid' }),
    sent: z.string().transform(text => text.replace(' UTC', 'Z')).pipe(timestamp('iso')),
    made: z.string().transform(text => text.trim()).pipe(timestamp('dd/MM/yyyy HH:mm', { zone: 'UTC' })),
    stored: z.string().transform(Number).pipe(timestamp('ms')),
  }),
  { key: 'device', eventTime: { field: 'at' } },
)

export default pipeline('typed', ({ ingest, from, warehouse }) => {
  ingest(file({ path: 'readings.ndjson' }), readings)
  const rows = from(readings).derive({
    site: r => r.device.split('-')[0],
    unit: r => r.device.split('-')[1] ?? 'none',
    day: (r, $) => $.formatTime(r.at, 'yyyy-MM-dd', { zone: 'Europe/Madrid' }),
  })
  warehouse.table('rows').appends(rows)
  const named = rows.require('site').derive({ size: r => r.site.length })
  const days = named.groupBy('site', 'day').window(tumbling('1 d')).aggregate({ n: count() })
  warehouse.table('days').upserts(days, { key: ['site', 'day', 'window_start'] })
})
`

test('pipelines of the documents compile in a new project', { timeout: 60_000 }, () =>
  inFolder(async folder => {
    expect((await millrace(['init', folder])).code).toBe(0)
    const modules = join(folder, 'node_modules')
    mkdirSync(join(modules, '@types'), { recursive: true })
    symlinkSync(ROOT, join(modules, 'millrace'))
    for (const name of ['zod', '@types/node']) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
    writeFileSync(join(folder, 'typed.ts'), PIPELINE)
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
    const { stdout } = spawnSync(process.execPath, [compiler, '--pretty', 'false'], { cwd: folder, encoding: 'utf8' })
    expect(stdout.split('\n').filter(line => /^\w/.test(line))).toEqual([])
    writeFileSync(join(folder, 'typed.ts'), PIPELINE.replace("require('site').", ''))
    const wrong = spawnSync(process.execPath, [compiler, '--pretty', 'false'], { cwd: folder, encoding: 'utf8' })
    expect(wrong.stdout).toContain("'r.site' is possibly 'null'")
  }),
)
