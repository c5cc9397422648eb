/** Plants wrong cells, missing rows and doubled rows in outputs, and stops runs at random moments. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { file } from '../../src/connectors/file/index.ts'
import type { Pipeline } from '../../src/index.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { seededRandom } from '../../src/system/random.ts'
import { runOptions } from '../../test/runtime/runs.ts'
import { type Verdict, verdictOf } from '../../test/verify/ran.ts'
import type { Campaign, FailedCase } from '../contract.ts'
import { CSV_PIPELINE, PIPELINES, type Reading, readingsOf } from '../verify/pipelines.ts'
import { plantFault } from '../verify/plants.ts'
import { ROUNDED } from '../verify/rounded.ts'

/** Of so many cases one stops its run; the others plant a fault behind it. */
const STOPPED_EVERY = 11

const verify: Campaign = {
  proves:
    'verify finds every wrong cell, missing row and doubled row, in its output and column, and calls nothing wrong in what a run delivered, although it was stopped.',
  cases: 220,
  ciCases: 22,
  plants: [
    ...ROUNDED,
    {
      name: 'tolerance-too-wide',
      file: 'src/verify/cells.ts',
      from: 'const TOLERANCE = 1e-9',
      to: 'const TOLERANCE = 1e9',
      cases: 60,
    },
    {
      name: 'every-window-open',
      file: 'src/verify/oracle/query.ts',
      from: "if (window === null || !hidden.includes(HIDDEN.limit)) return 'false'",
      to: "if (window === null || !hidden.includes(HIDDEN.limit)) return 'true'",
      cases: 60,
    },
    {
      name: 'csv-numbers-cut-off',
      file: 'src/formats/csv/cells.ts',
      from: "if (decimal === '.') return JSON_NUMBER.test(trimmed) ? trimmed : JSON.stringify(cell)",
      to: "if (decimal === '.') return JSON_NUMBER.test(trimmed) ? trimmed.slice(0, 16) : JSON.stringify(cell)",
      cases: 20,
    },
    {
      name: 'quantiles-not-between',
      file: 'src/engine/aggregates/collections.ts',
      from: 'low === high ? low : low + (high - low) * (place - below)',
      to: 'low === high ? low : high',
      cases: 20,
    },
  ],
  async run({ cases, seed, report }) {
    const failed: FailedCase[] = []
    for (let index = 0; index < cases; index++) {
      const lines = await oneCase(seed + index)
      if (lines.length > 0) failed.push({ seed: seed + index, cases: 1, lines })
      report(index + 1)
    }
    return failed
  },
}

export default verify

async function oneCase(seed: number): Promise<readonly string[]> {
  const random = seededRandom(seed)
  const number = seed % PIPELINES.length
  const built = PIPELINES[number]!
  const folder = mkdtempSync(join(tmpdir(), 'millrace-verify-campaign-'))
  try {
    const isStopped = seed % STOPPED_EVERY === 0
    const path = join(folder, number === CSV_PIPELINE ? 'in.csv' : 'in.ndjson')
    writeFileSync(path, textOf(readingsOf(random, isStopped ? 20_000 : 50 + random.integer(300)), number))
    await run(built, folder, path, isStopped ? 1 + random.integer(150) : null)
    const clean = await verdictOf(built, folder)
    if (!isQuiet(clean)) return [`${built.plan.name}: nothing was planted, and verify says ${shown(clean)}`]
    if (isStopped) return []
    const planted = await plantFault(built.plan, folder, random)
    if (planted === null) return []
    const { output, column, isKey, text } = planted
    const found = await verdictOf(built, folder)
    const others = found.differing.filter(name => name !== output && !name.startsWith(`${output}.`))
    // A wrong cell in what a row is known by is one row missing, and another one too many.
    const isFound = found.differing.includes(column === null ? output : `${output}.${column}`)
    if (others.length === 0 && (isFound || (isKey && found.differing.includes(output)))) return []
    return [`${built.plan.name}, ${output}, ${column ?? 'a row'}: ${text}`, `verify says ${shown(found)}`]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const isQuiet = ({ differing, notCompared }: Verdict) =>
  differing.length === 0 && notCompared.every(name => name.endsWith('.revision'))

const shown = ({ differing, notCompared, agreed, open }: Verdict) =>
  `differing ${JSON.stringify(differing)}, not compared ${JSON.stringify(notCompared)}, ${agreed} rows agree, ${open} open`

function textOf(readings: readonly Reading[], pipeline: number): string {
  if (pipeline !== CSV_PIPELINE) return readings.map(row => `${JSON.stringify(row)}\n`).join('')
  const rows = readings.map(({ sensor, at, level, state, good }) => `${sensor},${at},${level ?? ''},${state},${good}\n`)
  return `sensor,at,level,state,good\n${rows.join('')}`
}

async function run({ plan }: Pipeline, folder: string, path: string, stopAfter_ms: number | null): Promise<void> {
  const stop = new AbortController()
  const inputs = new Map([['readings', [file({ path })]]])
  let timer: NodeJS.Timeout | null = null
  const onReady = () => {
    if (stopAfter_ms !== null) timer = setTimeout(() => stop.abort(), stopAfter_ms)
  }
  await runPipeline(plan, runOptions(folder, { inputs, untilEnd: true, signal: stop.signal, onReady }))
  if (timer !== null) clearTimeout(timer)
}
