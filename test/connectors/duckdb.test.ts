import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SinkContext } from '../../src/connectors/contract.ts'
import { parseTableName } from '../../src/connectors/duckdb/names.ts'
import { openWarehouse, type Warehouse } from '../../src/connectors/duckdb/warehouse.ts'
import { batchOf } from '../../src/engine/batch.ts'
import type { Column } from '../../src/plan/schema.ts'
import { query } from './query-file.ts'

let folder: string
let path: string
const children: ChildProcess[] = []
const open: Warehouse[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-duckdb-'))
  path = join(folder, 'warehouse.duckdb')
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const warehouse of open.splice(0)) await warehouse.close()
  rmSync(folder, { recursive: true, force: true })
})

const column = (name: string, type: Column['type'], nullable = true): Column => ({ name, type, nullable })
const COLUMNS = [column('id', 'number', false), column('name', 'text')]
const contextOf = (changes: Partial<SinkContext> = {}): SinkContext => ({
  consumer: 'c',
  incarnation: 'i',
  dataDirectory: folder,
  columns: COLUMNS,
  key: [],
  ...changes,
})
const batch = (...ids: number[]) =>
  batchOf(
    COLUMNS,
    ids.map(id => ({ id, name: `row ${id}` })),
  )
const warehouse = async () => {
  const opened = await openWarehouse({ path })
  open.push(opened)
  return opened
}
const closeAll = async () => {
  for (const each of open.splice(0)) await each.close()
}
const rows = async (sql: string) => (await query(path, sql, 1000)).rows

describe('warehouse', () => {
  test('tables work side by side: writes and commits may interleave, and a table may come while another is written', async () => {
    const house = await warehouse()
    const a = house.table({ table: 'A.T', mode: 'append' })
    const b = house.table({ table: 'B.T', mode: 'upsert' })
    const c = house.table({ table: 'T', mode: 'append' })
    await a.open(contextOf({ consumer: 'a' }))
    await a.write(batch(1))
    await b.open(contextOf({ consumer: 'b', key: ['id'] }))
    await b.write(batch(1, 1, 2))
    await Promise.all([a.commit(1), b.commit(3)])
    await b.write(batch(3))
    await c.open(contextOf({ consumer: 'c' }))
    await a.write(batch(2))
    await c.write(batch(9))
    await Promise.all([c.commit(1), b.commit(4), a.commit(2)])
    await a.write(batch(3))
    for (const sink of [a, b, c]) await sink.close()
    await closeAll()
    expect(await rows('SELECT consumer, position FROM millrace.ledger ORDER BY 1')).toEqual([
      { consumer: 'a', position: 2 },
      { consumer: 'b', position: 4 },
      { consumer: 'c', position: 1 },
    ])
    expect(
      await rows('SELECT (SELECT count(*) FROM A.T) a, (SELECT count(*) FROM B.T) b, (SELECT count(*) FROM main.T) c'),
    ).toEqual([{ a: 2, b: 3, c: 1 }])
    expect(existsSync(`${path}.wal`)).toBe(false)
  })

  test('names are quoted, dots in columns become underscores, clashes and reserved schemas are refused', async () => {
    expect(parseTableName('RAW.A"B')).toEqual({ schema: 'RAW', table: 'A"B', sql: '"RAW"."A""B"' })
    for (const name of ['a.b.c', '', '.x', 'millrace.ledger']) {
      expect(() => parseTableName(name)).toThrow(expect.objectContaining({ code: 'WAREHOUSE_MISMATCH' }))
    }
    const house = await warehouse()
    const odd = [column('values.x', 'number'), column('select', 'text'), column('drop "table"', 'boolean')]
    const sink = house.table({ table: 'odd schema.or"der', mode: 'append' })
    await sink.open(contextOf({ columns: odd }))
    await sink.write(batchOf(odd, [{ 'values.x': 1, select: "it's", 'drop "table"': true }]))
    await sink.commit(1)
    await sink.close()
    const clash = [column('values.x', 'number'), column('Values_X', 'number')]
    await expect(
      house.table({ table: 'clash', mode: 'append' }).open(contextOf({ columns: clash })),
    ).rejects.toMatchObject({
      code: 'COLUMN_TAKEN',
    })
    await closeAll()
    expect(await rows('FROM "odd schema"."or""der"')).toEqual([{ values_x: 1, select: "it's", 'drop "table"': true }])
  })

  test('an existing table is used when its columns fit, in any order and with more of them', async () => {
    const house = await warehouse()
    const wide = [column('extra', 'boolean'), column('NAME', 'text'), column('id', 'number')]
    const first = house.table({ table: 'T', mode: 'append' })
    await first.open(contextOf({ consumer: 'first', columns: wide }))
    await first.close()
    const second = house.table({ table: 'T', mode: 'append' })
    await second.open(contextOf())
    await second.write(batch(1))
    await second.commit(1)
    await second.close()
    const wrong = house.table({ table: 't', mode: 'append' })
    await expect(
      wrong.open(contextOf({ consumer: 'wrong', columns: [column('id', 'timestamp')] })),
    ).rejects.toMatchObject({ code: 'WAREHOUSE_MISMATCH', message: expect.stringContaining('id as DOUBLE') })
    await expect(house.table({ table: 'U', mode: 'append' }).open(contextOf())).rejects.toMatchObject({
      code: 'DATA_DIR_MISMATCH',
    })
    await closeAll()
    expect(await rows('FROM T')).toEqual([{ extra: null, NAME: 'row 1', id: 1 }])
  })

  test('decimals are kept exactly, in every width', async () => {
    const decimals = [
      [4, 2],
      [9, 3],
      [18, 6],
      [30, 10],
    ].map(([precision, scale]) => ({
      ...column(`d${precision}`, 'number'),
      decimal: { precision: precision!, scale: scale! },
    }))
    const house = await warehouse()
    const sink = house.table({ table: 'D', mode: 'append' })
    await sink.open(contextOf({ columns: decimals }))
    await sink.write(
      batchOf(decimals, [
        { d4: -12.34, d9: 123456.789, d18: -123456789.123456, d30: 12345.0000000001 },
        { d4: null, d9: null, d18: null, d30: -0.5 },
      ]),
    )
    await sink.commit(2)
    await sink.write(batchOf(decimals, [{ d4: 0, d9: 0, d18: 0, d30: 0 }]))
    await expect(sink.write(batchOf(decimals, [{ d4: 100, d9: 0, d18: 0, d30: 0 }]))).rejects.toMatchObject({
      code: 'WAREHOUSE_MISMATCH',
    })
    // The sink is dead until it is opened anew, and keeps saying why.
    await expect(sink.commit(3)).rejects.toMatchObject({ code: 'WAREHOUSE_MISMATCH' })
    expect(await sink.open(contextOf({ columns: decimals }))).toBe(2)
    await sink.close()
    await closeAll()
    expect(await rows('SELECT d4::VARCHAR a, d9::VARCHAR b, d18::VARCHAR c, d30::VARCHAR d FROM D')).toEqual([
      { a: '-12.34', b: '123456.789', c: '-123456789.123456', d: '12345.0000000001' },
      { a: null, b: null, c: null, d: '-0.5000000000' },
    ])
  })

  test('a stream that somebody else has delivered stops', async () => {
    const house = await warehouse()
    const one = house.table({ table: 'T', mode: 'append' })
    const two = house.table({ table: 'T', mode: 'append' })
    await one.open(contextOf())
    await two.open(contextOf())
    await one.write(batch(1))
    await one.commit(1)
    await two.write(batch(1))
    await expect(two.commit(1)).rejects.toMatchObject({ code: 'SINK_FENCED' })
    await one.close()
    await closeAll()
    expect(await rows('FROM T')).toEqual([{ id: 1, name: 'row 1' }])
  })

  test('a damaged log is set aside; the ledger then asks for the rows again', async () => {
    const house = await warehouse()
    const sink = house.table({ table: 'T', mode: 'append' })
    await sink.open(contextOf())
    for (let id = 0; id < 100; id++) {
      await sink.write(batch(id))
      await sink.commit(id + 1)
    }
    // What a crash would leave: the file and its log as they are now.
    const crashed = join(folder, 'crashed.duckdb')
    copyFileSync(path, crashed)
    const log = readFileSync(`${path}.wal`)
    // Inside a row: a broken length would look like an end that a crash cut off, which DuckDB takes as it is.
    log[log.indexOf('row 50')]! ^= 0x20
    writeFileSync(`${crashed}.wal`, log)
    await sink.close()
    await closeAll()
    path = crashed
    const again = await warehouse()
    const reopened = again.table({ table: 'T', mode: 'append' })
    const position = await reopened.open(contextOf())
    expect(position).toBeLessThan(100)
    const missing = Array.from({ length: 100 }, (_, id) => id).slice(position)
    await reopened.write(batch(...missing))
    await reopened.commit(100)
    await reopened.close()
    await closeAll()
    expect(await rows('SELECT count(*) AS n, count(DISTINCT id) AS d FROM T')).toEqual([{ n: 100, d: 100 }])
    expect(readdirSync(folder)).toContain('crashed.duckdb.wal.damaged-1')
  })

  test.each([0, 4096, 8192])('a file whose making was cut off after %d bytes is made anew', async bytes => {
    await warehouse()
    await closeAll()
    writeFileSync(path, readFileSync(path).subarray(0, bytes))
    const sink = (await warehouse()).table({ table: 'T', mode: 'append' })
    await sink.open(contextOf())
    await sink.write(batch(1))
    await sink.commit(1)
    await sink.close()
    await closeAll()
    expect(await rows('FROM T')).toEqual([{ id: 1, name: 'row 1' }])
  })

  test('a small file that is no database is left as it is', async () => {
    writeFileSync(path, 'somebody else’s notes')
    await expect(openWarehouse({ path })).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    expect(readFileSync(path, 'utf8')).toBe('somebody else’s notes')
  })

  test('a file that is no database is refused and left as it is', async () => {
    writeFileSync(path, 'not a database, but long enough to be looked at'.repeat(500))
    await expect(openWarehouse({ path })).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    expect(readdirSync(folder)).toEqual(['warehouse.duckdb'])
  })
})

/** Another process that appends a row a commit for ever, and says each position that it has committed. */
function writer(): { child: ChildProcess; position: (atLeast: number) => Promise<number> } {
  const source = (file: string) => JSON.stringify(new URL(`../../src/${file}`, import.meta.url).href)
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { openWarehouse } from ${source('connectors/duckdb/warehouse.ts')}
       import { batchOf } from ${source('engine/batch.ts')}
       const columns = ${JSON.stringify(COLUMNS)}
       const house = await openWarehouse({ path: ${JSON.stringify(path)} })
       const sink = house.table({ table: 'T', mode: 'append' })
       let position = await sink.open(${JSON.stringify(contextOf())})
       for (;;) {
         await sink.write(batchOf(columns, [{ id: position, name: 'x'.repeat(50) }]))
         await sink.commit(++position)
         console.log(position)
       }`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  children.push(child)
  let last = 0
  const waiting: { atLeast: number; resolve: (position: number) => void }[] = []
  child.stdout!.on('data', (text: Buffer) => {
    last = Number(text.toString().trim().split('\n').at(-1))
    for (const each of waiting) if (last >= each.atLeast) each.resolve(last)
  })
  return {
    child,
    position: atLeast => new Promise(resolve => (last >= atLeast ? resolve(last) : waiting.push({ atLeast, resolve }))),
  }
}

describe('another process', () => {
  test('keeps us out while it has the file', async () => {
    const { child, position } = writer()
    await position(1)
    await expect(openWarehouse({ path })).rejects.toMatchObject({
      code: 'DATA_DIR_BUSY',
      message: expect.stringContaining(process.platform === 'linux' ? `(PID ${child.pid})` : 'another process'),
      next: expect.stringContaining(`chmod 600 ${path}`),
    })
    await expect(query(path, 'SELECT 1', 1)).rejects.toMatchObject({ code: 'DATA_DIR_BUSY' })
  }, 20_000)

  test('may be killed at any moment: rows and position stay together, what it committed stays', async () => {
    for (const enough of [1, 7, 20]) {
      const { child, position } = writer()
      const said = await position(enough)
      const gone = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
      const house = await warehouse()
      const sink = house.table({ table: 'T', mode: 'append' })
      const held = await sink.open(contextOf())
      await sink.close()
      await closeAll()
      expect(held).toBeGreaterThanOrEqual(said)
      expect(await rows('SELECT count(*) AS n, count(DISTINCT id) AS d, max(id) + 1 AS m FROM T')).toEqual([
        { n: held, d: held, m: held },
      ])
    }
  }, 60_000)
})

describe('query', () => {
  test('gives values that JSON can hold without loss', async () => {
    await (await warehouse()).close()
    const { columns, rows } = await query(
      path,
      `SELECT 1::BIGINT AS small, 9007199254740993::BIGINT AS large, 1.5::DECIMAL(10,2) AS dec,
        12345678901234567890.12::DECIMAL(30,2) AS wide, 'NaN'::DOUBLE AS nan, DATE '2023-10-28' AS d,
        TIMESTAMP '2023-10-28 13:52:25.514123' AS t, TIMESTAMPTZ '2023-10-28 13:52:25+00' AS tz,
        [1, NULL] AS list, {'a': 1::BIGINT} AS s, NULL AS nothing, 'ä' AS text, true AS b, 1 AS small`,
      10,
    )
    expect(columns[0]).toEqual({ name: 'small', type: 'BIGINT' })
    expect(rows).toEqual([
      {
        small: 1,
        large: '9007199254740993',
        dec: 1.5,
        wide: '12345678901234567890.12',
        nan: 'NaN',
        d: '2023-10-28',
        t: '2023-10-28T13:52:25.514123Z',
        tz: '2023-10-28T13:52:25.000Z',
        list: [1, null],
        s: { a: 1 },
        nothing: null,
        text: 'ä',
        b: true,
        'small:1': 1,
      },
    ])
    expect(JSON.parse(JSON.stringify(rows))).toEqual(rows)
  })

  test('stops at its limit, writes nothing, and says what is wrong in the warehouse’s words', async () => {
    await (await warehouse()).close()
    expect((await query(path, 'FROM range(1000000)', 3)).rows).toEqual([{ range: 0 }, { range: 1 }, { range: 2 }])
    await expect(query(path, 'CREATE TABLE x (a INT)', 1)).rejects.toMatchObject({ code: 'QUERY_FAILED' })
    await expect(query(path, 'SELEC 1', 1)).rejects.toThrow(/syntax error/)
    await expect(query(join(folder, 'warehous.duckdb'), 'SELECT 1', 1)).rejects.toThrow(
      /Did you mean .*warehouse\.duckdb/,
    )
  })
})
