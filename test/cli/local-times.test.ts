/** Local times of a CSV file, by window and by local day, through run and verify. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inFolder, millrace } from './support.ts'

const PIPELINE = `import { count, pipeline, timestamp, topic, tumbling } from 'millrace'
import { file } from 'millrace/file'
import { z } from 'zod'

const readings = topic(
  'readings',
  z.object({ station: z.string(), at: timestamp('dd/MM/yyyy HH:mm', { zone: 'Europe/Madrid' }) }),
  { key: 'station', eventTime: { field: 'at', disorder: '1 d' } },
)

export default pipeline('local', ({ ingest, from, warehouse }) => {
  ingest(file({ path: 'readings.csv' }), readings)
  const rows = from(readings)
    .derive({ day: (r, $) => $.formatTime(r.at, 'EEE yyyy-MM-dd XXX', { zone: 'Europe/Madrid' }) })
  warehouse.table('stored').appends(rows)
  const hours = rows.groupBy('station', 'day').window(tumbling('1 h')).aggregate({ n: count() })
  warehouse.table('hours').upserts(hours, { key: ['station', 'day', 'window_start'] })
})
`

test('local times of a spring and an autumn night', () =>
  inFolder(async folder => {
    writeFileSync(join(folder, 'pipeline.ts'), PIPELINE)
    const lines = [
      '28/03/2026 23:30',
      '29/03/2026 02:30',
      '29/03/2026 03:15',
      '25/10/2026 02:30',
      '25/10/2026 03:00',
      'x',
    ]
    writeFileSync(join(folder, 'readings.csv'), ['station,at', ...lines.map(at => `a,${at}`), ''].join('\n'))
    const run = await millrace(['run', 'pipeline.ts', '--until-end', '--data-dir', 'out', '--json'], { cwd: folder })
    expect(run.code, run.stderr).toBe(0)
    const query = async (sql: string) => {
      const { code, stdout, stderr } = await millrace(['query', sql, '--data-dir', 'out', '--json'], { cwd: folder })
      expect(code, stderr).toBe(0)
      return stdout
        .trim()
        .split('\n')
        .map(line => JSON.parse(line))
    }
    expect(await query('SELECT epoch_us("at")::BIGINT::VARCHAR AS us, day FROM stored ORDER BY "at"')).toEqual([
      { us: '1774737000000000', day: 'Sat 2026-03-28 +01:00' },
      { us: '1774746900000000', day: 'Sun 2026-03-29 +02:00' },
      { us: '1774747800000000', day: 'Sun 2026-03-29 +02:00' },
      { us: '1792888200000000', day: 'Sun 2026-10-25 +02:00' },
      { us: '1792893600000000', day: 'Sun 2026-10-25 +01:00' },
    ])
    expect(await query('SELECT sum(n)::INTEGER AS n FROM hours')).toEqual([{ n: 5 }])
    const letters = await millrace(['topics', 'read', 'dead_letters', '--data-dir', 'out', '--json'], {
      cwd: folder,
    })
    expect(letters.stdout).toContain("expected a time such as 'dd/MM/yyyy HH:mm', received ")
    const verified = await millrace(['verify', 'pipeline.ts', '--data-dir', 'out'], { cwd: folder })
    expect(verified.stdout + verified.stderr).toContain('agree')
    expect(verified.code).toBe(0)
  }))
