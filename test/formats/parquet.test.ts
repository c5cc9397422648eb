/** Parquet files row by row: what each value becomes, and what one that cannot be read costs. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { withScratch } from '../../src/formats/duckdb.ts'
import type { ResumePoint } from '../../src/formats/lines.ts'
import { parquetPieces } from '../../src/formats/parquet/pieces.ts'
import { timestamp } from '../../src/plan/types.ts'
import { readSchema } from '../../src/plan/zod.ts'
import type { MillraceError } from '../../src/system/errors.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-parquet-'))
  path = join(folder, 'x.parquet')
})
afterEach(() => rmSync(folder, { recursive: true }))

const make = (select: string, options = '') =>
  withScratch(connection => connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet${options})`))

async function read(
  schema: z.ZodType,
  { binary = 'text' as 'text' | 'base64', from = null as ResumePoint | null } = {},
) {
  const rows: Record<string, unknown>[] = []
  const damages: { line: number | null; code: string | undefined; reason: string; bytes: string | null }[] = []
  const warnings: MillraceError[] = []
  const { columns } = readSchema(schema)
  const onWarning = (warning: MillraceError) => warnings.push(warning)
  for await (const piece of parquetPieces(path, from, { columns, binary, limit: 1 << 20, onWarning })) {
    if (piece.kind === 'records') {
      const lines = Buffer.from(piece.bytes).toString().trimEnd().split('\n')
      rows.push(...lines.map(line => JSON.parse(line)))
    } else {
      const { anchor, lines, code, reason, bytes } = piece
      const line = lines === undefined ? null : anchor!.lines + 1
      damages.push({ line, code, reason, bytes: bytes && Buffer.from(bytes).toString() })
    }
  }
  return { rows, damages, warnings }
}

test('a time that no unit can count refuses nothing but itself', async () => {
  await make(
    `FROM (VALUES ('a', TIMESTAMP '2023-10-28 13:52:25'), ('b', TIMESTAMP '9999-12-31 00:00:00'), ('c', 'infinity'::TIMESTAMP)) t(device, "at")`,
  )
  const { rows, damages } = await read(z.object({ device: z.string(), at: timestamp('ms') }))
  expect(rows).toEqual([
    { device: 'a', at: 1698501145000 },
    { device: 'b', at: 253402214400000 },
    { device: 'c', at: 'infinity' },
  ])
  expect(damages).toEqual([])
})

test('dates, and times and dates inside structs, come in the unit of their column', async () => {
  await make(
    `SELECT DATE '2023-10-28' AS day, DATE '2023-10-28' AS plain, {'at': TIMESTAMP '2023-10-28 13:52:25.5', 'q': 1.5::DOUBLE} AS meta`,
  )
  const schema = z.object({
    day: timestamp('s'),
    plain: z.string(),
    meta: z.object({ at: timestamp('us'), q: z.number() }),
  })
  const { rows } = await read(schema)
  expect(rows).toEqual([{ day: 1698451200, plain: '2023-10-28', meta: { at: 1698501145500000, q: 1.5 } }])
  const iso = await read(z.object({ day: timestamp('iso'), meta: z.object({ at: timestamp('iso') }) }))
  expect(iso.rows).toMatchObject([{ day: '2023-10-28T00:00:00Z', meta: { at: '2023-10-28T13:52:25.500000Z' } }])
})

test('NaN and the infinities are null in columns and lists alike, and counted', async () => {
  await make(`SELECT 'nan'::DOUBLE AS x, ['nan'::DOUBLE, 1, 'inf'::DOUBLE] AS list, {'y': '-inf'::FLOAT} AS s`)
  const schema = z.object({ x: z.number().nullish(), list: z.array(z.number().nullable()), s: z.unknown() })
  const { rows, warnings } = await read(schema)
  expect(rows).toEqual([{ x: null, list: [null, 1, null], s: { y: null } }])
  expect(warnings.map(({ message }) => message.slice(path.length + 2))).toEqual([
    '1 value is NaN or infinite in x, and null in the topic.',
    '2 values are NaN or infinite in list, and null in the topic.',
    '1 value is NaN or infinite in s.y, and null in the topic.',
  ])
})

test('numbers keep their digits, and each type has its form', async () => {
  await make(
    `SELECT 9007199254740993 AS big, 170141183460469231731687303715884105727::HUGEINT::DOUBLE AS huge, 0.1::FLOAT AS f,
      1e300::DOUBLE AS d, -1.50::DECIMAL(5, 2) AS money, true AS ok, MAP {'k': 1} AS map, [[1], NULL] AS nested,
      '{"a": [1]}'::JSON AS json, TIME '01:02:03' AS clock, 'a'::ENUM ('a') AS kind, NULL::INTEGER AS nothing,
      '00000000-0000-0000-0000-000000000001'::UUID AS id`,
  )
  for await (const piece of parquetPieces(path, null, {
    columns: [],
    binary: 'text',
    limit: 4096,
    onWarning: () => {},
  })) {
    expect(Buffer.from(piece.bytes!).toString()).toBe(
      '{"big":9007199254740993,"huge":1.7014118346046923e+38,"f":0.1,"d":1e+300,"money":-1.50,"ok":true,"map":{"k":1},' +
        '"nested":[[1],null],"json":{"a": [1]},"clock":"01:02:03","kind":"a","nothing":null,' +
        '"id":"00000000-0000-0000-0000-000000000001"}\n',
    )
  }
})

test('text that was stored as plain bytes is text; bytes that are none refuse their row', async () => {
  await make(`FROM (VALUES ('z\\xC3\\xBC'::BLOB, 1), ('\\xFF\\xFE'::BLOB, 2), (NULL, 3)) t(device, level)`)
  const schema = z.object({ device: z.string().nullable(), level: z.number() })
  const { rows, damages } = await read(schema)
  expect(rows).toEqual([
    { device: 'zü', level: 1 },
    { device: null, level: 3 },
  ])
  expect(damages).toMatchObject([{ line: 2, code: 'TEXT_NOT_UNICODE', reason: 'device: the bytes are not UTF-8' }])
  expect(JSON.parse(damages[0]!.bytes!)).toEqual({ device: '//4=', level: 2 })
  const base64 = await read(schema, { binary: 'base64' })
  expect(base64.rows.map(({ device }) => device)).toEqual(['esO8', '//4=', null])
  // Of a column that nobody reads nothing is asked.
  expect((await read(z.object({ level: z.number() }))).rows.length).toBe(3)
})

test('a text that is not UTF-8 costs its own row', async () => {
  await make(
    `SELECT range AS id, CASE WHEN range IN (3, 2500, 2501) THEN 'bad' || range || 'ü' ELSE 'name ' || range END AS name FROM range(6000)`,
    ', COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1',
  )
  const bytes = readFileSync(path)
  for (const id of [3, 2500, 2501]) bytes[bytes.indexOf(`bad${id}ü`) + `bad${id}`.length] = 0xff
  writeFileSync(path, bytes)
  const schema = z.object({ id: z.number(), name: z.string() })
  const { rows, damages } = await read(schema)
  expect(rows.map(({ id }) => id)).toEqual(
    Array.from({ length: 6000 }, (_, id) => id).filter(id => ![3, 2500, 2501].includes(id)),
  )
  expect(damages.map(({ line, code }) => [line, code])).toEqual([4, 2501, 2502].map(line => [line, 'TEXT_NOT_UNICODE']))
  expect(JSON.parse(damages[1]!.bytes!)).toEqual({ id: '2500' })
  const rest = await read(schema, { from: { position: 777, lines: 2501, anchor: null } })
  expect(rest.rows.length).toBe(6000 - 2502)
  expect(rest.damages.map(({ line }) => line)).toEqual([2502])
})

test('wide rows are read whole: 2,100 of 4,000 numbers, and 1,500 columns', async () => {
  await make(`SELECT range AS id, list_transform(range(4000), x -> x / 8) AS samples FROM range(2100)`)
  let count = 0
  for await (const piece of parquetPieces(path, null, {
    columns: [],
    binary: 'text',
    limit: 1 << 20,
    onWarning: () => {},
  })) {
    expect(piece.kind).toBe('records')
    count += Buffer.from(piece.bytes!).toString().split('\n').length - 1
  }
  expect(count).toBe(2100)
  const columns = Array.from({ length: 1500 }, (_, n) => `range / ${n + 1} AS c${n}`).join(', ')
  await make(`SELECT ${columns} FROM range(2100)`)
  const { rows, damages } = await read(z.object({ c0: z.number() }))
  expect(rows.length).toBe(2100)
  expect(rows[2099]!.c1499).toBe(2099 / 1500)
  expect(damages).toEqual([])
}, 120_000)

test('damaged is what is: a file that is cut off, or is no Parquet file', async () => {
  await make('SELECT range AS id FROM range(5000)')
  truncateSync(path, 2000)
  expect((await read(z.object({ id: z.number() }))).damages).toMatchObject([
    { reason: expect.stringMatching(/damaged or cut off/) },
  ])
  writeFileSync(path, 'id\n1\n')
  expect((await read(z.object({ id: z.number() }))).damages).toMatchObject([
    { reason: expect.stringMatching(/damaged or cut off/) },
  ])
})

test('damage far into a file is told behind the rows that came before it', async () => {
  await make('SELECT range::DOUBLE AS n, hash(range)::VARCHAR AS note FROM range(400000)', ', ROW_GROUP_SIZE 100000')
  const bytes = readFileSync(path)
  bytes.fill(0xff, Math.floor(bytes.length * 0.9), Math.floor(bytes.length * 0.92))
  writeFileSync(path, bytes)
  const { rows, damages } = await read(z.object({ n: z.number(), note: z.string() }))
  expect(rows.length).toBeGreaterThan(0)
  expect(rows.length).toBeLessThan(400_000)
  expect(damages).toHaveLength(1)
})
