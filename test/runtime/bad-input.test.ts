/** Bad input through the whole of it: what is kept of it, where it stood, and that everything else is there. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sourceForInput } from '../../src/connectors/input.ts'
import { withScratch } from '../../src/formats/duckdb.ts'
import type { DeadLetter } from '../../src/log/dead-letter.ts'
import { readTopic } from '../../src/log/topic-store.ts'
import type { RunSummary } from '../../src/runtime/options.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { MILLRACE } from '../cli/support.ts'
import copying from './bad-input-pipeline.ts'
import { runOptions } from './runs.ts'

const PIPELINE = join(import.meta.dirname, 'bad-input-pipeline.ts')
const MEGABYTE = 1 << 20

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-bad-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const good = (id: number) => `{"id":${id},"name":"good","value":${id / 4}}`
const at = (name: string) => join(folder, name)
const dataDirectory = () => at('data')

function write(name: string, content: string | Uint8Array): string {
  writeFileSync(at(name), content)
  return at(name)
}

function run(paths: readonly string[], strict = false): Promise<RunSummary> {
  const inputs = new Map([['readings', paths.map(sourceForInput)]])
  return runPipeline(copying.plan, runOptions(dataDirectory(), { inputs, untilEnd: true, strict }))
}

/** Other inputs belong into a data directory of their own. */
const forget = () => rmSync(dataDirectory(), { recursive: true, force: true })

interface Copy {
  readonly id: number
  readonly name: string
  readonly value: number
}
const copies = () => [...readTopic(dataDirectory(), 'copies')].map(line => JSON.parse(line) as Copy)
const letters = () => [...readTopic(dataDirectory(), 'dead_letters')].map(line => JSON.parse(line) as DeadLetter)
const ids = () => copies().map(copy => copy.id)

/** Every letter's place and bytes are those of its line in the file. */
function expectTrueToFile(path: string) {
  const content = readFileSync(path)
  for (const letter of letters()) {
    expect(letter).toMatchObject({ topic: 'readings', source: path, partition: 0, arrived: null })
    const end = content.indexOf(10, letter.position)
    const line = content.subarray(letter.position, end < 0 ? content.length : end)
    expect(letter.bytes_total).toBe(line.length)
    const kept = letter.encoding === 'base64' ? Buffer.from(letter.bytes!, 'base64') : Buffer.from(letter.bytes!)
    expect(kept.equals(line.subarray(0, kept.length))).toBe(true)
    expect(kept.length).toBeGreaterThanOrEqual(Math.min(line.length, 60_000))
    if (letter.line !== undefined) {
      expect(content.subarray(0, letter.position).filter(byte => byte === 10).length + 1).toBe(letter.line)
    }
  }
}

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

/** A line, and what must be said of it. */
const BAD: Readonly<Record<string, readonly [string | Uint8Array, RegExp]>> = {
  'malformed: no colon': ['{"id" 1}', /JSON/],
  'malformed: cut off': [good(1).slice(0, -5), /JSON/],
  'malformed: a word': ['hello', /JSON/],
  'two records in one line': [good(1) + good(2), /JSON/],
  'a trailing comma': ['{"id":1,"name":"a","value":1,}', /JSON/],
  'an array': ['[1,2,3]', /expected object, received array/],
  'a number': ['17', /expected object, received number/],
  null: ['null', /expected object, received null/],
  'a text where a number belongs': ['{"id":"1","name":"a","value":1}', /^id: .*expected number, received string/],
  'a number where a text belongs': ['{"id":1,"name":2,"value":1}', /^name: .*expected string, received number/],
  'null where a number belongs': ['{"id":1,"name":"a","value":null}', /^value: .*expected number, received null/],
  'a fraction where an integer belongs': ['{"id":1.5,"name":"a","value":1}', /^id: .*expected int/],
  'a missing field': ['{"id":1,"name":"a"}', /^value: .*expected number, received undefined/],
  'nothing but braces': ['{}', /^id: .* \(and 2 more\)$/],
  'only __proto__': ['{"__proto__":{"id":1,"name":"a","value":1}}', /^id: .* \(and 2 more\)$/],
  'a field of the prototype': ['{"id":1,"name":"a","__proto__":{"value":1}}', /^value: .*received undefined/],
  '1e999': ['{"id":1,"name":"a","value":1e999}', /^value: .*expected number/],
  'nested 100,000 deep': [`{"id":1,"name":"a","value":${nested(100_000)}}`, /deeper than 1000/],
  'opened 100,000 times, never closed': ['{"a":'.repeat(100_000), /deeper than 1000/],
  'a NUL byte in a text': ['{"id":1,"name":"a\0b","value":1}', /JSON/],
  'a NUL byte between fields': ['{"id":1,\0"name":"a","value":1}', /JSON/],
  'only NUL bytes': ['\0\0\0\0', /JSON/],
  'invalid UTF-8 in a text': [Buffer.from('{"id":1,"name":"\xff","value":1}', 'latin1'), /not valid UTF-8/],
  'half of a surrogate pair': ['{"id":1,"name":"a\\ud83d","value":1}', /^name: .*not Unicode/],
  'two halves in the wrong order': ['{"id":1,"name":"\\uDE00\\uD83D","value":1}', /^name: .*not Unicode/],
  'half of a surrogate pair as a key': ['{"id":1,"name":"a","value":1,"x\\ud83d":1}', /^x\uFFFD: .*not Unicode/],
  'half of a surrogate pair in a field that nothing reads': [
    '{"id":1,"name":"a","value":1,"x":[{"y":"\\udc00"}]}',
    /^x\.0\.y: .*not Unicode/,
  ],
  'half a character': [Buffer.from('{"id":1,"name":"\xe2\x82","value":1}', 'latin1'), /not valid UTF-8/],
  'invalid UTF-8 in a field that nothing reads': [
    Buffer.from('{"id":1,"name":"a","value":1,"x":"\xff"}', 'latin1'),
    /not valid UTF-8/,
  ],
  'a leading zero': ['{"id":01,"name":"a","value":1}', /JSON/],
  'a wrong escape': ['{"id":1,"name":"\\x41","value":1}', /JSON/],
  'a record of nearly 1 MB': [`{"id":1,"name":7,"more":"${'x'.repeat(MEGABYTE - 100)}"}`, /^name: /],
}

const codeOf = (reason: RegExp) =>
  /not valid UTF-8|not Unicode/.test(reason.source) ? 'TEXT_NOT_UNICODE' : 'RECORD_INVALID'

describe('one bad line among good ones', () => {
  test.each(Object.keys(BAD))('%s', async name => {
    const [bad, reason] = BAD[name]!
    const head = Buffer.from(`${good(1)}\n${good(2)}\n`)
    const path = write('in.ndjson', Buffer.concat([head, Buffer.from(bad), Buffer.from(`\n${good(3)}\n`)]))
    const summary = await run([path])
    expect(summary.topics.find(({ topic }) => topic === 'readings')).toMatchObject({ records: 4, deadLetters: 1 })
    expect(copies()).toEqual([1, 2, 3].map(id => ({ id, name: 'good', value: id / 4 })))
    expect(letters()).toHaveLength(1)
    expect(letters()[0]).toMatchObject({ line: 3, position: head.length, code: codeOf(reason) })
    expect(letters()[0]!.reason).toMatch(reason)
    expectTrueToFile(path)
  })

  test('as the last line, without a line feed', async () => {
    const path = write('in.ndjson', `${good(1)}\n${good(2).slice(0, 20)}`)
    await run([path])
    expect(ids()).toEqual([1])
    expect(letters()).toMatchObject([{ line: 2, position: good(1).length + 1 }])
    expectTrueToFile(path)
  })
})

test('odd but right: accepted, with their own values', async () => {
  const lines = [
    '{"id":1,"name":"\\u0000\\ud83c\\udf89\\n","value":-0}',
    '{"value":1e-400,"name":"","id":2}',
    ' \t{ "id" : 3 , "name" : "\u{1F389}" , "value" : 123456789012345678 } \r',
    '{"id":4,"name":"first","value":1,"name":"last"}',
    '{"id":5,"name":"a","value":0.1,"__proto__":{"id":9},"more":[{"x":null}]}',
    '\r',
    '',
    '{"id":6.0e0,"name":"b","value":1E+2}',
  ]
  const path = write('in.ndjson', `\uFEFF${lines.join('\n')}`)
  const summary = await run([path])
  expect(summary.topics.find(({ topic }) => topic === 'readings')).toMatchObject({ records: 6, deadLetters: 0 })
  expect(copies().map(copy => [copy.id, copy.name, copy.value])).toEqual([
    [1, '\0\u{1F389}\n', 0],
    [2, '', 0],
    [3, '\u{1F389}', 123456789012345680],
    [4, 'last', 1],
    [5, 'a', 0.1],
    [6, 'b', 100],
  ])
})

test('lines are counted across chunks, blank ones and CR LF too', async () => {
  const lines = Array.from({ length: 120_000 }, (_, index) =>
    index % 9_973 === 9_972 ? `bad ${index}` : index % 1000 === 3 ? '' : index % 1000 === 4 ? '\r' : good(index),
  )
  const path = write('in.ndjson', lines.join('\n'))
  expect(readFileSync(path).length).toBeGreaterThan(4 * MEGABYTE)
  await run([path])
  const bad = lines.flatMap((line, index) => (line.startsWith('bad') ? [index + 1] : []))
  expect(letters().map(letter => letter.line)).toEqual(bad)
  expectTrueToFile(path)
  expect(ids()).toEqual(lines.flatMap((line, index) => (line.startsWith('{') ? [index] : [])))
})

test('a line of more than 1 MB is damage with its place; what stands around it is there', async () => {
  const long = `{"id":2,"name":"${'x'.repeat(3 * MEGABYTE)}","value":1}`
  const path = write('in.ndjson', `${good(1)}\n${long}\n${good(3)}\nbad\n${good(5)}\n`)
  await run([path])
  expect(ids()).toEqual([1, 3, 5])
  expect(letters()).toMatchObject([
    { code: 'SOURCE_DAMAGED', position: good(1).length + 1, source: path },
    { code: 'RECORD_INVALID', bytes: 'bad', position: good(1).length + long.length + good(3).length + 3 },
  ])
  expect(letters()[0]!.reason).toContain(`${long.length + 1} bytes`)
  expect(letters()[0]!.bytes).toBe(long.slice(0, 1024))
})

// Damage does not say how many lines it took, so lines behind one count too low: this turns red when that is mended.
test('lines behind a line of more than 1 MB keep their number', async () => {
  await run([write('in.ndjson', `${good(1)}\n"${'x'.repeat(2 * MEGABYTE)}"\n${good(3)}\nbad\n`)])
  expect(letters().at(-1)).toMatchObject({ bytes: 'bad', line: 4 })
})

describe('files that are cut off', () => {
  const count = 50_000
  const text = Array.from({ length: count }, (_, index) => good(index)).join('\n')

  test.each([
    ['in.ndjson.gz', gzipSync(text), /gzip file is damaged or cut off/],
    ['in.ndjson.zst', zstdCompressSync(text), /zstd file is damaged or cut off/],
  ])(
    '%s: what came before is there, the damage is kept, and the file beside it is read',
    async (name, packed, reason) => {
      const path = write(name, packed.subarray(0, Math.floor(packed.length / 2)))
      const other = write('other.ndjson', `${good(count)}\n`)
      await run([path, other])
      const found = ids().filter(id => id !== count)
      expect(ids()).toContain(count)
      expect(found).toEqual(found.map((_, index) => index))
      expect(found.length).toBeGreaterThan(count / 10)
      expect(found.length).toBeLessThan(count)
      expect(letters()).toMatchObject([{ code: 'SOURCE_DAMAGED', source: path }])
      expect(letters()[0]!.reason).toMatch(reason)
    },
  )

  test.each([0.3, 0.99])('Parquet cut at %d of its length', async part => {
    const path = at('in.parquet')
    await withScratch(connection =>
      connection.run(
        `COPY (SELECT i AS id, 'good' AS name, i / 4 AS value FROM range(20000) r(i)) TO '${path}' (FORMAT parquet)`,
      ),
    )
    truncateSync(path, Math.floor(readFileSync(path).length * part))
    await run([path, write('other.ndjson', `${good(1)}\n`)])
    expect(ids()).toEqual([1])
    expect(letters()).toMatchObject([{ code: 'SOURCE_DAMAGED', source: path }])
    expect(letters()[0]!.reason).toMatch(/Parquet file is damaged or cut off/)
  })

  test('a gzip file that is no gzip file', async () => {
    const path = write('in.ndjson.gz', text.slice(0, 1000))
    await run([path])
    expect(ids()).toEqual([])
    expect(letters()).toMatchObject([{ code: 'SOURCE_DAMAGED', position: 0 }])
  })
})

test('an empty file, and one of line feeds alone, are no records', async () => {
  const summary = await run([
    write('empty.ndjson', ''),
    write('feeds.ndjson', '\n\n\r\n'),
    write('one.ndjson', good(7)),
  ])
  expect(summary.topics.find(({ topic }) => topic === 'readings')).toMatchObject({ records: 1, deadLetters: 0 })
  expect(ids()).toEqual([7])
})

test('a missing file and a folder stop the run, and say which', async () => {
  await expect(run([at('missing.ndjson')])).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  await expect(run([at('missing.ndjson')])).rejects.toThrow(at('missing.ndjson'))
  forget()
  mkdirSync(at('folder'))
  await expect(run([at('folder')])).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  await expect(run([at('folder')])).rejects.toThrow(at('folder'))
})

// The output is claimed for its inputs before they are opened: this turns red when that is mended.
test('a run that is run again keeps no refusal twice', async () => {
  const path = write('in.ndjson', `${good(1)}\nnot json\n${good(2)}\n{"id":"three"}\n`)
  await run([path])
  const first = letters()
  expect(first).toHaveLength(2)
  await run([path])
  expect(letters()).toEqual(first)
  expect(ids()).toEqual([1, 2])
})

test('after a mistyped path the right one is taken', async () => {
  await expect(run([at('mistyped.ndjson')])).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  await run([write('right.ndjson', `${good(1)}\n`)])
})

test('strict: the first bad line stops the run with its place', async () => {
  const path = write('in.ndjson', `${good(1)}\n${good(2)}\n{"id":3}\nbad\n`)
  await expect(run([path], true)).rejects.toMatchObject({ code: 'RECORD_INVALID' })
  await expect(run([path], true)).rejects.toThrow(`${path}:3`)
})

/** Runs the command in a process of its own, with the most memory that it had (in MB) read at its end. */
function command(
  ...words: string[]
): Promise<{ code: number | null; stdout: string; stderr: string; memory_mb: number }> {
  const report = at('memory.txt')
  const hook = write(
    'memory.mjs',
    `import { writeFileSync } from 'node:fs'
process.on('exit', () => writeFileSync(${JSON.stringify(report)}, String(process.resourceUsage().maxRSS / 1024)))`,
  )
  const child = spawn(process.execPath, ['--import', hook, MILLRACE, ...words], {
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, NODE_OPTIONS: undefined },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (bytes: Buffer) => (output.stdout += bytes))
  child.stderr.on('data', (bytes: Buffer) => (output.stderr += bytes))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve({ code, ...output, memory_mb: Number(readFileSync(report, 'utf8')) }))
  })
}

const runCommand = (path: string, ...more: string[]) =>
  command('run', PIPELINE, '--until-end', '--data-dir', dataDirectory(), '--input', `readings=${path}`, ...more)

describe('the command', { timeout: 60_000 }, () => {
  test('bad lines are no failure: exit code 0, counted, kept', async () => {
    const path = write('in.ndjson', `${good(1)}\nbad\n${good(3)}\n`)
    const { code, stdout } = await runCommand(path, '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout).topics).toContainEqual(
      expect.objectContaining({ topic: 'readings', records: 3, deadLetters: 1 }),
    )
    expect(ids()).toEqual([1, 3])
  })

  test('--strict: exit code 3 and the place', async () => {
    const path = write('in.ndjson', `${good(1)}\nbad\n${good(3)}\nworse\n`)
    const { code, stderr } = await runCommand(path, '--strict')
    expect(code).toBe(3)
    expect(stderr).toContain('RECORD_INVALID')
    expect(stderr).toContain(`in.ndjson:2`)
    expect(stderr).not.toContain('worse')
  })

  test('a missing file and a folder: exit code 4', async () => {
    const missing = await runCommand(at('missing.ndjson'))
    expect(missing).toMatchObject({ code: 4 })
    expect(missing.stderr).toMatch(/FILE_UNREADABLE.*missing\.ndjson/)
    forget()
    mkdirSync(at('folder'))
    expect(await runCommand(at('folder'))).toMatchObject({ code: 4, stderr: expect.stringContaining('is a folder') })
  })

  test.each(['in.ndjson', 'in.ndjson.gz'])('%s with a line of 100 MB: memory stays bounded', async name => {
    const plain = Buffer.concat([
      Buffer.from(`${good(1)}\n{"id":2,"name":"`),
      Buffer.alloc(100 * MEGABYTE, 'x'),
      Buffer.from(`","value":1}\n${good(3)}\nbad\n${good(5)}`),
    ])
    const path = write(name, name.endsWith('.gz') ? gzipSync(plain, { level: 1 }) : plain)
    const { code, memory_mb } = await runCommand(path)
    expect(code).toBe(0)
    expect(ids()).toEqual([1, 3, 5])
    expect(letters()).toMatchObject([
      { code: 'SOURCE_DAMAGED', position: good(1).length + 1 },
      { code: 'RECORD_INVALID', bytes: 'bad' },
    ])
    expect(memory_mb).toBeGreaterThan(0)
    expect(memory_mb).toBeLessThan(400)
  })
})
