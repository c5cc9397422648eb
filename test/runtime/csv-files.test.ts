/** CSV files through whole runs: options, headers that do not fit, rows that are refused, and going on in the middle. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type FileOptions, file } from '../../src/connectors/file/index.ts'
import { sourceInPlaceOf } from '../../src/connectors/input.ts'
import { sensorLogger } from '../../src/connectors/sensor-logger/index.ts'
import { decimal, pipeline, timestamp, topic } from '../../src/index.ts'
import type { DeadLetter } from '../../src/log/dead-letter.ts'
import { readTopic } from '../../src/log/topic-store.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { verifyPipeline } from '../../src/verify/verify.ts'
import { runOptions } from './runs.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-csv-run-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const TIME = 1698501145514
const readings = topic(
  'readings',
  z.object({
    device: z.string(),
    time: timestamp('ms'),
    level: z.number().nullish(),
    note: z.string().nullish(),
    unit: z.string().default('cm'),
  }),
  { key: 'device', eventTime: { field: 'time' } },
)

const write = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

const lettersOf = (dataDirectory: string) =>
  [...readTopic(dataDirectory, 'dead_letters')].map(line => JSON.parse(line) as DeadLetter)

async function run(path: string, options: Partial<FileOptions> = {}) {
  const { plan } = pipeline('csv', ({ ingest, from }) => {
    ingest(file({ path, ...options } as FileOptions), readings)
    from(readings).to(topic('copies'))
  })
  const dataDirectory = join(folder, 'data')
  const summary = await runPipeline(plan, runOptions(dataDirectory, { untilEnd: true }))
  const rows = [...readTopic(dataDirectory, 'copies')].map(line => JSON.parse(line))
  const refused = summary.topics.some(({ deadLetters }) => deadLetters > 0)
  const letters = refused ? lettersOf(dataDirectory) : []
  return { rows, letters, warnings: summary.warnings }
}

const row = (device: string, level: number | null = 1, note: string | null = null) => ({
  device,
  time: new Date(TIME).toISOString(),
  level,
  note,
  unit: 'cm',
})

test('rows that are refused say in which line of the file they stand', async () => {
  const path = write(
    'lines.csv',
    `exported today\ndevice,time,level,note\na,${TIME},1,"two\nlines"\n\nb,${TIME},x,\nc,${TIME}\nd,${TIME},1,\ne,no time,1,\n`,
  )
  const { rows, letters } = await run(path, { skipLines: 1 })
  expect(rows.map(({ device }) => device)).toEqual(['a', 'd'])
  expect(letters.map(({ line, code }) => [line, code])).toEqual([
    [6, 'RECORD_INVALID'],
    [7, 'RECORD_INVALID'],
    [9, 'RECORD_INVALID'],
  ])
})

test('bytes that are not UTF-8 refuse their row, with these bytes, unless the encoding says otherwise', async () => {
  const content = Buffer.from(`device,time,level,note\nZ\xfcrich,${TIME},1,21\xb0C\nb,${TIME},1,\n`, 'latin1')
  const path = write('latin1.csv', content)
  const { rows, letters } = await run(path)
  expect(rows.map(({ device }) => device)).toEqual(['b'])
  expect(letters).toMatchObject([{ line: 2, code: 'TEXT_NOT_UNICODE', encoding: 'base64' }])
  expect(Buffer.from(letters[0]!.bytes!, 'base64').toString('latin1')).toBe(`Z\xfcrich,${TIME},1,21\xb0C`)
  rmSync(join(folder, 'data'), { recursive: true })
  const read = await run(path, { encoding: 'latin1' })
  expect(read.rows).toMatchObject([{ device: 'Zürich', note: '21°C' }, { device: 'b' }])
  expect(read.letters).toEqual([])
})

test.each(['utf-16le', 'utf-16be'] as const)('%s, with half a character in one row', async encoding => {
  const text = `\uFEFFdevice,time,level,note\r\nZürich 🎉,${TIME},1,x\r\nb,${TIME},2,\ud83d\r\nc,${TIME},3,\r\n`
  const units = Buffer.from(text, 'utf16le')
  const path = write('wide.csv', encoding === 'utf-16be' ? units.swap16() : units)
  const { rows, letters } = await run(path, { encoding })
  expect(rows.map(({ device }) => device)).toEqual(['Zürich 🎉', 'c'])
  expect(letters).toMatchObject([{ line: 3, code: 'TEXT_NOT_UNICODE' }])
  const kept = Buffer.from(letters[0]!.bytes!, 'base64')
  expect((encoding === 'utf-16be' ? kept.swap16() : kept).toString('utf16le')).toBe(`b,${TIME},2,\ud83d`)
})

test('a row with a wrong number of cells is one record, rejected; verify goes on', async () => {
  const good = (n: number) => `d${n},${TIME + n},1,,cm\n`
  const header = 'device,time,level,note,unit\n'
  const path = write('in.csv', `${header}${good(1)}${good(2).trimEnd()},\n${good(3)}x,1\n${good(4)}`)
  const { plan } = pipeline('csv', ({ ingest, from, warehouse }) => {
    ingest(file({ path }), readings)
    warehouse.table('ROWS').appends(from(readings))
  })
  const dataDirectory = join(folder, 'data')
  const summary = await runPipeline(plan, runOptions(dataDirectory, { untilEnd: true }))
  expect(summary.topics).toMatchObject([{ records: 5, rejected: 2, deadLetters: 2 }])
  expect(lettersOf(dataDirectory)).toMatchObject([
    { code: 'RECORD_INVALID', line: 3, reason: 'the row has 6 cells, the header 5' },
    { code: 'RECORD_INVALID', line: 5, reason: 'the row has 2 cells, the header 5' },
  ])
  const { outputs } = await verifyPipeline(plan, { dataDirectory })
  expect(outputs).toMatchObject([{ rows: 3, agreed: 3, missing: [], unexpected: [] }])
})

test('the same file twice is refused, however it is written', async () => {
  const path = write('in.csv', 'device,time\na,1\n')
  for (const other of [path, join(folder, '*.csv'), `${folder}/./in.csv`]) {
    const { plan } = pipeline('csv', ({ ingest, from }) => {
      ingest(file({ path }), readings)
      ingest(file({ path: other }), readings)
      from(readings).to(topic('copies'))
    })
    const failing = runPipeline(plan, runOptions(join(folder, 'data'), { untilEnd: true }))
    await expect(failing).rejects.toMatchObject({ code: 'OPTION_INVALID', message: expect.stringContaining('twice') })
  }
})

test('numbers keep their digits', async () => {
  const path = write('in.csv', 'id,price\n9007199254740993,12345678901234.5678\n')
  const exact = topic('exact', z.object({ id: z.int64(), price: decimal(18, 4) }))
  const { plan } = pipeline('csv', ({ ingest, from }) => {
    ingest(file({ path }), exact)
    from(exact).to(topic('copies'))
  })
  await runPipeline(plan, runOptions(join(folder, 'data'), { untilEnd: true }))
  expect([...readTopic(join(folder, 'data'), 'copies')]).toEqual([
    '{"id":9007199254740993,"price":12345678901234.5678}',
  ])
})

test('decimal commas, words for null, and names for a file without a header', async () => {
  const path = write('other.csv', `a;${TIME};1,5;NA\nb;${TIME};n/a;"NA"\nc;${TIME};-;1.5\nd;${TIME};1.500;x\n`)
  const { rows, letters } = await run(path, {
    delimiter: ';',
    decimal: ',',
    nulls: ['NA', 'n/a', '-'],
    header: false,
    columns: ['device', 'time', 'level', 'note'],
  })
  expect(rows).toEqual([row('a', 1.5), row('b', null, 'NA'), row('c', null, '1.5')])
  expect(letters).toMatchObject([{ line: 4, code: 'RECORD_INVALID', reason: expect.stringContaining('level') }])
})

test('a time whose pattern is of digits alone is a text', async () => {
  const path = write('digits.csv', 'at\n20231028135225\n')
  const { plan } = pipeline('digits', ({ ingest, from }) => {
    const times = topic('times', z.object({ at: timestamp('yyyyMMddHHmmss', { zone: 'UTC' }) }))
    ingest(file({ path }), times)
    from(times).to(topic('copies'))
  })
  const dataDirectory = join(folder, 'data')
  await runPipeline(plan, runOptions(dataDirectory, { untilEnd: true }))
  expect([...readTopic(dataDirectory, 'copies')].map(line => JSON.parse(line))).toEqual([
    { at: '2023-10-28T13:52:25.000Z' },
  ])
})

describe('a header that does not fit', () => {
  const fails = async (
    content: string | Uint8Array,
    message: RegExp,
    next: RegExp,
    options: Partial<FileOptions> = {},
  ) => {
    const failure = await run(write('x.csv', content), options).then(
      () => null,
      error => error,
    )
    expect(failure).toMatchObject({ code: 'HEADER_MISMATCH' })
    expect(failure.message).toMatch(message)
    expect(failure.next).toMatch(next)
  }

  test('stops the run before a row is read: a required column is missing', async () => {
    await fails(
      `devise,time,level\na,${TIME},1\n`,
      /lacks device \(it has "devise"\), which topic readings requires/,
      /names/,
    )
  })
  test('another delimiter is recognised', async () => {
    await fails(`device;time;level;note\na;${TIME};5;x\n`, /separated by ';'/, /delimiter: ';'/)
    await fails(`device\ttime\na\t${TIME}\n`, /separated by tabs/, /delimiter: '\\t'/)
  })
  test('what is no CSV is called by its name', async () => {
    await fails(gzipSync('device,time\na,1\n'), /packed with gzip/, /compression: 'gzip'/)
    await fails(`{"device":"a","time":${TIME}}\n`, /looks like JSON/, /format: 'ndjson'/)
  })
  test('so is a first line that is a row', async () => {
    await fails(`a,${TIME},1,x\nb,${TIME},2,y\n`, /looks like a row/, /header: false/)
  })
  test('a column stands there twice', async () => {
    await fails(`device,time,level,level\na,${TIME},1,100\n`, /has level more than once/, /name of its own/)
  })
  test('it is not text in the encoding', async () => {
    await fails(Buffer.from('device,time,n\xf6te\n', 'latin1'), /not text in utf-8/, /windows-1252/)
    await fails(Buffer.from('\uFEFFdevice,time\n', 'utf16le'), /cannot be read/, /utf-16le/)
  })
  test('what may be missing, and what no column is, is warned of once a file', async () => {
    const { rows, warnings } = await run(
      write('y.csv', `device,time,Level,note,mood\na,${TIME},5,,x\nb,${TIME},6,,y\n`),
    )
    expect(rows).toEqual([row('a', null), row('b', null)])
    expect(warnings.map(({ code }) => code)).toEqual(['HEADER_MISMATCH', 'HEADER_MISMATCH'])
    expect(warnings[0]!.message).toMatch(/lacks level \(it has "Level"\), unit: null in every row/)
    expect(warnings[1]!.message).toMatch(/has Level, mood, which are no columns of topic readings/)
  })
})

describe('--input keeps the options of the source that it replaces', () => {
  const declared = [
    file({ path: 'a.csv', delimiter: ';', compression: 'gzip' }),
    file({ path: 'b.dat', format: 'ndjson' }),
  ]
  test('of the same format', () => {
    expect(sourceInPlaceOf(declared, 'c.csv').options).toEqual({ path: 'c.csv', delimiter: ';' })
    expect(sourceInPlaceOf(declared, 'c.jsonl').options).toEqual({ path: 'c.jsonl', format: 'ndjson' })
    expect(sourceInPlaceOf(declared, 'c.dat').options).toEqual({ path: 'c.dat', format: 'ndjson' })
    expect(sourceInPlaceOf(declared, 'c.parquet').options).toEqual({ path: 'c.parquet' })
    expect(sourceInPlaceOf([sensorLogger({ userId: 'ann' })], 'c.zip').options).toEqual({
      export: 'c.zip',
      userId: 'ann',
    })
  })
})

test('options of CSV are refused where they mean nothing', () => {
  expect(() => file({ path: 'x.csv', header: false })).toThrow(/name the columns/)
  expect(() => file({ path: 'x.csv', columns: ['a'] })).toThrow(/header: false/)
  expect(() => file({ path: 'x.csv', header: false, columns: ['a', 'a'] })).toThrow(/twice/)
  expect(() => file({ path: 'x.csv', delimiter: '"' })).toThrow(/delimiter/)
  expect(() => file({ path: 'x.csv', encoding: 'utf-7' as 'utf-8' })).toThrow(/encoding/)
  expect(() => file({ path: 'x', format: 'ndjson', nulls: ['NA'] })).toThrow(/it is for CSV/)
})

test.each(['rows.csv', 'rows.csv.gz'])(
  '%s, stopped again and again, goes on where it stood: each row once',
  async name => {
    const lines = Array.from({ length: 60_000 }, (_, n) =>
      n % 997 === 0 ? `broken ${n}` : `d${n},${TIME + n},${n},${n % 89 === 0 ? '"two\nlines"' : 'ü'}`,
    )
    const text = `device,time,level,note\n${lines.join('\n')}\n`
    const path = write(name, name.endsWith('.gz') ? gzipSync(text) : text)
    const { plan } = pipeline('csv', ({ ingest, from }) => {
      ingest(file({ path }), readings)
      from(readings).to(topic('copies'))
    })
    const dataDirectory = join(folder, 'data')
    let stops = 0
    for (let reason = ''; reason !== 'ended'; stops++) {
      const stop = new AbortController()
      let records = 0
      const summary = await runPipeline(
        plan,
        runOptions(dataDirectory, {
          untilEnd: true,
          signal: stop.signal,
          taps: new Map(
            plan.produces.map(({ stream }) => [
              stream.identity,
              (batch: { length: number }) => {
                records += batch.length
                if (records > 9000) stop.abort()
              },
            ]),
          ),
        }),
      )
      reason = summary.reason
    }
    expect(stops).toBeGreaterThan(3)
    const levels = [...readTopic(dataDirectory, 'copies')].map(line => JSON.parse(line).level)
    expect(levels).toEqual(lines.flatMap((_, n) => (n % 997 === 0 ? [] : [n])))
    const letters = [...readTopic(dataDirectory, 'dead_letters')].map(line => JSON.parse(line) as DeadLetter)
    expect(letters.map(({ bytes }) => bytes)).toEqual(lines.filter((_, n) => n % 997 === 0))
    for (const { line, bytes } of letters) expect(text.split('\n')[line! - 1]).toBe(bytes)
  },
)
