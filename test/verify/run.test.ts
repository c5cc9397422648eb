import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import {
  average,
  count,
  deviation,
  distinct,
  first,
  hopping,
  last,
  max,
  min,
  type Pipeline,
  pipeline,
  quantile,
  sum,
  timestamp,
  topic,
} from '../../src/index.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { verifyPipeline } from '../../src/verify/verify.ts'
import { runOptions } from '../runtime/runs.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-run-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Case {
  readonly partitions: readonly (readonly { id: string | null; x: number | null; label: string; at: number }[])[]
  readonly progress: 'partition' | 'key'
  readonly disorder: number
  readonly size: number
  readonly every: number
  readonly late: 'drop' | 'restate'
  readonly dedupe: boolean
}

function pipelineOf({ progress, disorder, size, every, late, dedupe }: Case): Pipeline {
  const records = topic(
    'records',
    z.object({ id: z.string().nullish(), x: z.number().nullable(), label: z.string(), at: timestamp('ms') }),
    { key: 'id', eventTime: { field: 'at', disorder: `${disorder} ms`, progress } },
  )
  return pipeline('random', ({ from, warehouse }) => {
    const rows = from(records).filter(r => r.label !== 'skip')
    const policy = late === 'restate' ? { late, allowedLateness: size % 2 === 0 ? '0 ms' : '15 ms' } : {}
    const windows = (dedupe ? rows.dedupe({ key: ['id', 'label'], within: '20 ms' }) : rows)
      .groupBy('id')
      .window(
        hopping({ size: `${size} ms`, every: `${every} ms` }),
        policy as { late: 'restate'; allowedLateness: '15 ms' },
      )
      .aggregate({
        n: count(),
        values: count('x'),
        total: sum('x'),
        mean: average('x'),
        least: min('x'),
        most: max('x'),
        spread: deviation('x'),
        kinds: distinct('label'),
        third: quantile('x', 0.3),
        before: first('label'),
        after: last('label'),
      })
      .derive({ width: r => (r.most === null || r.least === null ? null : r.most - r.least) })
    warehouse.table('WINDOWS').upserts(windows, { key: ['id', 'window_start'] })
    warehouse.table('ROWS').appends(records)
  })
}

const record = fc.record({
  id: fc.option(fc.constantFrom('a', 'b')),
  x: fc.option(fc.integer({ min: -50, max: 50 })),
  label: fc.constantFrom('p', 'q', 'skip', '\u{1F600}'),
  at: fc.integer({ min: 0, max: 150 }),
})
const cases: fc.Arbitrary<Case> = fc
  .record({
    records: fc.array(record, { minLength: 1, maxLength: 40 }),
    files: fc.constantFrom(1, 2),
    progress: fc.constantFrom<'partition' | 'key'>('partition', 'key'),
    disorder: fc.integer({ min: 0, max: 30 }),
    grid: fc.constantFrom<readonly [number, number]>([10, 10], [10, 2], [10, 4], [60, 5]),
    late: fc.constantFrom<'drop' | 'restate'>('drop', 'restate'),
    dedupe: fc.boolean(),
  })
  .map(({ records, files, progress, disorder, grid: [size, every], late, dedupe }) => {
    // A key is in one partition only, as in any log.
    const partitions =
      files === 1 || dedupe ? [records] : [records.filter(r => r.id === 'a'), records.filter(r => r.id !== 'a')]
    return { partitions: partitions.filter(rows => rows.length > 0), progress, disorder, size, every, late, dedupe }
  })

test('what a run delivers is what the query gives', async () => {
  let number = 0
  await fc.assert(
    fc.asyncProperty(cases, async random => {
      const dataDirectory = join(folder, String(number++))
      mkdirSync(dataDirectory)
      const paths = random.partitions.map((rows, index) => {
        const path = join(dataDirectory, `in-${index}.ndjson`)
        writeFileSync(path, rows.map(row => `${JSON.stringify(row)}\n`).join(''))
        return path
      })
      const { plan } = pipelineOf(random)
      const inputs = new Map([['records', paths.map(path => file({ path }))]])
      await runPipeline(plan, runOptions(dataDirectory, { inputs, untilEnd: true }))
      const { outputs, notCompared } = await verifyPipeline(plan, { dataDirectory })
      expect(notCompared.map(({ columns }) => columns)).toEqual(random.late === 'restate' ? [['revision']] : [])
      for (const output of outputs) {
        const { missing, unexpected, different } = output
        expect({ output: output.output, missing, unexpected, different }).toEqual({
          output: output.output,
          missing: [],
          unexpected: [],
          different: [],
        })
      }
      rmSync(dataDirectory, { recursive: true })
    }),
    { numRuns: 25 },
  )
}, 120_000)
