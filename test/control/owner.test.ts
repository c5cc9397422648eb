import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createListener } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ownerOf } from '../../src/control/client.ts'
import { openOwnerSocket } from '../../src/control/server.ts'
import { pipeline, topic } from '../../src/index.ts'
import { inFolder } from '../cli/support.ts'
import { query } from '../connectors/query-file.ts'
import { type FakeRun, fakeRun, until } from './support.ts'

const readings = topic('readings', z.object({ sensor: z.string(), values: z.object({ x: z.number() }) }))
const { plan } = pipeline('looked-at', ({ from }) => {
  from(readings)
    .filter(row => row.values.x > 0)
    .to(topic('positive'))
})
const STEP = 'positive/filter-1'

/** A run at work, its socket, and a command beside it. */
async function beside<T>(
  action: (all: {
    folder: string
    run: FakeRun
    owner: NonNullable<Awaited<ReturnType<typeof ownerOf>>>
  }) => Promise<T>,
): Promise<T> {
  return inFolder(async folder => {
    const run = await fakeRun(folder, plan)
    const socket = await openOwnerSocket(run.handle)
    try {
      const owner = await ownerOf(folder)
      return await action({ folder, run, owner: owner! })
    } finally {
      await socket.close()
      await run.close()
    }
  })
}

const ENDLESS = 'SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b'

describe('a question to the warehouse of a run at work', () => {
  test('gives what is committed, row by row, up to the limit', () =>
    beside(async ({ run, owner }) => {
      await run.commit([1, 2, 3])
      const rows = await owner.query('SELECT value, value::BIGINT * 10 AS ten FROM numbers ORDER BY value')
      expect(rows.columns).toEqual([
        { name: 'value', type: 'DOUBLE' },
        { name: 'ten', type: 'BIGINT' },
      ])
      expect(await rows.read()).toEqual([
        { value: 1, ten: 10 },
        { value: 2, ten: 20 },
        { value: 3, ten: 30 },
      ])
      expect(await rows.read()).toBe(null)
      const few = await owner.query('SELECT * FROM range(100000)', { limit: 3000 })
      let count = 0
      for (let some = await few.read(); some !== null; some = await few.read()) count += some.length
      expect(count).toBe(3000)
    }))

  test.each([
    ['DELETE FROM numbers', 'not DELETE'],
    ['EXPLAIN ANALYZE DELETE FROM numbers', 'not EXPLAIN of DELETE'],
    ["COPY numbers TO '/dev/null'", 'not COPY'],
    ["ATTACH ':memory:' AS other", 'not ATTACH'],
    ['SET threads = 2', 'not SET'],
    ['PRAGMA threads = 2', 'not PRAGMA'],
    ['PRAGMA force_checkpoint', 'not PRAGMA'],
    ['CHECKPOINT', 'not CHECKPOINT'],
    ['SELECT 1; SELECT 2', '2 statements'],
    ['SELECT 1; DELETE FROM numbers', 'Only what reads'],
    ['COMMIT; DELETE FROM numbers', 'not COMMIT'],
    ['COMMIT', 'not COMMIT'],
    ['SELECT $1', 'parameters'],
    ['-- nothing', 'empty'],
    ['SELECT nothing FROM numbers', 'nothing'],
    ['PIVOT numbers ON value USING count(*)', 'PIVOT needs its values'],
  ])('%s is refused', (sql, words) =>
    beside(async ({ run, owner }) => {
      await run.commit([1])
      await expect(owner.query(sql)).rejects.toMatchObject({
        code: 'QUERY_FAILED',
        message: expect.stringContaining(words),
      })
      expect(await (await owner.query('SELECT count(*) AS count FROM numbers')).read()).toEqual([{ count: 1 }])
    }),
  )

  test('commits go on while questions that never end are at work; those end when their time is up', () =>
    beside(async ({ run, owner }) => {
      const asked = [1, 2, 3, 4].map(() => owner.query(ENDLESS, { timeout_ms: 700 }).then(rows => rows.read()))
      const over = Promise.allSettled(asked)
      for (let value = 0; value < 20; value++) await run.commit([value])
      for (const answer of await over) {
        expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'QUERY_FAILED' } })
        expect((answer as PromiseRejectedResult).reason.message).toContain('longer than 0.7 s')
      }
      expect(await (await owner.query('SELECT count(*) AS count FROM numbers')).read()).toEqual([{ count: 20 }])
    }))

  test('whoever goes away does not stand in the way of others', () =>
    beside(async ({ owner }) => {
      const gone = new AbortController()
      const asked = [1, 2].map(() => owner.query(ENDLESS, { timeout_ms: 600_000, signal: gone.signal }))
      const ended = Promise.allSettled(asked)
      const waiting = owner.query('SELECT 1 AS one', { timeout_ms: 600_000 })
      gone.abort()
      expect(await (await waiting).read()).toEqual([{ one: 1 }])
      for (const answer of await ended)
        expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'QUERY_FAILED' } })
      // One who stops in the middle of the rows.
      for (let times = 0; times < 4; times++) {
        const rows = await owner.query('SELECT * FROM range(10000000)', { timeout_ms: 600_000 })
        await rows.read()
        rows.close()
      }
      expect(await (await owner.query('SELECT 2 AS two', { timeout_ms: 600_000 })).read()).toEqual([{ two: 2 }])
    }))

  test.each(['end', 'destroy'] as const)('an answer that is cut off is an error, not a short answer: %s', how =>
    inFolder(async folder => {
      const server = createServer((request, response) => {
        if (request.url === '/about') return response.end(JSON.stringify({ protocol: 1 }))
        response.write('["columns",[{"name":"a","type":"INTEGER"}]]\n{"a":1}\n')
        return setTimeout(() => response[how](), 20)
      })
      await new Promise<void>(resolve => server.listen(join(folder, 'owner.sock'), resolve))
      const rows = await (await ownerOf(folder))!.query('SELECT a FROM somewhere')
      await expect(rows.read()).rejects.toMatchObject({ code: 'DATA_DIR_BUSY' })
      server.close()
    }),
  )
})

describe('watching a step', () => {
  test('rows come as they leave it, with names nested or as they are, until the run ends', () =>
    inFolder(async folder => {
      const run = await fakeRun(folder, plan)
      const socket = await openOwnerSocket(run.handle)
      const owner = (await ownerOf(folder))!
      const { signal } = new AbortController()
      const onSkipped = () => {}
      const nested = await owner.watch(STEP, { nested: true, signal, onSkipped })
      const flat = await owner.watch(STEP, { nested: false, signal, onSkipped })
      expect(flat.columns).toEqual([
        { name: 'sensor', type: 'text' },
        { name: 'values.x', type: 'number' },
      ])
      run.emit(STEP, [{ sensor: 'roof', 'values.x': 2 }])
      expect((await nested.lines.next()).value).toBe('{"sensor":"roof","values":{"x":2}}')
      expect((await flat.lines.next()).value).toBe('{"sensor":"roof","values.x":2}')
      const closed = socket.close()
      expect((await nested.lines.next()).done).toBe(true)
      expect((await flat.lines.next()).done).toBe(true)
      await closed
      await run.close()
    }))

  test('a reader that is too slow loses rows and is told how many; the run keeps few of them', () =>
    beside(async ({ run, owner }) => {
      const { signal } = new AbortController()
      let skipped = 0
      const onSkipped = (rows: number) => {
        skipped += rows
        // The reader has caught up: there is room again.
        run.emit(STEP, [{ sensor: 'last', 'values.x': 0 }])
      }
      const { lines } = await owner.watch(STEP, { nested: false, signal, onSkipped })
      const wide = 'x'.repeat(10_000)
      for (let times = 0; times < 5000; times++) run.emit(STEP, [{ sensor: wide, 'values.x': times }])
      let read = 0
      for await (const line of lines) {
        const { sensor, 'values.x': value } = JSON.parse(line) as Record<string, unknown>
        if (sensor === 'last') break
        expect(value).toBe(read)
        read++
      }
      expect(read + skipped).toBe(5000)
      expect(skipped).toBeGreaterThan(0)
      expect(read).toBeLessThan(5000)
    }))

  test('whoever goes away is forgotten; an unknown step is an error', () =>
    beside(async ({ run, owner }) => {
      const gone = new AbortController()
      const { lines } = await owner.watch(STEP, { nested: false, signal: gone.signal, onSkipped() {} })
      await until(() => run.watchers.get(STEP)?.size === 1)
      gone.abort()
      expect((await lines.next()).done).toBe(true)
      await until(() => run.watchers.get(STEP)?.size === 0)
      const wrong = owner.watch('nothing', { nested: false, signal: new AbortController().signal, onSkipped() {} })
      await expect(wrong).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    }))
})

describe('a snapshot', () => {
  test('is a warehouse that opens, of one moment, with what it holds', () =>
    beside(async ({ folder, run, owner }) => {
      await run.commit([1, 2])
      const copy = join(folder, "a 'copy'.duckdb")
      const [content] = await Promise.all([owner.snapshot(copy), run.commit([3])])
      expect(content).toEqual({ epoch: 3, positions: { readings: [17] } })
      const { rows } = await query(copy, 'SELECT count(*) AS count FROM numbers', 1)
      const ledger = await query(copy, 'SELECT position FROM millrace.ledger', 1)
      expect([2, 3]).toContain(rows[0]!.count)
      expect(ledger.rows[0]!.position).toBe(rows[0]!.count)
      await expect(owner.snapshot(copy)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
      await expect(owner.snapshot('relative.duckdb')).rejects.toMatchObject({ code: 'OPTION_INVALID' })
      const several = await Promise.allSettled([1, 2, 3].map(each => owner.snapshot(join(folder, `${each}.duckdb`))))
      expect(several.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
    }))

  test('that fails leaves nothing', () =>
    beside(async ({ folder, owner }) => {
      await expect(owner.snapshot(join(folder, 'no/such/folder.duckdb'))).rejects.toMatchObject({
        code: 'FILE_UNWRITABLE',
      })
      writeFileSync(join(folder, 'mine.duckdb'), 'mine')
      await expect(owner.snapshot(join(folder, 'mine.duckdb'))).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
      expect(readFileSync(join(folder, 'mine.duckdb'), 'utf8')).toBe('mine')
    }))
})

describe('records that are sent again', () => {
  const record = (id: string, text = '{"sensor":"roof"}') => ({ id, topic: 'readings', text })

  test('are taken once, whoever sends them again and after a restart', () =>
    inFolder(async folder => {
      const run = await fakeRun(folder, plan)
      for (let times = 0; times < 2; times++) {
        const socket = await openOwnerSocket(run.handle)
        const owner = (await ownerOf(folder))!
        const [first, second] = await Promise.all([
          owner.resend([record('0/1@a'), record('0/2@a'), record('0/1@a')]),
          owner.resend([record('0/2@a'), record('0/3@a')]),
        ])
        const outcomes = [...first, ...second].map(({ outcome }) => outcome)
        // Within one request the same record has the same answer.
        if (times > 0) expect(new Set(outcomes)).toEqual(new Set(['repeated']))
        await socket.close()
      }
      expect(run.appended.map(({ id }) => id).sort()).toEqual(['0/1@a', '0/2@a', '0/3@a'])
      await run.close()
    }))

  test('that were not taken may be sent again; those that the schema refuses are dead letters anew', () =>
    beside(async ({ folder, run, owner }) => {
      run.outcome = () => {
        throw new Error('no')
      }
      expect(await owner.resend([record('0/1@a')])).toMatchObject([{ outcome: 'failed', error: { message: 'no' } }])
      run.outcome = () => ({
        kind: 'kept',
        accepted: 0,
        refusedCount: 1,
        refused: [{ record: 0, path: 'sensor', reason: 'sensor: expected string' }],
      })
      expect(await owner.resend([record('0/1@a')])).toMatchObject([
        { outcome: 'refused', reason: 'sensor: expected string' },
      ])
      run.outcome = () => ({ kind: 'repeated' })
      expect(await owner.resend([record('0/2@a'), { ...record('0/3@a', 'AP8='), encoding: 'base64' }])).toEqual([
        { id: '0/2@a', outcome: 'repeated' },
        { id: '0/3@a', outcome: 'repeated' },
      ])
      expect(run.appended.at(-1)!.text).toBe('\u0000\ufffd\n')
      const notes = readFileSync(join(folder, 'dead_letters.resent'), 'utf8').trimEnd().split('\n')
      expect(notes.map(line => (JSON.parse(line) as { id: string }).id)).toEqual(['0/1@a', '0/2@a', '0/3@a'])
    }))

  test('a note that was cut off spoils neither itself nor the next one', () =>
    inFolder(async folder => {
      const run = await fakeRun(folder, plan)
      appendFileSync(join(folder, 'dead_letters.resent'), '{"id":"0/1@a","topic":"rea')
      for (let times = 0; times < 2; times++) {
        const socket = await openOwnerSocket(run.handle)
        await (await ownerOf(folder))!.resend([record('0/1@a'), record('0/2@a')])
        await socket.close()
      }
      expect(run.appended).toHaveLength(2)
      await run.close()
    }))
})

describe('the socket', () => {
  test('is for its user alone, says whose it is, and goes with its owner', () =>
    inFolder(async folder => {
      const run = await fakeRun(folder, plan)
      expect(await ownerOf(folder)).toBe(null)
      const socket = await openOwnerSocket(run.handle)
      expect(statSync(join(folder, 'owner.sock')).mode & 0o777).toBe(0o600)
      expect((await ownerOf(folder))!.about).toMatchObject({
        pipeline: 'looked-at',
        process: process.pid,
        progress: { epoch: 3 },
        addresses: [{ topic: 'readings' }],
      })
      await socket.close()
      expect(readdirSync(folder).filter(name => name.startsWith('owner'))).toEqual([])
      expect(await ownerOf(folder)).toBe(null)
      await run.close()
    }))

  test('is found where the name of the data directory is long', () =>
    inFolder(async parent => {
      const folder = join(parent, 'long'.repeat(30))
      mkdirSync(folder)
      const run = await fakeRun(folder, plan)
      // What an owner of the version before left that was killed.
      writeFileSync(join(folder, 'owner.address'), `${parent}/gone/owner.sock\n`)
      expect(await ownerOf(folder)).toBe(null)
      const socket = await openOwnerSocket(run.handle)
      expect(statSync(join(folder, 'owner.sock')).mode & 0o777).toBe(0o600)
      expect((await ownerOf(folder))!.about.pipeline).toBe('looked-at')
      await socket.close()
      expect(readdirSync(folder).filter(name => name.startsWith('owner'))).toEqual([])
      await run.close()
    }))

  test('of a killed process stands in nobody’s way', () =>
    inFolder(async folder => {
      const script = `
        import { openOwnerSocket } from ${JSON.stringify(new URL('../../src/control/server.ts', import.meta.url).href)}
        await openOwnerSocket({ dataDirectory: ${JSON.stringify(folder)} })
        console.log('ready')`
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await new Promise(resolve => child.stdout.once('data', resolve))
      child.kill('SIGKILL')
      await new Promise(resolve => child.once('close', resolve))
      expect(existsSync(join(folder, 'owner.sock'))).toBe(true)
      expect(await ownerOf(folder)).toBe(null)
      const run = await fakeRun(folder, plan)
      const socket = await openOwnerSocket(run.handle)
      expect((await ownerOf(folder))!.about.process).toBe(process.pid)
      await socket.close()
      await run.close()
    }))

  test('of the next owner is not taken away by the one before', () =>
    inFolder(async folder => {
      const run = await fakeRun(folder, plan)
      const first = await openOwnerSocket(run.handle)
      const second = await openOwnerSocket(run.handle)
      await first.close()
      expect((await ownerOf(folder))!.about.pipeline).toBe('looked-at')
      await second.close()
      await run.close()
    }))

  test('whoever does not answer is not waited for without end', () =>
    inFolder(async folder => {
      const silent = createListener(() => {})
      await new Promise<void>(resolve => silent.listen(join(folder, 'owner.sock'), resolve))
      await expect(ownerOf(folder, 50)).rejects.toMatchObject({ code: 'DATA_DIR_BUSY' })
      silent.close()
    }))

  test('what is not understood is answered, and the next request too', () =>
    beside(async ({ folder, owner }) => {
      const ask = (path: string, body: string) => fetchOver(join(folder, 'owner.sock'), path, body)
      expect(await ask('/nothing', '')).toMatchObject({ status: 400, text: expect.stringContaining('OPTION_INVALID') })
      expect(await ask('/query', '[]')).toMatchObject({ status: 400 })
      expect(await ask('/query', '{"sql":1}')).toMatchObject({ status: 400 })
      expect(await ask('/resend', '{"id":1}\n')).toMatchObject({ status: 400 })
      expect(await ask('/resend', 'not JSON\n')).toMatchObject({ status: 400 })
      expect(await ask('/query', 'x'.repeat(17 * 1024 * 1024)).catch(() => 'cut off')).toSatisfy(
        answer => answer === 'cut off' || (answer as { status: number }).status === 400,
      )
      expect(await (await owner.query('SELECT 1 AS one')).read()).toEqual([{ one: 1 }])
    }))
})

async function fetchOver(socketPath: string, path: string, body: string): Promise<{ status: number; text: string }> {
  const { request } = await import('node:http')
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, method: 'POST' }, async response => {
      let text = ''
      for await (const piece of response) text += piece
      resolve({ status: response.statusCode!, text })
    })
    call.on('error', reject)
    call.end(body)
  })
}
