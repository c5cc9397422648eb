/** 64-bit integers, decimals and json come out of every output with the digits that came in. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import { withScratch } from '../../src/formats/duckdb.ts'
import {
  average,
  count,
  decimal,
  distinct,
  first,
  last,
  max,
  min,
  type Pipeline,
  pipeline,
  sum,
  timestamp,
  topic,
  tumbling,
} from '../../src/index.ts'
import type { DeadLetter } from '../../src/log/dead-letter.ts'
import { isStored, readTopic } from '../../src/log/topic-store.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { seededRandom } from '../../src/system/random.ts'
import { verifyPipeline } from '../../src/verify/verify.ts'
import { query } from '../connectors/query-file.ts'
import { runOptions } from './runs.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-exact-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const readings = topic(
  'readings',
  z.object({
    id: z.int64(),
    time: timestamp('ms'),
    price: decimal(18, 4),
    small: decimal(5, 2).nullable(),
    more: z.unknown(),
  }),
  { key: 'id', eventTime: { field: 'time' } },
)
type Row = { id: string; price: string; small: string | null; more: string | null }

const TIME = 1_698_501_145_514

/** The digits as they are written, of numbers that no double holds. */
function rowsOf(count: number): Row[] {
  const random = seededRandom(3)
  const digits = (length: number) => Array.from({ length }, () => random.integer(10)).join('')
  const ids = ['9223372036854775807', '-9223372036854775808', '9007199254740993', '9007199254740992', '0']
  return Array.from({ length: count }, (_, row) => ({
    id: ids[row] ?? `${1 + random.integer(8)}${digits(18)}`,
    price: `${1 + random.integer(9)}${digits(13)}.${digits(3)}${1 + random.integer(9)}`,
    small: random.next() < 0.3 ? null : `${random.integer(1000)}.${random.integer(9)}${1 + random.integer(9)}`,
    more: [null, '[12345678901234567828,1e400,1.50]', '-0', `{"x":1${digits(3)}.10,"y":"1.10"}`][row % 4]!,
  }))
}

const line = ({ id, price, small, more }: Row) =>
  `{"id":${id},"time":${TIME},"price":${price},"small":${small},"more":${more}}`

let runs = 0

async function run(lines: readonly string[], build: (path: string) => Pipeline) {
  const path = join(folder, `in-${++runs}.ndjson`)
  writeFileSync(path, `${lines.join('\n')}\n`)
  const { plan } = build(path)
  const dataDirectory = join(folder, `data-${runs}`)
  const summary = await runPipeline(plan, runOptions(dataDirectory, { untilEnd: true }))
  const letters = isStored(dataDirectory, 'dead_letters') ? [...readTopic(dataDirectory, 'dead_letters')] : []
  return { plan, dataDirectory, summary, letters: letters.map(text => JSON.parse(text) as DeadLetter) }
}

async function ask(dataDirectory: string, sql: string): Promise<unknown[]> {
  return (await query(join(dataDirectory, 'warehouse.duckdb'), sql, 10_000)).rows
}

/** Rows that DuckDB itself reads out of a file. */
const askFile = (sql: string): Promise<unknown[]> =>
  withScratch(async connection => (await connection.runAndReadAll(sql)).getRowObjectsJson())

async function expectVerified({ plan, dataDirectory }: Awaited<ReturnType<typeof run>>, outputs: number) {
  const report = await verifyPipeline(plan, { dataDirectory })
  expect(report.notCompared).toEqual([])
  const faults = report.outputs.map(
    ({ output, missing, unexpected, different }) => [output, missing, unexpected, different] as const,
  )
  expect(faults).toHaveLength(outputs)
  expect(faults).toEqual(faults.map(([output]) => [output, [], [], []]))
}

/** Without the zeros at its end, as JSON and CSV have it. */
const short = (decimal: string | null) => decimal?.replace(/\.?0+$/, '') ?? null

describe('the digits of a row', () => {
  const rows = rowsOf(300)
  let ran: Awaited<ReturnType<typeof run>>
  const byId = (list: readonly Row[]) => new Map(list.map(row => [row.id, row]))
  const expected = byId(rows)

  beforeAll(async () => {
    ran = await run(rows.map(line), path =>
      pipeline('exact', ({ ingest, from, deliver, warehouse }) => {
        ingest(file({ path }), readings)
        const stream = from(readings).select('id', 'price', 'small', 'more')
        warehouse.table('plain').appends(stream)
        warehouse.table('latest').upserts(stream, { key: 'id' })
        for (const name of ['o.ndjson', 'o.csv', 'o.parquet']) deliver(stream, file({ path: name }))
        stream.to(topic('copies'))
      }),
    )
  })

  const ofLines = (lines: readonly string[]) =>
    byId(
      lines.map(text => {
        const cells = /^\{"id":([^,]*),"price":([^,]*),"small":([^,]*),"more":(.*)\}$/.exec(text)!.slice(1)
        const [id, price, small, more] = cells.map(cell => (cell === 'null' ? null : cell))
        return { id: id!, price: price!, small: small!, more: more! }
      }),
    )
  const cells = 'id::VARCHAR AS id, price::VARCHAR AS price, small::VARCHAR AS small, more::VARCHAR AS more'

  test('nothing is refused', () => expect(ran.letters).toEqual([]))

  test.each(['plain', 'latest'])('in the warehouse table %s', async table => {
    const types = await ask(ran.dataDirectory, `SELECT column_type FROM (DESCRIBE ${table})`)
    expect(types).toEqual(['BIGINT', 'DECIMAL(18,4)', 'DECIMAL(5,2)', 'JSON'].map(type => ({ column_type: type })))
    expect(byId((await ask(ran.dataDirectory, `SELECT ${cells} FROM ${table}`)) as Row[])).toEqual(expected)
  })

  test('in Parquet', async () => {
    const path = join(ran.dataDirectory, 'o.parquet')
    const types = await askFile(`SELECT column_type FROM (DESCRIBE FROM '${path}')`)
    expect(types).toEqual(['BIGINT', 'DECIMAL(18,4)', 'DECIMAL(5,2)', 'JSON'].map(type => ({ column_type: type })))
    expect(byId((await askFile(`SELECT ${cells} FROM '${path}'`)) as Row[])).toEqual(expected)
  })

  const shortened = new Map(
    [...expected].map(([id, row]) => [id, { ...row, price: short(row.price)!, small: short(row.small) }]),
  )

  test('in NDJSON', () => {
    const written = readFileSync(join(ran.dataDirectory, 'o.ndjson'), 'utf8').trimEnd().split('\n')
    expect(ofLines(written)).toEqual(shortened)
  })

  test('in a topic', () => expect(ofLines([...readTopic(ran.dataDirectory, 'copies')])).toEqual(shortened))

  test('in CSV', async () => {
    const options = 'header = true, all_varchar = true, allow_quoted_nulls = false'
    const found = await askFile(`SELECT * FROM read_csv('${join(ran.dataDirectory, 'o.csv')}', ${options})`)
    expect(byId(found as Row[])).toEqual(shortened)
  })

  test('in what query prints', async () => {
    const [largest] = await ask(ran.dataDirectory, 'SELECT id, price FROM plain ORDER BY id DESC LIMIT 1')
    expect(largest).toEqual({ id: '9223372036854775807', price: expected.get('9223372036854775807')!.price })
  })

  test('and verify agrees', () => expectVerified(ran, 6))

  test('verify finds one digit that was changed', async () => {
    const path = join(ran.dataDirectory, 'o.ndjson')
    const text = readFileSync(path, 'utf8')
    try {
      for (const [from, to] of [
        ['9007199254740993', '9007199254740995'],
        [short(rows[5]!.price)!, `${short(rows[5]!.price)!.slice(0, -1)}${rows[5]!.price.endsWith('9') ? 1 : 9}`],
        ['12345678901234567828', '12345678901234567829'],
      ] as const) {
        writeFileSync(path, text.replace(from, to))
        const report = await verifyPipeline(ran.plan, { dataDirectory: ran.dataDirectory })
        const found = report.outputs.find(({ output }) => output === 'o.ndjson')!
        expect(found.missingCount + found.differentCount).toBe(1)
      }
    } finally {
      writeFileSync(path, text)
    }
  })
})

describe('what is computed', () => {
  test('keys, comparisons, lambdas and aggregates are exact', async () => {
    const rows = rowsOf(300).map(row => ({ ...row, price: `123${row.price.slice(-14)}` }))
    const ran = await run(
      rows.flatMap(row => [line(row), line(row)]),
      path =>
        pipeline('exact', ({ ingest, from, deliver, warehouse }) => {
          ingest(file({ path }), readings)
          const once = from(readings).dedupe({ key: ['id', 'price'], within: '1 h' })
          const lambdas = once
            .filter(r => r.id > 9_007_199_254_740_992n || r.id === -9_223_372_036_854_775_808n)
            .derive({
              half: r => r.id / 2n,
              rest: r => r.id % 1000n,
              back: r => -(r.id / 3n - 1n) + 2n,
              text: r => `${r.id}`,
              near: r => Number(r.id),
              cost: r => r.price * 2,
              same: r => r.price,
            })
            .select('id', 'price', 'half', 'rest', 'back', 'text', 'near', 'cost', 'same')
          warehouse.table('lambdas').appends(lambdas)
          const windows = once
            .groupBy('id')
            .window(tumbling('1 s'))
            .aggregate({ n: count(), total: sum('price'), least: min('price'), opening: first('price') })
          warehouse.table('windows').upserts(windows, { key: ['id', 'window_start'] })
          deliver(windows, file({ path: 'windows.parquet' }))
          const all = once
            .derive({ small: r => r.small ?? 0, low: r => r.id % 1000n })
            .groupBy()
            .window(tumbling('1 s'))
            .aggregate({
              worth: sum('price'),
              mean: average('price'),
              low: sum('low'),
              middle: average('low'),
              top: max('id'),
              bottom: min('id'),
              closing: last('id'),
              kinds: distinct('id'),
            })
          warehouse.table('whole').appends(all)
        }),
    )
    expect(ran.letters).toEqual([])
    const [whole] = (await ask(
      ran.dataDirectory,
      `SELECT worth::VARCHAR AS worth, low::VARCHAR AS low, top::VARCHAR AS top, bottom::VARCHAR AS bottom, kinds FROM whole`,
    )) as [Record<string, string>]
    const ids = rows.map(({ id }) => BigInt(id))
    const scaled = rows.reduce((total, { price }) => total + BigInt(price.replace('.', '')), 0n)
    expect(whole).toEqual({
      worth: `${scaled / 10_000n}.${String(scaled % 10_000n).padStart(4, '0')}`,
      low: String(ids.reduce((total, id) => total + (id % 1000n), 0n)),
      top: '9223372036854775807',
      bottom: '-9223372036854775808',
      kinds: new Set(ids).size,
    })
    const windows = await ask(ran.dataDirectory, 'SELECT id::VARCHAR AS id, n, total::VARCHAR AS total FROM windows')
    const byId = new Map(rows.map(({ id, price }) => [id, { id, n: 1, total: price }]))
    expect(new Map((windows as { id: string }[]).map(row => [row.id, row]))).toEqual(byId)
    const types = await ask(ran.dataDirectory, 'SELECT column_name, column_type FROM (DESCRIBE windows)')
    expect(types).toMatchObject([
      { column_type: 'BIGINT' },
      { column_type: 'BIGINT' },
      { column_type: 'DECIMAL(18,4)' },
      { column_type: 'DECIMAL(18,4)' },
      { column_type: 'DECIMAL(18,4)' },
      {},
      {},
    ])
    await expectVerified(ran, 4)
  })

  test('a result beyond 64 bits is a dead letter, not a wrong row', async () => {
    const ids = ['9223372036854775807', '5', '9223372036854775806', '-9223372036854775808']
    const ran = await run(
      ids.map(id => line({ id, price: '1', small: null, more: null })),
      path =>
        pipeline('beyond', ({ ingest, from, warehouse }) => {
          ingest(file({ path }), readings)
          warehouse.table('next').appends(
            from(readings)
              .derive({ next: r => r.id + 1n })
              .select('id', 'next'),
          )
          const windows = from(readings)
            .derive({ sign: r => r.id > 0n })
            .groupBy('sign')
            .window(tumbling('1 s'))
            .aggregate({ total: sum('id'), n: count() })
          warehouse.table('totals').appends(windows.select('sign', 'total', 'n'))
        }),
    )
    expect(await ask(ran.dataDirectory, 'SELECT next::VARCHAR AS next FROM next')).toEqual([
      { next: '6' },
      { next: '9223372036854775807' },
      { next: '-9223372036854775807' },
    ])
    expect(await ask(ran.dataDirectory, 'SELECT sign, total::VARCHAR AS total, n FROM totals')).toEqual([
      { sign: false, total: '-9223372036854775808', n: 1 },
    ])
    expect(ran.letters.map(({ code, reason }) => [code, reason])).toEqual([
      ['INTEGER_OVERFLOW', 'next: 9223372036854775808 is beyond 64 bits'],
      ['INTEGER_OVERFLOW', 'total: 18446744073709551618 is beyond 64 bits'],
    ])
    expect(JSON.parse(ran.letters[1]!.bytes!)).toMatchObject({ sign: true, n: 3, total: null })
    await expectVerified(ran, 2)
  })

  test('NaN and the infinities are kept where there is a form for them, and counted where there is none', async () => {
    const numbers = topic('numbers', z.object({ id: z.int(), x: z.number(), time: timestamp('ms') }), {
      eventTime: { field: 'time' },
    })
    const ran = await run(
      [1, 2, 3, 4].map(id => `{"id":${id},"x":${[0, 1, -1, 5][id - 1]},"time":${TIME}}`),
      path =>
        pipeline('numbers', ({ ingest, from, deliver, warehouse }) => {
          ingest(file({ path }), numbers)
          const stream = from(numbers)
            .derive({ y: r => (r.id > 3 ? 1 : r.x / 0) })
            .select('id', 'y')
          warehouse.table('plain').appends(stream)
          for (const name of ['o.ndjson', 'o.csv', 'o.parquet']) deliver(stream, file({ path: name }))
          const copies = topic('copies')
          stream.to(copies)
        }),
    )
    const y = `replace(y::VARCHAR, '-nan', 'nan') AS y FROM`
    const kept = ['nan', 'inf', '-inf', '1.0'].map(text => ({ y: text }))
    expect(await ask(ran.dataDirectory, `SELECT ${y} plain ORDER BY id`)).toEqual(kept)
    expect(await askFile(`SELECT ${y} '${join(ran.dataDirectory, 'o.parquet')}' ORDER BY id`)).toEqual(kept)
    expect(readFileSync(join(ran.dataDirectory, 'o.csv'), 'utf8')).toBe('id,y\n1,NaN\n2,Infinity\n3,-Infinity\n4,1\n')
    expect(readFileSync(join(ran.dataDirectory, 'o.ndjson'), 'utf8')).toBe(
      '{"id":1,"y":null}\n{"id":2,"y":null}\n{"id":3,"y":null}\n{"id":4,"y":1}\n',
    )
    expect([...readTopic(ran.dataDirectory, 'copies')]).toEqual([
      '{"id":1,"y":"NaN"}',
      '{"id":2,"y":"Infinity"}',
      '{"id":3,"y":"-Infinity"}',
      '{"id":4,"y":1}',
    ])
    await expectVerified(ran, 5)
  })
})
