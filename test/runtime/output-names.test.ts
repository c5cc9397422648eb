/** Each output has its own name in the ledgers and its own files. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Sink, SinkContext } from '../../src/connectors/contract.ts'
import { file } from '../../src/connectors/file/index.ts'
import { type Parts, pipeline, topic } from '../../src/index.ts'
import type { SinkReference } from '../../src/plan/nodes.ts'
import { refuseSharedFiles } from '../../src/runtime/output-files.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { runOptions } from './runs.ts'

const readings = topic('readings', z.object({ n: z.number() }))

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-outputs-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('two sinks of one connector', () => {
  /** Keeps how many rows it holds by the name that it is given, as a ledger in one outside system does. */
  const ledger = new Map<string, number>()
  function counting(rows: { n: number }): SinkReference {
    const openSink = async (): Promise<Sink> => {
      let context: SinkContext
      return {
        guarantee: '',
        async open(given) {
          context = given
          return ledger.get(context.consumer) ?? 0
        },
        async write(batch) {
          rows.n += batch.length
        },
        async commit(position) {
          ledger.set(context.consumer, position)
        },
        async close() {},
      }
    }
    return { kind: 'sink', connector: 'outside', options: {}, open: async () => ({ openSink }) }
  }

  test('have a position each: both get every row', async () => {
    const first = { n: 0 }
    const second = { n: 0 }
    const { plan } = pipeline('two', ({ ingest, from, deliver }) => {
      ingest(file({ path: join(folder, 'readings.ndjson') }), readings)
      deliver(
        from(readings).filter(row => row.n > 1),
        counting(first),
      )
      deliver(from(readings), counting(second))
    })
    writeFileSync(join(folder, 'readings.ndjson'), '{"n":1}\n{"n":2}\n{"n":3}\n')
    const summary = await runPipeline(plan, runOptions(join(folder, 'data'), { untilEnd: true }))
    expect([first.n, second.n]).toEqual([2, 3])
    expect(Object.fromEntries(ledger)).toEqual({ 'default/two/outside': 2, 'default/two/outside-2': 3 })
    expect(summary.outputs.map(({ output, rows }) => [output, rows])).toEqual([
      ['outside', 2],
      ['outside-2', 3],
    ])
  })
})

describe('files of sinks', () => {
  const planOf = (...paths: string[]) =>
    pipeline('files', ({ from, deliver }: Parts) => {
      for (const path of paths) deliver(from(readings), file({ path }))
    }).plan
  const refused = (...paths: string[]) => {
    try {
      refuseSharedFiles(planOf(...paths), '/data')
    } catch (error) {
      return (error as { code: string; message: string }).message
    }
    return null
  }

  test.each([
    [['rows.csv', 'rows.csv']],
    [['rows.csv', './a/../rows.csv']],
    [['rows.csv', '/data/rows.csv']],
    [['rows.parquet', 'rows.parquet.rows.ndjson']],
    [['rows.csv', '/data/./rows.csv']],
  ])('two that write one: %s', paths => {
    expect(refused(...paths)).toContain('write the same file /data/rows')
  })

  test.each([
    'topics/rows.csv',
    './journal/rows.ndjson',
    '/data/deliveries/x.csv',
    'a/../quarantine/x.csv',
    'run.json',
    'warehouse.duckdb',
    'warehouse.duckdb.wal',
    'owner.lock',
    'keys.json',
  ])('one among those of the data directory: %s', path => {
    expect(refused(path)).toContain('what is its own')
  })

  test.each(['rows.csv', 'out/topics/rows.csv', '/elsewhere/topics/rows.csv', '../topics/rows.csv', 'topics.csv'])(
    'anything else is as it was: %s',
    path => {
      expect(refused(path, 'other.parquet')).toBe(null)
    },
  )

  test('a run refuses them too, before it makes anything', async () => {
    const plan = planOf('rows.csv', 'rows.csv')
    writeFileSync(join(folder, 'in.ndjson'), '')
    await expect(runPipeline(plan, runOptions(join(folder, 'data')))).rejects.toMatchObject({
      code: 'PIPELINE_INVALID',
    })
    expect(() => readFileSync(join(folder, 'data/owner.lock'))).toThrow('ENOENT')
  })
})

test.each([
  ['dead_letters', 'keeps the records that were rejected'],
  ['Dead_Letters', 'keeps the records that were rejected'],
  ['READINGS', "'readings' and 'READINGS' differ only in case"],
])('a topic named %s is refused', (name, reason) => {
  const declared = () =>
    pipeline('names', ({ from }: Parts) => {
      from(readings).to(topic(name))
    })
  expect(declared).toThrow(
    expect.objectContaining({ code: 'PIPELINE_INVALID', message: expect.stringContaining(reason) }),
  )
})
