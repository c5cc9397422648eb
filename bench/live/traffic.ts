/** The lanes that push readings over HTTP, from a generator in a process of its own, to a run on the disk. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Figure, Lane } from '../lanes.ts'
import { median } from '../measure.ts'
import { type Load, load, type Server, verify, withServer } from './server.ts'

const EXAMPLE = 'examples/activity-tracker/pipeline.ts'
const PUSHED = 'bench/live/pushed.ts'
const BATCH = 100
const RATE = 20_000
/** What sinks were given last is committed by then. */
const SETTLED_MS = 1_000

interface Run extends Load {
  readonly cpu_us: number
  readonly resident_mb: number
}

/** Every reading that was acknowledged is stored, none was refused, and the windows are those of the batch answer. */
async function run(
  checkout: string,
  pipeline: string,
  more: readonly string[],
  options: (server: Server) => string[],
): Promise<Run> {
  return await withServer(checkout, pipeline, more, async (server, dataDirectory) => {
    const before = server.usage
    const result = await load(server.address, ['--batch', String(BATCH), ...options(server)])
    await sleep(SETTLED_MS)
    const after = server.usage
    const { records, deadLetters, late } = (await server.stop()).topics[0]!
    if (records < result.acknowledged * BATCH || deadLetters + late > 0) {
      throw new Error(
        `${pipeline}: ${records} of ${result.acknowledged * BATCH} acknowledged readings are there, ${deadLetters} were refused, ${late} were late`,
      )
    }
    await verify(checkout, pipeline, dataDirectory)
    return { ...result, cpu_us: ((after.cpu_s - before.cpu_s) / records) * 1e6, resident_mb: after.resident_mb }
  })
}

/** As much as 32 connections can send that wait for each answer. */
export const ingest: Lane = async ({ checkout, rounds, say }) => {
  const seconds = rounds === 1 ? 4 : 10
  const contestants = [
    { name: 'windows to a topic', pipeline: PUSHED, form: 'ndjson' },
    { name: 'example', pipeline: EXAMPLE, form: 'sensor-logger' },
  ]
  const runs: Record<string, Run[]> = Object.fromEntries(contestants.map(({ name }) => [name, []]))
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    for (const { name, pipeline, form } of contestants) {
      const options = ['--maximum', '--form', form, '--seconds', String(seconds), '--warmup', '3']
      const result = await run(checkout, pipeline, [], () => options)
      runs[name]!.push(result)
      const { acknowledged_readings_s, cpu_us, resident_mb } = result
      say(
        `ingest, ${name}: ${acknowledged_readings_s} readings/s, ${cpu_us.toFixed(2)} µs each, ${resident_mb.toFixed(0)} MB`,
      )
    }
  }
  const of = (name: string, value: (run: Run) => number) => median(runs[name]!.map(value))
  const figures = contestants.flatMap(({ name }): Figure[] => [
    {
      lane: 'ingest',
      what: `readings pushed, ${name}`,
      measured: of(name, result => result.acknowledged_readings_s),
      unit: '/s',
      target: { least: 300_000 },
    },
    {
      lane: 'ingest',
      what: `CPU of a reading, ${name}`,
      measured: of(name, result => result.cpu_us),
      unit: 'µs',
      target: null,
    },
  ])
  return { figures, runs: Object.fromEntries(contestants.map(({ name }) => [`ingest, ${name}`, runs[name]!])) }
}

/** The whole example with its page, at a rate that does not wait for answers. */
export const live: Lane = async ({ checkout, rounds, say }) => {
  const seconds = rounds === 1 ? 15 : 60
  const runs: Run[] = []
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    const result = await run(checkout, EXAMPLE, ['--console', '127.0.0.1:0'], ({ places }) => {
      const { host, hash } = new URL(places.page!)
      const probe = ['--probe', `ws://${host}/live`, '--key', hash.replace('#key=', '')]
      return [
        '--rate',
        String(RATE),
        '--form',
        'sensor-logger',
        '--seconds',
        String(seconds),
        '--warmup',
        '5',
        ...probe,
      ]
    })
    const { acknowledged_ms, window_ms, resident_mb } = result
    // The last windows may be on their way when the generator ends.
    if (window_ms!.count < 0.95 * window_ms!.expected) {
      throw new Error(`${window_ms!.count} of ${window_ms!.expected} windows came to the page`)
    }
    runs.push(result)
    say(
      `live: acknowledged p50 ${acknowledged_ms.p50} p99 ${acknowledged_ms.p99} ms, windows p50 ${window_ms!.p50} p99 ${window_ms!.p99} ms, ${resident_mb.toFixed(0)} MB`,
    )
  }
  const figure = (what: string, value: (run: Run) => number, unit: string, most: number): Figure => {
    return { lane: 'live', what, measured: median(runs.map(value)), unit, target: { most } }
  }
  return {
    figures: [
      figure('acknowledged, 20,000 readings/s, p50', result => result.acknowledged_ms.p50, 'ms', 5),
      figure('acknowledged, 20,000 readings/s, p99', result => result.acknowledged_ms.p99, 'ms', 25),
      figure('reading to window on the page, p50', result => result.window_ms!.p50, 'ms', 10),
      figure('reading to window on the page, p99', result => result.window_ms!.p99, 'ms', 50),
      figure(`resident memory after ${seconds} s`, result => result.resident_mb, 'MB', 250),
    ],
    runs: { live: runs },
  }
}
