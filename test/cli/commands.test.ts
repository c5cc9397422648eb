import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { inFolder, millrace, ROOT, start } from './support.ts'

const json = (text: string) => JSON.parse(text) as Record<string, unknown>
const lines = (text: string) => text.split('\n').filter(line => line !== '')
const started = async (folder: string) => {
  expect((await millrace(['init', folder])).code).toBe(0)
  return (...words: string[]) => millrace(words, { cwd: folder })
}

describe('the way of a new user, from init to verify', () => {
  test('each command that one is told to give works', () =>
    inFolder(async folder => {
      const run = await started(join(folder, 'mine'))
      const command = run
      const files = readdirSync(join(folder, 'mine')).sort()
      expect(files).toEqual([
        '.gitignore',
        'README.md',
        'package.json',
        'pipeline.ts',
        'readings.ndjson',
        'tsconfig.json',
      ])

      const first = await command('run', 'pipeline.ts', '--until-end')
      expect(first).toMatchObject({ code: 0, stderr: '' })
      expect(first.stdout).toMatch(/^readings +1,080 +0 +0$/m)
      expect(first.stdout).toMatch(/^quarters +12$/m)
      expect(first.stdout).toContain('next      millrace verify pipeline.ts --data-dir .millrace/first-pipeline')

      const rows = await command('query', 'SELECT sensor, readings, state FROM quarters ORDER BY ALL', '--json')
      expect(rows).toMatchObject({ code: 0, stderr: '' })
      expect(lines(rows.stdout)).toHaveLength(12)
      expect(json(lines(rows.stdout)[0]!)).toEqual({ sensor: 'cellar', readings: 90, state: 'normal' })

      const table = await command(
        'query',
        'SELECT sensor, sum(readings) AS readings FROM quarters GROUP BY 1 ORDER BY 1',
      )
      expect(lines(table.stdout)).toEqual([
        'sensor   readings',
        'cellar        360',
        'kitchen       360',
        'roof          360',
      ])

      const verified = await command('verify', 'pipeline.ts')
      expect(verified.stdout).toContain('the run and the batch answer agree in every column: 12 rows of 1 output')
      expect(verified.code).toBe(0)

      const plan = await command('plan', 'pipeline.ts')
      expect(plan).toMatchObject({ code: 0, stderr: '' })
      expect(plan.stdout).toContain('quarters')
      const document = json((await command('plan', 'pipeline.ts', '--json')).stdout)
      expect(document).toMatchObject({ kind: 'plan', name: 'first-pipeline' })

      const checked = await command('check', 'pipeline.ts')
      expect(checked.code).toBe(0)
    }))

  test('init leaves a folder that is in use alone', () =>
    inFolder(async folder => {
      writeFileSync(join(folder, 'mine.txt'), 'mine')
      const { code, stderr } = await millrace(['init'], { cwd: folder })
      expect(code).toBe(2)
      expect(stderr).toContain('mine.txt')
      expect(readdirSync(folder)).toEqual(['mine.txt'])
    }))

  test('init adds to a project, and overwrites nothing of it', () =>
    inFolder(async folder => {
      writeFileSync(join(folder, 'package.json'), '{}')
      writeFileSync(join(folder, 'mine.txt'), 'mine')
      const run = await started(folder)
      expect(readFileSync(join(folder, 'package.json'), 'utf8')).toBe('{}')
      expect(await run('init')).toMatchObject({ code: 2, stderr: expect.stringContaining('pipeline.ts') })
    }))

  test('that no record was refused is an answer', () =>
    inFolder(async folder => {
      const run = await started(folder)
      await run('run', 'pipeline.ts', '--until-end')
      expect(await run('topics', 'read', 'dead_letters')).toEqual({
        code: 0,
        stdout: '',
        stderr: 'no record was refused\n',
      })
      expect(await run('topics', 'read', 'dead_letters', '--json')).toEqual({ code: 0, stdout: '', stderr: '' })
      expect(await run('query', ' ')).toMatchObject({ code: 2, stderr: expect.stringContaining('The SQL is empty.') })
    }))
})

describe('run', () => {
  test('--json is one document on stdout; --input takes the place of the source', () =>
    inFolder(async folder => {
      const command = await started(folder)
      const input = join(folder, 'few.ndjson')
      writeFileSync(
        input,
        lines(readFileSync(join(folder, 'readings.ndjson'), 'utf8'))
          .slice(0, 30)
          .join('\n'),
      )
      const { code, stdout, stderr } = await command(
        'run',
        'pipeline.ts',
        '--input',
        `readings=${input}`,
        '--until-end',
        '--data-dir',
        'data',
        '--json',
      )
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(json(stdout)).toMatchObject({
        reason: 'ended',
        topics: [{ topic: 'readings', records: 30, deadLetters: 0 }],
      })
      expect(existsSync(join(folder, 'data', 'warehouse.duckdb'))).toBe(true)
    }))

  test('an unknown topic is answered with the nearest, a wrong form with the right one', () =>
    inFolder(async folder => {
      const command = await started(folder)
      const misspelt = await command('run', 'pipeline.ts', '--input', 'reading=readings.ndjson', '--until-end')
      expect(misspelt.stderr).toContain("There is no topic 'reading'; did you mean readings?")
      expect(misspelt.code).toBe(2)
      const bare = await command('run', 'pipeline.ts', '--input', 'readings.ndjson', '--until-end')
      expect(bare.stderr).toContain('--input readings=readings.ndjson')
      expect(bare.code).toBe(2)
      const missing = await command('run', 'pipeline.ts', '--input', 'readings=reading.ndjson', '--until-end')
      expect(missing.stderr).toContain('readings.ndjson')
      expect(missing.code).toBe(4)
    }))

  test('a refused record is kept and the way to it is told; --strict stops there with place and exit code 3', () =>
    inFolder(async folder => {
      const command = await started(folder)
      appendFileSync(
        join(folder, 'readings.ndjson'),
        '{"sensor":"roof","time":"2026-01-05T09:00:00Z","temperature":"hot"}\n',
      )
      const run = await command('run', 'pipeline.ts', '--until-end')
      expect(run.code).toBe(0)
      expect(run.stdout).toContain('refused   millrace deadletters list --data-dir .millrace/first-pipeline')
      const letters = await command(
        'topics',
        'read',
        'dead_letters',
        '--data-dir',
        '.millrace/first-pipeline',
        '--json',
      )
      expect(lines(letters.stdout)).toHaveLength(1)
      expect(json(letters.stdout)).toMatchObject({ topic: 'readings' })
      expect(String(json(letters.stdout).reason)).toContain('temperature')

      const strict = await command('run', 'pipeline.ts', '--until-end', '--strict', '--data-dir', 'strict')
      expect(strict.code).toBe(3)
      expect(strict.stderr).toContain('RECORD_INVALID')
      expect(strict.stderr).toContain('readings.ndjson')
      expect(strict.stderr).toContain('temperature')
    }))

  test('without --until-end it follows until --for is over or a signal comes, and ends with 0', () =>
    inFolder(async folder => {
      const command = await started(folder)
      const timed = await command('run', 'pipeline.ts', '--for', '3s', '--data-dir', 'timed', '--json')
      expect(timed.code).toBe(0)
      expect(json(timed.stdout)).toMatchObject({ reason: 'stopped', topics: [{ topic: 'readings', records: 1080 }] })

      const { child, result } = start(['run', 'pipeline.ts', '--data-dir', 'stopped'], { cwd: folder })
      while (!existsSync(join(folder, 'stopped', 'run.json'))) await new Promise(resolve => setTimeout(resolve, 20))
      child.kill('SIGINT')
      const { code, stdout } = await result
      expect(code).toBe(0)
      expect(stdout).toContain('was stopped')
    }))
})

test('the activity tracker on phones with every fault: what it delivers is what one query gives', () =>
  inFolder(async folder => {
    const command = (...words: string[]) => millrace(words, { cwd: folder })
    const simulated = ['--people', '4', '--for', '3m', '--faults', 'all,malformed=0.01', '--output', 'phones.ndjson']
    expect((await command('simulate', 'phones', ...simulated)).code).toBe(0)
    const pipeline = join(ROOT, 'examples/activity-tracker/pipeline.ts')
    const input = ['--input', 'raw_sensor_data=phones.ndjson', '--until-end', '--data-dir', 'data']
    const run = await command('run', pipeline, ...input, '--json')
    expect(run.code).toBe(0)
    const records = lines(readFileSync(join(folder, 'phones.ndjson'), 'utf8')).length
    const [topic] = json(run.stdout).topics as { records: number; deadLetters: number; late: number }[]
    expect(topic!.records).toBe(records)
    expect(topic!.deadLetters).toBeGreaterThan(100)
    const letters = await command('topics', 'read', 'dead_letters', '--data-dir', 'data', '--json')
    expect(lines(letters.stdout)).toHaveLength(topic!.deadLetters)
    const verified = await command('verify', pipeline, '--data-dir', 'data')
    expect(verified.stdout).toContain('the run and the batch answer agree in every column')
    expect(verified.code).toBe(0)
  }))

describe('looking at what there is', () => {
  test('topics list and read, query: tables for people, lines of JSON for machines, limits', () =>
    inFolder(async folder => {
      const command = await started(folder)
      await command('run', 'pipeline.ts', '--until-end', '--strict')
      const list = await command('topics', 'list', '--json')
      expect(list.code).toBe(0)
      expect(Array.isArray(JSON.parse(list.stdout))).toBe(true)

      const unknown = await command('topics', 'read', 'quarter')
      expect(unknown.code).toBe(2)
      expect(unknown.stderr).toContain('TOPIC_UNKNOWN')

      const limited = await command('query', 'FROM quarters', '--limit', '2')
      expect(lines(limited.stdout)).toHaveLength(3)
      expect(limited.stderr).toContain('only the first 2 rows')
      const wrong = await command('query', 'SELECT nothing FROM quarters')
      expect(wrong.code).toBe(2)
      expect(wrong.stderr).toContain('QUERY_FAILED')
      const written = await command('query', 'DELETE FROM quarters')
      expect(written.code).not.toBe(0)
      expect(lines((await command('query', 'FROM quarters', '--json')).stdout)).toHaveLength(12)
    }))

  test('tap: the steps, the rows that pass one, and nothing is delivered', () =>
    inFolder(async folder => {
      const command = await started(folder)
      const stages = await command('tap', 'pipeline.ts', '?')
      expect(stages.code).toBe(0)
      const table = lines(stages.stdout)
        .slice(1)
        .map(line => line.split(/ {2,}/))
      expect(table.map(([, kind]) => kind)).toEqual(['read', 'filter', 'window', 'derive'])

      for (const [stage, , columns] of table) {
        const { code, stdout, stderr } = await command('tap', 'pipeline.ts', stage!, '--limit', '3', '--json')
        expect({ stage, code, stderr }).toEqual({ stage, code: 0, stderr: '' })
        expect(lines(stdout)).toHaveLength(3)
        expect(Object.keys(json(lines(stdout)[0]!)).join(', ')).toBe(columns)
      }
      const last = table.at(-1)![0]!
      const all = await command('tap', 'pipeline.ts', last, '--limit', '0')
      expect(lines(all.stdout)).toHaveLength(13)
      expect(all.stdout).toMatch(/2026-01-05T08:15:00Z/)

      const wrong = await command('tap', 'pipeline.ts', `${last.slice(0, -1)}x`)
      expect(wrong.code).toBe(2)
      expect(wrong.stderr).toContain(`did you mean ${last}?`)
      expect(existsSync(join(folder, '.millrace'))).toBe(false)
    }))

  test('verify answers 5 when nothing differs and not everything was compared', () =>
    inFolder(async folder => {
      const command = await started(folder)
      const text = readFileSync(join(folder, 'pipeline.ts'), 'utf8')
      const [first] = /warehouse\.table\('quarters'\)\.\w+\((\w+)/.exec(text)?.slice(1) ?? []
      expect(first).toBeDefined()
      writeFileSync(
        join(folder, 'pipeline.ts'),
        `const secret = (mean: number) => mean * 2\n${text.replace("warehouse.table('quarters')", `warehouse.table('secrets').appends(${first}.derive({ twice: r => secret(r.mean) }))\n  warehouse.table('quarters')`)}`,
      )
      expect((await command('run', 'pipeline.ts', '--until-end')).code).toBe(0)
      const { code, stdout } = await command('verify', 'pipeline.ts', '--json')
      expect(code).toBe(5)
      expect(json(stdout)).toMatchObject({
        agreed_rows: 24,
        differing: [],
        not_compared: [{ output: 'secrets', columns: ['twice'], reason: expect.stringContaining('secret') }],
      })
      const shown = await command('verify', 'pipeline.ts')
      expect(shown.stdout).toContain('not compared secrets (twice): ')
      expect(shown.stdout).toContain('agree in what was compared: 24 rows of 2 outputs; not everything was')
    }))

  test('verify answers 1 when what was delivered is not what the records give', () =>
    inFolder(async folder => {
      const command = await started(folder)
      await command('run', 'pipeline.ts', '--until-end')
      const text = readFileSync(join(folder, 'pipeline.ts'), 'utf8')
      // Another pipeline than the one that ran: its answer differs in each window.
      writeFileSync(
        join(folder, 'pipeline.ts'),
        text.replace("mean: average('temperature')", "mean: max('temperature')"),
      )
      const { code, stdout } = await command('verify', 'pipeline.ts', '--json')
      expect(code).toBe(1)
      expect(json(stdout)).toMatchObject({
        agreed_rows: 0,
        differing: [{ output: 'quarters', column: 'mean', rows: 12 }],
        not_compared: [],
        open_windows: 0,
      })
      const shown = await command('verify', 'pipeline.ts', '--sql')
      expect(shown.code).toBe(1)
      expect(shown.stdout).toContain('and 7 more')
      expect(shown.stdout.toLowerCase()).toContain('select')
    }))
})
