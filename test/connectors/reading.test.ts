/** Questions to a warehouse read it and do nothing else, whoever asks and however the SQL is put. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { queryFile } from '../../src/connectors/duckdb/query.ts'
import type { Row, RowStream } from '../../src/connectors/duckdb/rows.ts'
import { openWarehouse, type Warehouse } from '../../src/connectors/duckdb/warehouse.ts'
import { batchOf } from '../../src/engine/batch.ts'
import { options, SEED } from '../engine/seed.ts'

const COLUMNS = [{ name: 'value', type: 'number', nullable: false }] as const

let folder: string
let live: Warehouse
/** Answers a question in each of the two ways. */
const ways = {
  'of a run at work': (sql: string) => live.query(sql),
  'that nobody has open': (sql: string) => queryFile(join(folder, 'closed.duckdb'), sql),
} satisfies Record<string, (sql: string) => Promise<RowStream>>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-reading-'))
  writeFileSync(join(folder, 'secret.csv'), 'secret\n1\n')
  for (const name of ['closed', 'live']) {
    live = await openWarehouse({ path: join(folder, `${name}.duckdb`) })
    const sink = live.table({ table: 'numbers', mode: 'append' })
    await sink.open({ consumer: 'c', incarnation: 'i', dataDirectory: folder, columns: COLUMNS, key: [] })
    await sink.write(batchOf(COLUMNS, [{ value: 1 }, { value: 2 }]))
    await sink.commit(2)
    await sink.close()
    if (name === 'closed') await live.close()
  }
})
afterAll(async () => {
  await live.close()
  rmSync(folder, { recursive: true, force: true })
})

async function rowsOf(stream: RowStream): Promise<Row[]> {
  const rows: Row[] = []
  for (let some = await stream.read(); some !== null; some = await stream.read()) rows.push(...some)
  return rows
}

/** What a statement that does more than read would change: settings, files, rows. */
async function stateOf(ask: (sql: string) => Promise<RowStream>) {
  return {
    settings: await rowsOf(await ask('SELECT name, value FROM duckdb_settings() ORDER BY name')),
    databases: await rowsOf(await ask('SHOW DATABASES')),
    rows: await rowsOf(await ask('FROM numbers ORDER BY value')),
    files: readdirSync(folder).sort(),
  }
}

const inFolder = (name: string) => `'${folder}/${name}'`
/** Statements that write, change settings, or look elsewhere. */
const acting = (): string[] => [
  `COPY numbers TO ${inFolder('out.csv')}`,
  `COPY (SELECT 1) TO ${inFolder('out.parquet')} (FORMAT parquet)`,
  `EXPORT DATABASE ${inFolder('out')}`,
  `ATTACH ${inFolder('other.duckdb')} AS other`,
  `ATTACH ':memory:' AS other`,
  'DETACH live',
  'USE memory',
  'SET GLOBAL threads = 2',
  "SET VARIABLE a = 'b'",
  'RESET memory_limit',
  'SET enable_external_access = true',
  'PRAGMA memory_limit = "1GB"',
  'PRAGMA enable_profiling',
  `PRAGMA import_database(${inFolder('.')})`,
  'INSTALL httpfs',
  `LOAD ${inFolder('some.duckdb_extension')}`,
  'CREATE TABLE t AS SELECT 1',
  'CREATE TEMP TABLE t AS SELECT 1',
  'CREATE OR REPLACE VIEW numbers AS SELECT 1',
  "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
  'INSERT INTO numbers VALUES (3)',
  'UPDATE numbers SET value = 3',
  'DELETE FROM numbers',
  'MERGE INTO numbers USING (SELECT 1 AS value) AS s USING (value) WHEN MATCHED THEN DELETE',
  'DROP TABLE numbers',
  'ALTER TABLE numbers ADD COLUMN b INTEGER',
  'TRUNCATE numbers',
  'VACUUM',
  'ANALYZE',
  'CHECKPOINT',
  'FORCE CHECKPOINT',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'PREPARE p AS DELETE FROM numbers',
  'EXECUTE p',
  'CALL enable_logging()',
  'CALL checkpoint()',
]
/** Table functions that act, or look elsewhere. */
const calls = (): string[] => [
  'enable_logging()',
  `enable_logging('QueryLog', storage = 'file', storage_config = {'path': ${inFolder('logs')}})`,
  'disable_logging()',
  'truncate_duckdb_logs()',
  'enable_profiling()',
  'enable_peg_parser()',
  'checkpoint()',
  'system.main.force_checkpoint()',
  `read_csv(${inFolder('secret.csv')})`,
  `read_text(${inFolder('secret.csv')})`,
  `read_blob(${inFolder('closed.duckdb')})`,
  `read_parquet(${inFolder('*.parquet')})`,
  `sniff_csv(${inFolder('secret.csv')})`,
  `glob(${inFolder('*')})`,
  "query('FROM enable_logging()')",
  "json_execute_serialized_sql(json_serialize_sql('FROM checkpoint()'))",
  'write_somewhere()',
]
/** The same in any spelling. */
const spelt = (sql: string, upper: boolean) => (upper ? sql.replace(/^\w+/, word => word.toUpperCase()) : sql)
const statement = [
  (sql: string) => sql,
  (sql: string) => `EXPLAIN ${sql}`,
  (sql: string) => `EXPLAIN ANALYZE ${sql}`,
  (sql: string) => `explain (analyze, format json) ${sql}`,
  (sql: string) => `EXPLAIN EXPLAIN ANALYZE ${sql}`,
  (sql: string) => `EXPLAIN/**/ANALYSE -- so\n ${sql}`,
  (sql: string) => `/* /* */ EXPLAIN SELECT '*/ ${sql} --'`,
  (sql: string) => `/* /* */ SELECT '*/ ${sql} --'`,
  (sql: string) => `SELECT 1; ${sql}`,
  (sql: string) => `${sql}; SELECT 1`,
  (sql: string) => `; ${sql}`,
  (sql: string) => `WITH x AS (${sql}) SELECT * FROM x`,
  (sql: string) => `EXPLAIN ANALYZE SELECT 1; ${sql}`,
  (sql: string) => `DESCRIBE ${sql}`,
]
const question = [
  (call: string) => `FROM ${call}`,
  (call: string) => `SELECT (SELECT count(*) FROM ${call})`,
  (call: string) => `SELECT * FROM numbers WHERE value IN (SELECT 1 FROM ${call})`,
  (call: string) => `WITH x AS (FROM ${call}) FROM x`,
  (call: string) => `WITH RECURSIVE x AS (SELECT 1 UNION ALL (SELECT 1 FROM ${call})) FROM x`,
  (call: string) => `FROM numbers, LATERAL (FROM ${call})`,
  (call: string) => `DESCRIBE FROM ${call}`,
  (call: string) => `SUMMARIZE FROM ${call}`,
  (call: string) => `EXPLAIN FROM ${call}`,
  (call: string) => `EXPLAIN ANALYZE SELECT * FROM numbers UNION ALL SELECT 1 FROM ${call}`,
  (call: string) => `SELECT list_transform([1], x -> (SELECT count(*) FROM ${call}))`,
]

describe.each(Object.entries(ways))('a warehouse %s', (_, ask) => {
  test(`refuses whatever does more than read, and nothing has changed then (SEED=${SEED})`, async () => {
    const before = await stateOf(ask)
    const hostile = fc.oneof(
      fc.tuple(fc.constantFrom(...statement), fc.constantFrom(...acting())),
      fc.tuple(fc.constantFrom(...question), fc.constantFrom(...calls())),
    )
    await fc.assert(
      fc.asyncProperty(hostile, fc.boolean(), async ([put, sql], upper) => {
        const asked = ask(put(spelt(sql, upper))).then(rowsOf)
        await expect(asked).rejects.toMatchObject({ code: 'QUERY_FAILED' })
      }),
      options(300),
    )
    expect(await stateOf(ask)).toEqual(before)
  }, 60_000)

  test('says so when it fails in the middle of its rows', async () => {
    const sql = "SELECT CASE WHEN range = 500000 THEN 'x' ELSE '1' END::INTEGER AS n FROM range(1000000)"
    await expect(ask(sql).then(rowsOf)).rejects.toMatchObject({
      code: 'QUERY_FAILED',
      message: expect.stringMatching(/^It failed after \d+ rows/),
    })
  })

  test('reads no file by its name, and says what to do instead', async () => {
    const asked = ask(`FROM ${inFolder('secret.csv')}`)
    await expect(asked).rejects.toMatchObject({ code: 'QUERY_FAILED', next: expect.stringContaining('snapshot') })
  })

  test.each([
    ['SELECT value FROM numbers ORDER BY value', [{ value: 1 }, { value: 2 }]],
    ['FROM numbers SELECT max(value) AS value;', [{ value: 2 }]],
    ['-- how many\nVALUES (1)', [{ col0: 1 }]],
    ['WITH RECURSIVE x AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM x WHERE a < 2) FROM x', [{ a: 1 }, { a: 2 }]],
    ['SELECT count(*) AS n FROM range(3), unnest([1, 2]), json_each(\'{"a":1}\')', [{ n: 6 }]],
    ['PIVOT (SELECT value::INT AS v FROM numbers) ON v IN (1, 2) USING count(*)', [{ 1: 1, 2: 1 }]],
    ["SELECT table_name FROM duckdb_tables() WHERE table_name = 'numbers'", [{ table_name: 'numbers' }]],
    ["SELECT '2026-01-05 09:00:00+02'::TIMESTAMPTZ::VARCHAR AS t", [{ t: '2026-01-05 07:00:00+00' }]],
    [
      "SELECT chr(65279) || 'a' AS a, [chr(65279)] AS b, repeat(chr(65279), 9) AS c",
      [{ a: '\ufeffa', b: ['\ufeff'], c: '\ufeff'.repeat(9) }],
    ],
    ["SELECT 'explain' AS word", [{ word: 'explain' }]],
  ])('answers %s', async (sql, rows) => {
    expect(await rowsOf(await ask(sql))).toEqual(rows)
  })

  test.each([
    'SHOW TABLES',
    'SHOW ALL TABLES',
    'DESCRIBE numbers',
    'SUMMARIZE numbers',
    "FROM pragma_table_info('numbers')",
    'EXPLAIN SELECT * FROM numbers',
    '  explain\n(format json) FROM numbers',
    '/* why */ EXPLAIN ANALYZE (SELECT count(*) FROM numbers)',
  ])('answers %s', async sql => {
    expect((await rowsOf(await ask(sql))).length).toBeGreaterThan(0)
  })
})

test('a question larger than the memory spills beside the warehouse', async () => {
  const house = await openWarehouse({ path: join(folder, 'small.duckdb'), memoryLimit: '64MB' })
  const sql = `SELECT count(*) AS n FROM (SELECT row_number() OVER (ORDER BY text) FROM
    (SELECT repeat('x', 50) || hash(range) AS text FROM range(1000000)))`
  expect(await rowsOf(await house.query(sql))).toEqual([{ n: 1000000 }])
  await house.close()
})

test.runIf(existsSync('/dev/shm'))(
  'a copy is made on another file system too, and nothing is left beside the warehouse',
  async () => {
    const other = mkdtempSync('/dev/shm/millrace-copy-')
    try {
      const path = join(other, 'copy.duckdb')
      await live.snapshot(path)
      expect(await rowsOf(await queryFile(path, 'SELECT count(*) AS n FROM numbers'))).toEqual([{ n: 2 }])
      expect(readdirSync(other)).toEqual(['copy.duckdb'])
      expect(readdirSync(join(folder, 'live.duckdb.copies'))).toEqual([])
    } finally {
      rmSync(other, { recursive: true, force: true })
    }
  },
)
