/** The lanes: what is run, how its answer is checked, and what it must reach. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Answers } from './answers.ts'
import { input } from './generate.ts'
import { type Cost, measure, median } from './measure.ts'

const OUT = join(import.meta.dirname, 'out')

/** One line of the result table. */
export interface Figure {
  readonly lane: string
  readonly what: string
  readonly measured: number
  readonly unit: string
  /** What it must be at least, or at most; null: for comparison only. */
  readonly target: { readonly least: number } | { readonly most: number } | null
}

export interface Setting {
  /** Folder of the checkout whose program runs. */
  readonly checkout: string
  /** Without the other programs that it is compared with. */
  readonly alone: boolean
  readonly answers: Answers
  readonly lines: number
  readonly rounds: number
  readonly say: (text: string) => void
}

export interface LaneResult {
  readonly figures: readonly Figure[]
  /** Every run, for the JSON file. */
  readonly runs: Readonly<Record<string, readonly object[]>>
}

export type Lane = (setting: Setting) => Promise<LaneResult>

/** A program that turns an input into results; each is run once a round, in turn. */
interface Contestant {
  readonly name: string
  readonly command: readonly string[]
  /** Removed before each run; null when there is nothing to remove. */
  readonly dataDirectory: string | null
  readonly watched?: string
  readonly check: () => Promise<void>
}

const millrace = (
  { checkout }: Setting,
  pipeline: string,
  topic: string,
  path: string,
  name: string,
  more: readonly string[] = [],
) => {
  const dataDirectory = join(OUT, name)
  const file = join(checkout, pipeline)
  const inputs = ['--input', `${topic}=${path}`, '--until-end', '--data-dir', dataDirectory]
  return {
    name,
    dataDirectory,
    command: [process.execPath, join(checkout, 'bin/millrace.js'), 'run', file, ...inputs, ...more],
    results: join(dataDirectory, 'results.ndjson'),
  }
}

/** Runs all in turn, round by round, so that a slow minute of the machine meets each of them. */
async function compete(contestants: readonly Contestant[], setting: Setting): Promise<Record<string, Cost[]>> {
  const runs: Record<string, Cost[]> = Object.fromEntries(contestants.map(({ name }) => [name, []]))
  mkdirSync(OUT, { recursive: true })
  for (let round = 0; round < setting.rounds; round++) {
    for (const { name, command, dataDirectory, watched, check } of contestants) {
      if (dataDirectory !== null) rmSync(dataDirectory, { recursive: true, force: true })
      const cost = await measure(command, watched === undefined ? {} : { watched })
      await check()
      runs[name]!.push(cost)
      setting.say(`${name}: ${cost.cpu_s.toFixed(2)} CPU s, ${cost.wall_s.toFixed(2)} s, ${cost.peak_mb.toFixed(0)} MB`)
    }
  }
  for (const { dataDirectory } of contestants) {
    if (dataDirectory !== null) rmSync(dataDirectory, { recursive: true, force: true })
  }
  return runs
}

const cpu = (runs: readonly Cost[]) => median(runs.map(run => run.cpu_s))
const wall = (runs: readonly Cost[]) => median(runs.map(run => run.wall_s))

const streamed = (
  lane: string,
  pipeline: string,
  topic: string,
  path: string,
  setting: Setting,
  more: string[] = [],
  name = lane,
) => {
  const run = millrace(setting, pipeline, topic, path, name, more)
  return { ...run, check: () => setting.answers.check(lane, path, run.results) }
}

const baseline = (script: string, name: string, lane: string, path: string, setting: Setting): Contestant => {
  const results = join(OUT, `${name}.ndjson`)
  return {
    name,
    command: [process.execPath, join(import.meta.dirname, script), lane, path, results],
    dataDirectory: null,
    check: async () => {
      await setting.answers.check(lane, path, results)
      rmSync(results)
    },
  }
}

interface Targets {
  readonly rate: number
  readonly toDuckDb: number
  readonly toByHand: number | null
}

function workload(lane: string, topic: string, targets: Targets): Lane {
  return async setting => {
    const path = input(lane, setting.lines)
    const own = streamed(lane, `bench/${lane}.ts`, topic, path, setting, ['--workers', '1'])
    if (setting.alone) return { runs: await compete([own], setting), figures: [] }
    const runs = await compete(
      [
        own,
        baseline('batch.ts', `${lane} DuckDB`, lane, path, setting),
        baseline('by-hand.ts', `${lane} by hand`, lane, path, setting),
      ],
      setting,
    )
    const [ours, duckDb, byHand] = [runs[lane]!, runs[`${lane} DuckDB`]!, runs[`${lane} by hand`]!]
    const rate = (costs: readonly Cost[]) => setting.lines / cpu(costs)
    const figure = (what: string, measured: number, unit: string, target: Figure['target']) => ({
      lane,
      what,
      measured,
      unit,
      target,
    })
    const atLeast = (least: number | null) => (least === null ? null : { least })
    return {
      runs,
      figures: [
        figure('events per CPU second, one worker', rate(ours), '/s', { least: targets.rate }),
        figure('DuckDB, batch, one thread', rate(duckDb), '/s', null),
        figure('Node by hand', rate(byHand), '/s', null),
        figure('times DuckDB', rate(ours) / rate(duckDb), '×', { least: targets.toDuckDb }),
        figure('times Node by hand', rate(ours) / rate(byHand), '×', atLeast(targets.toByHand)),
        figure('resident memory', median(ours.map(run => run.peak_mb)), 'MB', { most: 400 }),
      ],
    }
  }
}

/** The whole example: both tables of the warehouse, raw readings too. */
const example: Lane = async setting => {
  const path = input('activity', setting.lines)
  const run = millrace(setting, 'examples/activity-tracker/pipeline.ts', 'raw_sensor_data', path, 'example')
  const warehouse = join(run.dataDirectory, 'warehouse.duckdb')
  const check = async () => {
    await setting.answers.checkTable(
      'activity',
      path,
      warehouse,
      `SELECT "sessionId", "deviceId", epoch_ms(window_start) AS window_start, epoch_ms(window_end) AS window_end,
        avg_magnitude, readings::BIGINT AS n, activity_type AS activity
       FROM warehouse."PROCESSED_DATA"."USER_ACTIVITY_PROCESSED"`,
    )
    const raw = await setting.answers.number(warehouse, 'SELECT count(*) FROM warehouse."RAW_DATA"."ACTIVITY_RECORDS"')
    if (raw !== setting.lines) throw new Error(`example: ${raw} of ${setting.lines} raw readings are in the warehouse`)
  }
  const runs = await compete([{ ...run, check }], setting)
  const costs = runs.example!
  return {
    runs,
    figures: [
      {
        lane: 'example',
        what: 'readings per second, both tables',
        measured: setting.lines / wall(costs),
        unit: '/s',
        target: { least: 400_000 },
      },
      {
        lane: 'example',
        what: 'resident memory',
        measured: median(costs.map(cost => cost.peak_mb)),
        unit: 'MB',
        target: { most: 400 },
      },
    ],
  }
}

const workers: Lane = async setting => {
  const path = input('activity', setting.lines)
  const of = (number: string) =>
    streamed(
      'activity',
      'bench/activity.ts',
      'readings',
      path,
      setting,
      ['--workers', number],
      `activity, workers ${number}`,
    )
  const runs = await compete([of('1'), of('2'), sideBySide(path, setting)], setting)
  const toOne = (name: string) => wall(runs[name]!) / wall(runs['activity, workers 1']!)
  return {
    runs,
    figures: [
      {
        lane: 'workers',
        what: 'wall time of two workers to one',
        measured: toOne('activity, workers 2'),
        unit: '×',
        target: { most: 0.6 },
      },
      {
        lane: 'workers',
        what: 'half of two runs side by side to one',
        measured: toOne('activity, side by side') / 2,
        unit: '×',
        target: null,
      },
    ],
  }
}

/** Two runs that share nothing, at once: half of their time is what perfect sharing would take on this machine. */
function sideBySide(path: string, { checkout }: Setting): Contestant {
  const dataDirectory = join(OUT, 'activity, side by side')
  const inputs = ['--input', `readings=${path}`, '--until-end', '--workers', '1']
  const both = '"$@" --data-dir "$0/a" & first=$!; "$@" --data-dir "$0/b" && wait $first'
  const run = [
    process.execPath,
    join(checkout, 'bin/millrace.js'),
    'run',
    join(checkout, 'bench/activity.ts'),
    ...inputs,
  ]
  return {
    name: 'activity, side by side',
    dataDirectory,
    command: ['bash', '-c', both, dataDirectory, ...run],
    // Its answers are those of the run with one worker, which are checked.
    check: async () => {},
  }
}

const overlap: Lane = async setting => {
  const path = input('activity', setting.lines)
  const of = (lane: string) => streamed(lane, `bench/${lane}.ts`, 'readings', path, setting, ['--workers', '1'])
  const runs = await compete([of('hopping-60-1'), of('hopping-60-60')], setting)
  const measured = cpu(runs['hopping-60-1']!) / cpu(runs['hopping-60-60']!)
  return {
    runs,
    figures: [
      { lane: 'hopping', what: 'CPU of 60 s / 1 s to 60 s / 60 s', measured, unit: '×', target: { most: 1.3 } },
    ],
  }
}

const keys: Lane = async setting => {
  const of = (number: number) => {
    const path = input(`keys-${number}`, setting.lines)
    return streamed(
      'temperature',
      'bench/temperature.ts',
      'measurements',
      path,
      setting,
      ['--workers', '1'],
      `keys ${number}`,
    )
  }
  const runs = await compete([of(100_000), of(100)], setting)
  const measured = cpu(runs['keys 100000']!) / cpu(runs['keys 100']!)
  return {
    runs,
    figures: [{ lane: 'keys', what: 'CPU of 100,000 keys to 100 keys', measured, unit: '×', target: { most: 2 } }],
  }
}

const start: Lane = async setting => {
  const path = input('activity', 1_000)
  const run = streamed('activity', 'bench/activity.ts', 'readings', path, setting, [], 'start')
  const runs = await compete([{ ...run, watched: run.results }], { ...setting, rounds: Math.max(5, setting.rounds) })
  const first = runs.start!.map(cost => cost.first_s ?? Number.POSITIVE_INFINITY)
  return {
    runs,
    figures: [
      {
        lane: 'start',
        what: 'start to first result, 1,000 lines',
        measured: median(first) * 1000,
        unit: 'ms',
        target: { most: 500 },
      },
      {
        lane: 'start',
        what: 'CPU of the whole run, 1,000 lines',
        measured: cpu(runs.start!) * 1000,
        unit: 'ms',
        target: null,
      },
    ],
  }
}

/** What `npm install millrace` puts on a production machine. */
const install: Lane = async setting => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-install-'))
  try {
    const npm = (args: readonly string[], cwd: string) =>
      execFileSync('npm', [...args, '--silent', '--no-audit', '--no-fund'], {
        cwd,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      })
    const packed = npm(['pack', '--pack-destination', folder], setting.checkout).trim().split('\n').at(-1)!
    npm(['init', '--yes'], folder)
    npm(['install', '--omit=dev', join(folder, packed)], folder)
    const measured = sizeOf(join(folder, 'node_modules')) / 1e6
    setting.say(`install: ${measured.toFixed(0)} MB`)
    return {
      runs: {},
      figures: [{ lane: 'install', what: 'production install', measured, unit: 'MB', target: { most: 200 } }],
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const sizeOf = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)

export const LANES: Readonly<Record<string, Lane>> = {
  activity: workload('activity', 'readings', { rate: 2_500_000, toDuckDb: 1.5, toByHand: 5 }),
  temperature: workload('temperature', 'measurements', { rate: 4_500_000, toDuckDb: 1, toByHand: null }),
  example,
  workers,
  hopping: overlap,
  keys,
  start,
  install,
}
