import { spawn } from 'node:child_process'
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { STEPS } from '../../src/cli/load-pipeline.ts'
import { Stream } from '../../src/pipeline/stream.ts'
import { inFolder, MILLRACE, millrace, ROOT, start } from './support.ts'

const version = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version

describe('help', () => {
  test('--version', async () => {
    expect(await millrace(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  test.each([[[]], [['--help']], [['help']]])('%j lists the commands and the exit codes', async words => {
    const { code, stdout, stderr } = await millrace(words)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^ {2}simulate phones {2}/m)
    expect(stdout).toMatch(/^ {2}70 {2}/m)
  })

  test('--help anywhere after a command explains it, whatever else is wrong', async () => {
    const { code, stdout } = await millrace(['run', '--nonsense', '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('--until-end')
    expect(stdout).toContain('millrace run pipeline.ts --input readings=export.ndjson --until-end')
  })

  test('a group lists its commands', async () => {
    const { code, stdout } = await millrace(['topics', '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('topics read TOPIC')
    expect(stdout).not.toContain('simulate')
  })
})

describe('a wrong command line: exit code 2, the nearest right word, and what to do next', () => {
  test.each([
    [['verfy', 'x.ts'], "There is no command 'verfy'; did you mean verify?"],
    [['nonsense'], 'there are: run, check, plan'],
    [['--verison'], 'did you mean --version?'],
    [['topics', 'raed', 'x'], 'did you mean topics read?'],
    [['topics'], 'millrace topics list, millrace topics read'],
    [['run', 'x.ts', '--untill-end'], 'did you mean --until-end?'],
    [['run', 'x.ts', '--workers', '9999'], "--workers needs a whole number from 1 to 64, not '9999'"],
    [['run', 'missing.ts'], 'There is no file missing.ts.'],
    [['run', 'examples'], 'examples is a folder, not a pipeline file.'],
    [['topics', 'list', '--data-dir', '/nowhere/at/all'], 'There is no data directory /nowhere/at/all.'],
    [['simulate', 'phones', '--faults', 'offlne'], 'did you mean offline?'],
    [['simulate', 'phones', '--start', 'soon'], '--start needs a time'],
  ])('%j', async (words, message) => {
    const { code, stdout, stderr } = await millrace(words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/^ {2}next: /m)
    expect(stderr).not.toMatch(/^ +at .*\(/m)
  })
})

const withStep = (step: string) => `import { pipeline, topic } from 'millrace'
import { z } from 'zod'
const t = topic('t', z.object({ a: z.string() }))
export default pipeline('p', ({ from }) => void from(t).${step}(t))
`

test('the steps that are named to a user are those of a stream', () => {
  expect(Object.getOwnPropertyNames(Stream.prototype).filter(name => name !== 'constructor')).toEqual(STEPS)
})

describe('a wrong pipeline file: exit code 3 and the place', () => {
  test.each([
    ['export default 3\n', /has no pipeline as its default export/],
    ["export const one = { plan: { kind: 'plan' } }\n", /exports the pipeline one by name/],
    ["import { pipeline } from 'millrace'\nexport default pipeline(\n", /pipeline\.ts:\d/],
    ['await new Promise(() => {})\n', /pipeline\.ts waits at its top level/],
    ['\n\nthrow new Error("boom")\n', /pipeline\.ts:3:7: boom/],
    ["import { pipelin } from 'millrace'\n", /pipelin/],
    ["import nothing from './nothing.ts'\n", /nothing\.ts/],
    [withStep('filtr'), /filtr is not a function; did you mean filter\?/],
    [withStep('join'), /join is not a function; the steps of a stream are filter, require, derive, /],
  ])('%j', (text, message) =>
    inFolder(async folder => {
      writeFileSync(join(folder, 'pipeline.ts'), text)
      const { code, stderr } = await millrace(['plan', 'pipeline.ts'], { cwd: folder })
      expect(stderr).toMatch(message)
      expect(stderr).toMatch(/^PIPELINE_INVALID: /)
      expect(stderr).not.toMatch(/^ {4}at /m)
      expect(code).toBe(3)
      const debug = await millrace(['plan', 'pipeline.ts'], { cwd: folder, env: { MILLRACE_DEBUG: '1' } })
      expect(debug.stderr).toMatch(/^ {4}at /m)
    }),
  )
})

describe('streams and signals', () => {
  test('a reader that goes away ends the command quietly', async () => {
    const { child, result } = start(['simulate', 'phones', '--for', '1h'])
    child.stdout?.once('data', () => child.stdout?.destroy())
    expect(await result).toMatchObject({ code: 0, stderr: '' })
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('%s stops what would go on for ever', async signal => {
    const { child, result, said } = start(['simulate', 'phones', '--rate', 'realtime', '--people', '1'])
    await said('\n')
    child.kill(signal)
    const { code, stdout, stderr } = await result
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.endsWith('}}\n')).toBe(true)
  })

  test('the phones end when the process that started them is gone', async () => {
    const child = spawn(process.execPath, [MILLRACE, 'simulate', 'phones', '--rate', 'realtime'], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    child.disconnect()
    expect(await new Promise(resolve => child.on('exit', resolve))).toBe(0)
  })
})

test('simulate phones: the same seed gives the same bytes, in a file as on stdout', () =>
  inFolder(async folder => {
    const words = ['simulate', 'phones', '--people', '2', '--for', '2s', '--seed', '9', '--faults', 'all']
    const path = join(folder, 'new', 'phones.ndjson')
    const first = await millrace(words)
    const second = await millrace([...words, '--output', path])
    expect(first.code).toBe(0)
    expect(second).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(readFileSync(path, 'utf8')).toBe(first.stdout)
    expect(first.stdout.split('\n').length).toBeGreaterThan(2 * 2 * 150)
  }))

describe('an input that cannot be read is named', () => {
  test.each([
    ['loop.ndjson', 'Cannot read loop.ndjson: '],
    ['gone.ndjson', 'gone.ndjson is a link to something that is not there.'],
    ['plain', 'The name of plain does not say what format it has.'],
    ['readings.ndjson/x.ndjson', 'There is no folder readings.ndjson'],
  ])('%s', (input, message) =>
    inFolder(async folder => {
      await millrace(['init', folder])
      symlinkSync('loop.ndjson', join(folder, 'loop.ndjson'))
      symlinkSync('nowhere.ndjson', join(folder, 'gone.ndjson'))
      writeFileSync(join(folder, 'plain'), '')
      const words = ['run', 'pipeline.ts', '--until-end', '--input', `readings=${input}`]
      const { code, stderr } = await millrace(words, { cwd: folder })
      expect(stderr).toContain(message)
      expect(stderr).not.toMatch(/^INTERNAL|^ +at .*\(/m)
      expect(code).toBe(input === 'plain' ? 2 : 4)
    }),
  )

  test('a data directory where none can be made', () =>
    inFolder(async folder => {
      await millrace(['init', folder])
      const words = ['run', 'pipeline.ts', '--until-end', '--data-dir']
      for (const place of ['/proc/x', 'readings.ndjson', 'readings.ndjson/x']) {
        const { code, stderr } = await millrace([...words, place], { cwd: folder })
        expect(stderr).toMatch(/^FILE_UNWRITABLE: .*(\/proc\/x|readings\.ndjson)/)
        expect(code).toBe(4)
      }
    }))
})
