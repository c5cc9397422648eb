/**
 * One run of a file workload: `node bench/live/one-run.ts MODE LANE INPUT DATA_DIRECTORY`.
 *
 * `bounded`: as `millrace run --until-end`. `followed`: as without it, until all records are in, with an epoch whenever
 * rows have come out. `without`: no epochs, no journal, nothing noted for them; rows go to the sink alone.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { loadSource } from '../../src/connectors/contract.ts'
import { file } from '../../src/connectors/file/index.ts'
import type { Plan, SourceReference } from '../../src/plan/nodes.ts'
import { sinkOf } from '../../src/runtime/consumers/sinks.ts'
import { readInput } from '../../src/runtime/ingest/topic-input.ts'
import type { RunOptions } from '../../src/runtime/options.ts'
import { RECORD_BYTES_MAX } from '../../src/runtime/process/topic-decoder.ts'
import { Topics } from '../../src/runtime/process/topics.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { systemClock } from '../../src/system/clock.ts'
import { LINES } from '../generate.ts'

const [mode = '', lane = '', path = '', dataDirectory = ''] = process.argv.slice(2)
const { plan } = ((await import(join(import.meta.dirname, '..', `${lane}.ts`))) as { default: { plan: Plan } }).default
const topic = plan.topics[0]!
const source: SourceReference = file({ path })
const never = new AbortController().signal

async function withEpochs(untilEnd: boolean): Promise<void> {
  const stop = new AbortController()
  const lines = Number(/-(\d+)\.ndjson$/.exec(path)?.[1] ?? LINES)
  const options: RunOptions = {
    dataDirectory,
    inputs: new Map([[topic.name, [source]]]),
    untilEnd,
    duration_ms: null,
    strict: false,
    signal: stop.signal,
    onProgress: ({ topics }) => {
      if (!untilEnd && topics[0]?.records === lines) stop.abort()
    },
    taps: new Map(),
  }
  const { topics } = await runPipeline(plan, options)
  if (topics[0]!.records !== lines) throw new Error(`${topics[0]!.records} of ${lines} records were read`)
}

async function withoutEpochs(): Promise<void> {
  mkdirSync(dataDirectory, { recursive: true })
  const [node] = plan.delivers
  const { stream } = node!
  const sink = await sinkOf(node!, () => Promise.reject(new Error('the workload has no table')))
  const { columns } = stream
  await sink.open({ consumer: 'bench', incarnation: 'bench', dataDirectory, columns, key: [] })
  let rows = 0
  const output = {
    write(batch: { readonly length: number } & Parameters<typeof sink.write>[0]) {
      rows += batch.length
      return sink.write(batch)
    },
  }
  const deadLetters = {
    add() {
      throw new Error('a record was refused')
    },
  }
  const terminals = [{ stream, topic: null, output }]
  const task = new Topics({ plan, terminals, taps: new Map(), deadLetters, clock: systemClock }).task(topic.name)
  const opened = await loadSource(source)
  const partitions = await opened.open({
    untilEnd: true,
    columns: topic.columns,
    required: new Set(),
    onWarning: () => {},
    maximumChunkBytes: RECORD_BYTES_MAX,
    signal: never,
    from: new Map(),
    topic: topic.name,
    dataDirectory,
    listen: { host: '127.0.0.1', port: 0, tls: null, trustedProxies: [], keys: 'when-made' },
  })
  const numbers = partitions.map(info => task.addPartition(info).number)
  const options = { untilEnd: true, signal: never, onTurn: async () => {}, pool: null, ingestion: null }
  await readInput(task, [{ source: opened, name: path, partitions: numbers }], options)
  await task.end()
  await sink.commit(rows)
  await sink.close()
  await opened.close()
}

if (mode === 'without') await withoutEpochs()
else await withEpochs(mode === 'bounded')
