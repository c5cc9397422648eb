/** Commands beside a run at work: each in a process of its own. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { inFolder, millrace, type Running, start } from './support.ts'

const HTTP = new URL('../../src/connectors/http/index.ts', import.meta.url).href

const PIPELINE = `
import { count, pipeline, timestamp, topic, tumbling } from 'millrace'
import { http } from '${HTTP}'
import { z } from 'zod'

const readings = topic('readings', z.object({ sensor: z.string(), time: timestamp('iso'), temperature: z.number() }), {
  eventTime: { field: 'time', disorder: '1 s' },
})

export default pipeline('pushed', ({ ingest, from, warehouse }) => {
  ingest(http({ path: '/readings' }), readings)
  const minutes = from(readings).groupBy('sensor').window(tumbling('1 m')).aggregate({ readings: count() })
  warehouse.table('minutes').appends(minutes.to(topic('minutes')))
})
`
const STEP = 'minutes/window-1'
const DATA = '.millrace/pushed'

const lines = (text: string) => text.split('\n').filter(line => line !== '')
const documents = (text: string) => lines(text).map(line => JSON.parse(line) as Record<string, unknown>)
const reading = (sensor: string, minute: number) => {
  const time = new Date(Date.UTC(2026, 0, 5, 9, minute)).toISOString()
  return `{"sensor":"${sensor}","time":"${time}","temperature":7}`
}

interface AtWork {
  readonly folder: string
  readonly running: Running
  /** Sends lines; resolves with the status when they are kept. */
  push(...records: string[]): Promise<number>
  command(...words: string[]): ReturnType<typeof millrace>
}

async function beside(action: (run: AtWork) => Promise<void>, words: readonly string[] = []): Promise<void> {
  await inFolder(async folder => {
    writeFileSync(join(folder, 'pipeline.ts'), PIPELINE)
    const running = start(['run', 'pipeline.ts', '--listen', '127.0.0.1:0', '--events', ...words], { cwd: folder })
    try {
      await running.said('"event":"ready"')
      const [{ address }] = JSON.parse(readFileSync(join(folder, DATA, 'addresses.json'), 'utf8'))
      await action({
        folder,
        running,
        push: async (...records) => (await fetch(address, { method: 'POST', body: records.join('\n') })).status,
        command: (...command) => millrace(command, { cwd: folder }),
      })
    } finally {
      running.child.kill('SIGKILL')
      await running.result
    }
  })
}

/** Asks until the answer is this one: rows reach the warehouse a moment after they are kept. */
async function rowsOf(run: AtWork, sql: string, count: number): Promise<Record<string, unknown>[]> {
  for (;;) {
    const { code, stdout, stderr } = await run.command('query', sql, '--json')
    if (code === 0 && lines(stdout).length === count) return documents(stdout)
    if (code !== 0 && !stderr.includes('minutes')) throw new Error(stderr)
  }
}

describe('beside a run at work', { timeout: 60_000 }, () => {
  test('query, topics, snapshot and verify answer; after it was killed they do so alone', () =>
    beside(async run => {
      expect(await run.push(reading('roof', 0), reading('roof', 2), reading('roof', 4))).toBe(200)
      const rows = await rowsOf(run, 'SELECT sensor, readings FROM minutes', 2)
      expect(rows).toEqual([
        { sensor: 'roof', readings: 1 },
        { sensor: 'roof', readings: 1 },
      ])
      const limited = await run.command('query', 'FROM minutes', '--limit', '1')
      expect(lines(limited.stdout)).toHaveLength(2)
      expect(limited.stderr).toContain('only the first 1 rows')
      const piped = await run.command('query', 'FROM range(1000)')
      expect(lines(piped.stdout)).toHaveLength(1001)
      const written = await run.command('query', 'DELETE FROM minutes')
      expect(written).toMatchObject({ code: 2, stderr: expect.stringContaining('QUERY_FAILED') })
      const long = await run.command('query', 'FROM range(1000000) a, range(1000000) b', '--timeout', '300ms', '--json')
      expect(long).toMatchObject({ code: 2, stderr: expect.stringContaining('longer than 0.3 s') })

      const topics = JSON.parse((await run.command('topics', 'list', '--json')).stdout) as { name: string }[]
      expect(topics.map(({ name }) => name)).toEqual(expect.arrayContaining(['minutes', 'readings']))

      const copied = await run.command('snapshot', 'copy.duckdb')
      expect(copied).toMatchObject({ code: 0, stderr: '' })
      expect(await run.command('snapshot', 'copy.duckdb')).toMatchObject({ code: 2 })
      expect(await run.command('snapshot', 'copy.duckdb', '--force', '--json')).toMatchObject({ code: 0 })

      const verified = await run.command('verify', 'pipeline.ts', '--json')
      expect(verified).toMatchObject({ code: 0, stderr: '' })
      expect(JSON.parse(verified.stdout)).toMatchObject({ differing: [], not_compared: [] })
      expect(run.running.child.exitCode).toBe(null)

      run.running.child.kill('SIGKILL')
      await run.running.result
      expect(existsSync(join(run.folder, DATA, 'owner.sock'))).toBe(true)
      expect(existsSync(join(run.folder, DATA, 'owner.lock'))).toBe(true)
      expect(await rowsOf(run, 'SELECT sensor, readings FROM minutes', 2)).toEqual(rows)
      expect(await run.command('snapshot', 'alone.duckdb')).toMatchObject({ code: 0, stderr: '' })
      expect(existsSync(join(run.folder, 'alone.duckdb'))).toBe(true)
    }))

  test('tap shows the rows of the run; topics read --follow those that are appended', () =>
    beside(async run => {
      const tap = start(['tap', 'pipeline.ts', 'minutes/window-1', '--limit', '2', '--json'], { cwd: run.folder })
      const follow = start(['topics', 'read', 'minutes', '--follow', '--limit', '2', '--json', '--data-dir', DATA], {
        cwd: run.folder,
      })
      const pushing = new AbortController()
      const pushed = (async () => {
        for (let minute = 0; !pushing.signal.aborted; minute++) {
          await run.push(reading('roof', minute))
          await new Promise(resolve => setTimeout(resolve, 50))
        }
      })()
      for (const result of [await tap.result, await follow.result]) {
        expect(result).toMatchObject({ code: 0, stderr: '' })
        const rows = documents(result.stdout)
        expect(rows).toHaveLength(2)
        expect(rows[0]).toMatchObject({ sensor: 'roof', readings: 1 })
      }
      pushing.abort()
      await pushed
      const unknown = await run.command('tap', 'pipeline.ts', 'minutes/window-2')
      expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining(`did you mean ${STEP}?`) })
    }))

  test('a run of another pipeline is not tapped', () =>
    beside(async run => {
      mkdirSync(join(run.folder, 'other'))
      writeFileSync(join(run.folder, 'other/pipeline.ts'), PIPELINE.replace("pipeline('pushed'", "pipeline('other'"))
      const { code, stderr } = await run.command('tap', 'other/pipeline.ts', STEP, '--data-dir', DATA)
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('DATA_DIR_MISMATCH') })
    }))

  test('--events: ready with the addresses, progress, the summary; Ctrl-C ends it with 0 and takes the socket away', () =>
    beside(async run => {
      await run.running.said('"event":"progress"')
      run.running.child.kill('SIGINT')
      const { code, stdout, stderr } = await run.running.result
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const events = documents(stdout)
      expect(events[0]).toMatchObject({ event: 'ready', keysNeeded: false, addresses: [{ topic: 'readings' }] })
      expect(events.at(-1)).toMatchObject({ event: 'summary', reason: 'stopped' })
      expect(events.slice(1, -1).every(({ event }) => event === 'progress')).toBe(true)
      expect(existsSync(join(run.folder, DATA, 'owner.sock'))).toBe(false)
      expect(await run.command('query', 'SELECT 1 AS one', '--json')).toMatchObject({ code: 0, stdout: '{"one":1}\n' })
    }))

  test('the screen tells where to push, whether a key is needed, and where the data is', () =>
    inFolder(async folder => {
      writeFileSync(join(folder, 'pipeline.ts'), PIPELINE)
      const words = ['run', 'pipeline.ts', '--listen', '127.0.0.1:0', '--for', '300ms']
      const open = await millrace(words, { cwd: folder })
      expect(open.stderr).toMatch(/^push {3}http:\/\/127\.0\.0\.1:\d+\/readings {2}to readings$/m)
      expect(open.stderr).toContain('key    not needed')
      expect(open.stderr).toContain(`data   ${DATA}`)
      const keyed = await millrace([...words, '--require-key'], { cwd: folder })
      expect(keyed.stderr).toContain(`key    needed: millrace keys make NAME --data-dir ${DATA}`)
    }))
})

describe('records that were refused', { timeout: 60_000 }, () => {
  const WRONG = '{"sensor":"roof","time":"2026-01-05T09:00:01Z","temperature":"hot"}'
  const CUT = '{"sensor":"roof","time":'

  test('of a file have a way back that is no resend', () =>
    inFolder(async folder => {
      writeFileSync(join(folder, 'pipeline.ts'), PIPELINE)
      writeFileSync(join(folder, 'in.ndjson'), `${reading('roof', 0)}\n${WRONG}\n`)
      const words = ['run', 'pipeline.ts', '--input', 'readings=in.ndjson', '--until-end']
      expect((await millrace(words, { cwd: folder })).code).toBe(0)
      const listed = await millrace(['deadletters', 'list', '--json', '--data-dir', DATA], { cwd: folder })
      const [{ example }] = JSON.parse(listed.stdout) as [{ example: { number: string } }]
      const shown = await millrace(['deadletters', 'show', example.number, '--data-dir', DATA], { cwd: folder })
      expect(shown.stdout).toContain('next     where in.ndjson is followed, add it, corrected, at the end;')
      const exported = await millrace(['deadletters', 'export', 'wrong.ndjson', '--data-dir', DATA], { cwd: folder })
      expect(exported.stdout).toContain('next  readings is read from files')
    }))

  test('are counted, shown, exported, corrected and sent again once', () =>
    beside(async run => {
      expect(await run.push(reading('roof', 0), WRONG, CUT, WRONG)).toBe(200)
      const groups = JSON.parse((await run.command('deadletters', 'list', '--json')).stdout) as object[]
      expect(groups).toMatchObject([
        { topic: 'readings', code: 'RECORD_INVALID', count: 2, resent: 0, example: { number: '0/0', text: WRONG } },
        { topic: 'readings', code: 'RECORD_INVALID', count: 1, example: { number: '0/1', text: CUT } },
      ])
      const shown = await run.command('deadletters', 'show', '0/2')
      expect(shown).toMatchObject({ code: 0, stderr: '' })
      const [record, mark] = lines(shown.stdout).slice(lines(shown.stdout).findIndex(line => line.includes('"hot"')))
      expect(mark).toContain('line 1, column 62')
      expect(record!.slice(mark!.indexOf('^'), mark!.lastIndexOf('^') + 1)).toBe('"hot"')
      expect(await run.command('deadletters', 'show', '0/9')).toMatchObject({ code: 2 })
      expect(await run.command('deadletters', 'show', '9')).toMatchObject({ code: 2 })

      const exported = await run.command('deadletters', 'export', 'wrong.ndjson', '--topic', 'readings')
      expect(exported).toMatchObject({ code: 0, stderr: '' })
      const file = join(run.folder, 'wrong.ndjson')
      expect(readFileSync(file, 'utf8')).toBe(`${WRONG}\n${CUT}\n${WRONG}\n`)
      expect(await run.command('deadletters', 'export', 'wrong.ndjson')).toMatchObject({ code: 2 })
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"hot"', '8'))

      const resend = ['deadletters', 'resend', 'wrong.ndjson', '--topic', 'readings', '--json']
      const sent = await run.command(...resend)
      expect(sent).toMatchObject({ code: 1, stderr: expect.stringContaining('0/1 was refused again') })
      expect(JSON.parse(sent.stdout)).toMatchObject({ kept: 2, refused: 1, repeated: 0 })
      const again = await run.command(...resend)
      expect(JSON.parse(again.stdout)).toMatchObject({ kept: 0, refused: 0, repeated: 3 })
      expect(again.code).toBe(0)

      // What was refused again is a letter of its own; nothing of the others is left.
      const left = JSON.parse((await run.command('deadletters', 'list', '--json')).stdout) as object[]
      expect(left).toMatchObject([
        { count: 2, resent: 2 },
        { count: 2, resent: 1 },
      ])
      const rest = await run.command('deadletters', 'resend', '--topic', 'readings', '--json')
      expect(JSON.parse(rest.stdout)).toMatchObject({ kept: 0, refused: 1, leftOut: { 'sent again already': 3 } })
      expect(lines((await run.command('topics', 'read', 'readings', '--json')).stdout)).toHaveLength(3)
      expect(await run.command('deadletters', 'resend', '--topic', 'reading')).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('did you mean readings?'),
      })
    }))

  test('without a run are looked at all the same; to send them again one must be at work', () =>
    beside(async run => {
      expect(await run.push(reading('roof', 0), WRONG)).toBe(200)
      run.running.child.kill('SIGKILL')
      await run.running.result
      expect((await run.command('deadletters', 'list')).stdout).toMatch(
        /^readings +1 +0 +RECORD_INVALID +temperature: /m,
      )
      const { code, stderr } = await run.command('deadletters', 'resend', '--number', '0/0')
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('NOT_RUNNING') })
      expect(stderr).toContain('millrace run FILE --data-dir')
    }))

  test('no letter moves the cursor of who looks at it', () =>
    beside(async run => {
      expect(await run.push('\u001b[2J\u009b31m"')).toBe(400)
      expect(await run.push('{"sensor":"\\u001b[2J","time":"\\u009b"}')).toBe(422)
      for (const words of [['list'], ['show', '0/0'], ['show', '0/1']]) {
        const { stdout } = await run.command('deadletters', ...words)
        expect(stdout).not.toMatch(/(?!\n)\p{Cc}/u)
      }
      expect((await run.command('topics', 'read', 'dead_letters')).stdout).not.toMatch(/(?!\n)\p{Cc}/u)
    }))
})
