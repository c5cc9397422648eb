/** Golden pipelines: the same answer clean, killed and run again, shared among threads, and cut into partitions. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readTopic } from '../../src/log/topic-store.ts'
import { seededRandom } from '../../src/system/random.ts'

const ROOT = join(import.meta.dirname, '../..')
const NODE = join(ROOT, 'node_modules/.bin/node')

interface Golden {
  readonly topic: string
  /** The column by which records can be split over partitions without changing the answer. */
  readonly key: string
  /** Tables with the columns that identify a row of one that is upserted. */
  readonly tables: Readonly<Record<string, readonly string[] | null>>
  /** Whether the order of partitions can change the order of rows alone: not so where it says which revision comes when. */
  readonly splits: boolean
}

const GOLDEN: Record<string, Golden> = {
  activity: {
    topic: 'readings',
    key: 'device',
    tables: { ACTIVITY: ['device', 'window_start'], ACTIVITY_LOG: null },
    splits: true,
  },
  restated: {
    topic: 'messages',
    key: 'meter',
    tables: { SUMS: ['site', 'window_start'], SUMS_LOG: null },
    splits: false,
  },
  nested: {
    topic: 'temperatures',
    key: 'room',
    tables: { MINUTES: null, QUARTERS: ['room', 'window_start'] },
    splits: true,
  },
}

const folderOf = (name: string) => join(import.meta.dirname, name)
const linesOf = (path: string) => readFileSync(path, 'utf8').split('\n').filter(Boolean)
const expected = (name: string) => linesOf(join(folderOf(name), 'expected.ndjson'))
const inputOf = (name: string) => join(folderOf(name), 'input.ndjson')

let folder: string
let directory: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-golden-'))
  directory = join(folder, 'data')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Runs in a process of its own; answers how often it read its clock, null when it was killed. */
function runOnce(name: string, paths: readonly string[], { workers = 1, killAt = 0 } = {}): number | null {
  const run = join(import.meta.dirname, 'run-once.ts')
  const { topic } = GOLDEN[name]!
  const child = spawnSync(NODE, [run, folderOf(name), directory, String(workers), String(killAt), topic, ...paths], {
    encoding: 'utf8',
  })
  if (child.signal === 'SIGKILL') return null
  expect(child.stderr).toBe('')
  expect(child.status).toBe(0)
  return Number(child.stdout)
}

async function tablesOf(name: string): Promise<Record<string, string[]>> {
  const instance = await DuckDBInstance.create(join(directory, 'warehouse.duckdb'), { access_mode: 'READ_ONLY' })
  const connection = await instance.connect()
  const found: Record<string, string[]> = {}
  for (const table of Object.keys(GOLDEN[name]!.tables)) {
    const reader = await connection.runAndReadAll(`SELECT to_json(t)::VARCHAR AS row FROM ${table} t`)
    found[table] = reader
      .getRows()
      .map(([row]) => String(row))
      .sort()
  }
  connection.closeSync()
  instance.closeSync()
  return found
}

/** Rows as numbers and texts, so that a table's can be held against a file's. */
function cellsOf(line: string): string {
  const row = JSON.parse(line) as Record<string, unknown>
  for (const name of ['window_start', 'window_end'])
    row[name] = new Date(String(row[name]).replace(' ', 'T').replace(/Z?$/, 'Z')).getTime()
  return JSON.stringify(row)
}

/** An upserted table holds the last revision of each row, an appended one all. */
function lastRows(lines: readonly string[], key: readonly string[] | null): string[] {
  if (key === null) return lines.map(cellsOf).sort()
  const last = new Map<string, string>()
  for (const line of lines.map(cellsOf)) {
    const row = JSON.parse(line) as Record<string, unknown>
    last.set(JSON.stringify(key.map(column => row[column])), line)
  }
  return [...last.values()].sort()
}

async function expectGolden(name: string, ordered: boolean): Promise<void> {
  const found = linesOf(join(directory, 'results.ndjson'))
  if (ordered) expect(found).toEqual(expected(name))
  else expect(found.toSorted()).toEqual(expected(name).toSorted())
  const tables = await tablesOf(name)
  for (const [table, key] of Object.entries(GOLDEN[name]!.tables)) {
    // MINUTES is the stage before the results.
    if (table === 'MINUTES') expect(tables[table]!.length).toBe([...readTopic(directory, 'minutes')].length)
    else expect(tables[table]!.map(cellsOf).sort()).toEqual(lastRows(expected(name), key))
  }
}

/** The input as files: each key's records in one of them, in their order. */
function split(name: string, count: number): string[] {
  const files = Array.from({ length: count }, (): string[] => [])
  const keys: string[] = []
  for (const line of linesOf(inputOf(name))) {
    const key = String(
      (JSON.parse(line.replace(/"time":\d{19}/, '"time":0')) as Record<string, unknown>)[GOLDEN[name]!.key],
    )
    if (!keys.includes(key)) keys.push(key)
    files[keys.indexOf(key) % count]!.push(line)
  }
  return files.map((lines, index) => {
    const path = join(folder, `part-${index}.ndjson`)
    writeFileSync(path, `${lines.join('\n')}\n`)
    return path
  })
}

describe.each(Object.keys(GOLDEN))('%s', name => {
  test('run clean', async () => {
    runOnce(name, [inputOf(name)])
    await expectGolden(name, true)
  })

  test('run again when it is done: nothing is added', async () => {
    runOnce(name, [inputOf(name)])
    runOnce(name, [inputOf(name)])
    await expectGolden(name, true)
  })

  test('killed again and again, and run on', async () => {
    const total = runOnce(name, [inputOf(name)])!
    rmSync(directory, { recursive: true })
    let kills = 0
    for (let killAt = 2; killAt <= total; killAt += 2) if (runOnce(name, [inputOf(name)], { killAt }) === null) kills++
    expect(kills).toBeGreaterThan(0)
    runOnce(name, [inputOf(name)])
    await expectGolden(name, true)
  }, 60_000)

  // Revision numbers tell in which order partitions came, so a restated window is not the same over several.
  if (!GOLDEN[name]!.splits) return
  test('split over partitions, killed in between', async () => {
    const paths = split(name, 3)
    const total = runOnce(name, paths)!
    await expectGolden(name, false)
    rmSync(directory, { recursive: true })
    expect(runOnce(name, paths, { killAt: Math.ceil(total / 2) })).toBeNull()
    runOnce(name, paths)
    await expectGolden(name, false)
  }, 60_000)
})

test('a long input: with three threads, killed at any moment, and run on', async () => {
  const input = join(folder, 'long.ndjson')
  const random = seededRandom(3)
  const start = 1_763_787_600_000
  const lines = Array.from({ length: 150_000 }, (_, index) => {
    const time = start + index * 20 - random.integer(4000)
    return `{"room":"room ${random.integer(40)}","time":${time},"celsius":${(15 + random.next() * 10).toFixed(2)}}`
  })
  writeFileSync(input, `${lines.join('\n')}\n`)
  const total = runOnce('nested', [input])!
  const clean = { lines: linesOf(join(directory, 'results.ndjson')), tables: await tablesOf('nested') }
  expect(total).toBeGreaterThan(5)
  rmSync(directory, { recursive: true })
  runOnce('nested', [input], { workers: 3 })
  expect(linesOf(join(directory, 'results.ndjson'))).toEqual(clean.lines)
  expect(await tablesOf('nested')).toEqual(clean.tables)
  rmSync(directory, { recursive: true })
  let kills = 0
  for (let killAt = 3; killAt < total; killAt += 3) {
    if (runOnce('nested', [input], { killAt }) === null) kills++
    // It came to its end before: it goes on from a later epoch, so with less to do.
    else rmSync(directory, { recursive: true })
  }
  expect(kills).toBeGreaterThan(0)
  // From outside, where nothing says when: in the middle of a commit, perhaps.
  for (let attempt = 0; attempt < 4; attempt++) {
    const run = join(import.meta.dirname, 'run-once.ts')
    const child = execFile(NODE, [run, folderOf('nested'), directory, '1', '0', 'temperatures', input])
    await new Promise(resolve => setTimeout(resolve, 350 + random.integer(400)))
    child.kill('SIGKILL')
    await new Promise(resolve =>
      child.exitCode === null && child.signalCode === null ? child.once('exit', resolve) : resolve(null),
    )
  }
  runOnce('nested', [input])
  expect(linesOf(join(directory, 'results.ndjson'))).toEqual(clean.lines)
  expect(await tablesOf('nested')).toEqual(clean.tables)
  expect(readdirSync(directory)).not.toContain('owner.lock')
}, 120_000)
