/** Keys in several files: what is late, and every result, is the same in whatever order the files are named and read. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import { WorkerPool } from '../../src/engine/workers/pool.ts'
import { average, count, hopping, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import type { Progress } from '../../src/plan/nodes.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { seededRandom } from '../../src/system/random.ts'
import { verifyPipeline } from '../../src/verify/verify.ts'
import { runOptions } from './runs.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-files-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Reading {
  readonly phone: string
  readonly at: number
  readonly level: number
}

function planOf(progress: Progress) {
  const readings = topic('readings', z.object({ phone: z.string(), at: timestamp('ms'), level: z.number() }), {
    key: 'phone',
    eventTime: { field: 'at', disorder: '5 s', progress },
  })
  return pipeline('files', ({ from, deliver }) => {
    const own = from(readings)
      .groupBy('phone')
      .window(tumbling('10 s'))
      .aggregate({ n: count(), mean: average('level') })
    const overlapping = from(readings)
      .groupBy('phone')
      .window(hopping({ size: '20 s', every: '5 s' }))
      .aggregate({ n: count() })
    deliver(own, file({ path: 'own.ndjson' }))
    deliver(overlapping, file({ path: 'overlapping.ndjson' }))
  }).plan
}

let runs = 0

/** Runs over files of these readings, named in this order; answers the rows of each output, sorted, and what was late. */
async function run(files: readonly (readonly Reading[])[], progress: Progress = 'key', asPattern = false, threads = 1) {
  const inputs = join(folder, `inputs-${++runs}`)
  mkdirSync(inputs)
  const paths = files.map((readings, index) => {
    const path = join(inputs, `readings-${index}.ndjson`)
    writeFileSync(path, readings.map(reading => `${JSON.stringify(reading)}\n`).join(''))
    return path
  })
  const sources = asPattern ? [file({ path: join(inputs, '*.ndjson') })] : paths.map(path => file({ path }))
  const dataDirectory = join(folder, `data-${runs}`)
  const plan = planOf(progress)
  const pool = threads > 1 ? new WorkerPool(threads - 1) : null
  const options = { inputs: new Map([['readings', sources]]), untilEnd: true, pool }
  const summary = await runPipeline(plan, runOptions(dataDirectory, options))
  await pool?.close()
  const rowsOf = (name: string) => {
    const lines = readFileSync(join(dataDirectory, name), 'utf8').split('\n')
    return lines.filter(line => line !== '').map(line => JSON.parse(line) as { n: number; mean?: number })
  }
  const report = await verifyPipeline(plan, { dataDirectory })
  for (const { missingCount, unexpectedCount, differentCount } of report.outputs) {
    expect([missingCount, unexpectedCount, differentCount]).toEqual([0, 0, 0])
  }
  // Sums of the same numbers in another order differ in their last digits.
  const rounded = (row: { mean?: number }) =>
    JSON.stringify(row.mean === undefined ? row : { ...row, mean: row.mean.toFixed(6) })
  return {
    late: summary.topics[0]!.late,
    own: rowsOf('own.ndjson').map(rounded).sort(),
    overlapping: rowsOf('overlapping.ndjson').map(rounded).sort(),
    counted: rowsOf('own.ndjson').reduce((sum, { n }) => sum + n, 0),
  }
}

const START = Date.parse('2026-11-20T00:00:00Z')
const at = (phone: string, second: number): Reading => ({ phone, at: START + second * 1000, level: second % 7 })
const seconds = (from: number, to: number, phone = 'a') =>
  Array.from({ length: to - from }, (_, index) => at(phone, from + index))

describe('two files of one phone', () => {
  test('of the same time: none of 60 readings is late', async () => {
    const [first, second] = [seconds(0, 30), seconds(0, 30)]
    const named = await run([first, second])
    expect(named).toMatchObject({ late: 0, counted: 60 })
    expect(await run([second, first])).toEqual(named)
    expect(await run([first, second], 'key', true)).toEqual(named)
    expect(await run([first, second], 'partition')).toEqual(named)
  })

  test('of which the first named is the later one', async () => {
    const [later, earlier] = [seconds(30, 60), seconds(0, 30)]
    const named = await run([later, earlier])
    expect(named).toMatchObject({ late: 0, counted: 60 })
    expect(await run([earlier, later])).toEqual(named)
    expect(await run([later, earlier], 'key', true)).toEqual(named)
    expect(await run([later, earlier], 'partition')).toEqual(named)
  })
})

test('a walk of three phones, dealt out to four files, loses nothing', async () => {
  const random = seededRandom(11)
  const walk = ['a', 'b', 'c']
    .flatMap(phone => seconds(0, 1000, phone))
    .map(reading => ({ reading, arrives: reading.at + random.integer(4000) }))
    .sort((a, b) => a.arrives - b.arrives)
    .map(({ reading }) => reading)
  const files = [0, 1, 2, 3].map(number => walk.filter((_, index) => index % 4 === number))
  const whole = await run([walk])
  expect(whole).toMatchObject({ late: 0, counted: 3000 })
  for (const order of [
    [0, 1, 2, 3],
    [3, 1, 0, 2],
  ]) {
    expect(await run(order.map(number => files[number]!))).toEqual(whole)
  }
  expect(await run(files, 'key', true)).toEqual(whole)
  expect(await run(files, 'partition', true)).toEqual(whole)
})

test('several threads read large files with the same results', async () => {
  const many = Array.from({ length: 4 }, (_, number) =>
    Array.from({ length: 12_000 }, (_, index) =>
      at(`${'a phone with quite a long name '.repeat(5)}${index % 3}`, Math.floor(index / 8) + number),
    ),
  )
  const alone = await run(many, 'key', true)
  expect(alone).toMatchObject({ late: 0, counted: 48_000 })
  expect(await run(many, 'key', true, 2)).toEqual(alone)
})

test('files of consecutive days are read one after another, in whatever order they are named', async () => {
  const days = Array.from({ length: 100 }, (_, day) => seconds(day * 86_400, day * 86_400 + 30))
  const names = days.map((_, index) => days[(index * 37) % days.length]!)
  expect(await run(names, 'key', true)).toMatchObject({ late: 0, counted: 3000 })
  expect(await run(names, 'partition', true)).toMatchObject({ late: 0, counted: 3000 })
})
