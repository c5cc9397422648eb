/**
 * Live memory of keys with an open window: heap and external memory before the first record and after the last one, and
 * how much the process has grown. `node --expose-gc bench/keys.ts [KEYS]`, by default 200,000.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { file } from '../src/connectors/file/index.ts'
import { average, count, hopping, pipeline, timestamp, topic, tumbling } from '../src/index.ts'
import { runPipeline } from '../src/runtime/run.ts'

const keys = Number(process.argv[2] ?? 200_000)
const collect = (globalThis as { gc?: () => void }).gc
if (collect === undefined) throw new Error('Run it with --expose-gc.')

function held(): { readonly live: number; readonly rss: number } {
  for (let time = 0; time < 4; time++) collect!()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { live: heapUsed + external, rss }
}

async function measure(what: string, isHopping: boolean, recordsPerKey: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-keys-'))
  const path = join(folder, 'readings.ndjson')
  const line = (key: number, record: number) =>
    `{"device":"session-${String(key).padStart(8, '0')}","at":${1_764_500_000_000 + record * 2000},"x":${key % 977}.5}\n`
  const records = { length: recordsPerKey }
  const linesOf = (key: number) => Array.from(records, (_, record) => line(key, record)).join('')
  writeFileSync(path, Array.from({ length: keys }, (_, key) => linesOf(key)).join(''))
  const schema = z.object({ device: z.string(), at: timestamp('ms'), x: z.number() })
  const eventTime = { field: 'at', progress: 'key', idleAfter: '1 h' } as const
  const readings = topic('readings', schema, { key: 'device', eventTime })
  const { plan } = pipeline('keys', ({ ingest, from, warehouse }) => {
    ingest(file({ path }), readings)
    const window = isHopping ? hopping({ size: '10 s', every: '2 s' }) : tumbling('1 h')
    const rows = from(readings)
      .groupBy('device')
      .window(window)
      .aggregate({ n: count(), mean: average('x') })
    warehouse.table('windows').appends(rows)
  })
  const stop = new AbortController()
  let before = held()
  await runPipeline(plan, {
    ...{ dataDirectory: join(folder, 'data'), inputs: new Map(), untilEnd: false, duration_ms: null, strict: false },
    ...{ signal: stop.signal, taps: new Map() },
    onReady: () => {
      before = held()
    },
    onProgress: ({ topics: [progress] }) => {
      if (stop.signal.aborted || (progress?.records ?? 0) < keys * recordsPerKey) return
      const after = held()
      const per = (bytes: number) => `${Math.round(bytes / keys)} bytes a key`
      console.log(`${what}: live ${per(after.live - before.live)}, process ${per(after.rss - before.rss)}`)
      stop.abort()
    },
  })
  rmSync(folder, { recursive: true })
}

await measure('one open window of two aggregates', false, 1)
await measure('10 s every 2 s, a value in each of five panes', true, 5)
