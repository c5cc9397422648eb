import { spawn } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadSink, loadSource, type SplittableSource } from '../../src/connectors/contract.ts'
import { file } from '../../src/connectors/file/index.ts'
import { PlainReader } from '../../src/connectors/file/plain.ts'
import { FileSource } from '../../src/connectors/file/source.ts'
import { sourceForInput } from '../../src/connectors/input.ts'
import { sensorLogger } from '../../src/connectors/sensor-logger/index.ts'
import { csvRows } from '../../src/formats/csv/rows.ts'
import { elementsAsLines } from '../../src/formats/json-array.ts'
import { Damaged, type ResumePoint } from '../../src/formats/lines.ts'
import type { Column } from '../../src/plan/schema.ts'
import { type Clock, systemClock } from '../../src/system/clock.ts'
import { contextOf, readAll } from '../conformance/source.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-file-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, content: string | Uint8Array) => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
const read = (path: string, columns: readonly Column[] = [], limit = 64 * 1024) =>
  readAll(file({ path }), contextOf(columns, { maximumChunkBytes: limit }))
const column = (name: string, type: Column['type']): Column => ({ name, type, nullable: true })

describe('options', () => {
  test('name the nearest right one', () => {
    expect(() => file({ path: 'x.csv', delimeter: ';' } as never)).toThrow(/"delimeter"; did you mean "delimiter"\?/)
    expect(() => file({ path: 'x.csv', format: 'xml' as never })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    )
    expect(() => sensorLogger({ exports: 'x.zip' } as never)).toThrow(/did you mean "export"\?/)
  })

  test('say what is missing, by name', async () => {
    write('readings.ndjson', '')
    const open = (path: string) => read(join(folder, path))
    await expect(open('reading.ndjson')).rejects.toThrow(/Did you mean .*readings\.ndjson\?/)
    await expect(open('nowhere/x.ndjson')).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    await expect(open('*.csv')).rejects.toThrow(/No file matches/)
    await expect(read(folder)).rejects.toThrow(/is a folder/)
    write('data.xyz', '')
    await expect(open('data.xyz')).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(loadSink(file({ path: 'x.ndjson.gz' }))).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(loadSink(file({ path: 'x.json' }))).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(
      (await loadSource(sensorLogger({ path: '/sensor-logger' }))).open(contextOf([])),
    ).rejects.toMatchObject({ code: 'INPUT_MISSING' })
  })
})

test('inputs are recognised by what they hold', () => {
  const connector = (name: string, content = '') => sourceForInput(write(name, content)).connector
  expect(connector('export.zip')).toBe('sensor-logger')
  expect(connector('a.json', ' [{"time":"1","sensor":"Location"}]')).toBe('sensor-logger')
  expect(connector('b.json', '[{"sensor_id":1}]')).toBe('file')
  expect(connector('c.json', '[{"a":{"sensor":"x"}}]')).toBe('file')
  expect(connector('d.ndjson', '{"sensor":"x"}')).toBe('file')
  expect(sourceForInput(join(folder, 'missing.json')).connector).toBe('file')
  mkdirSync(join(folder, 'folder'))
  expect(sourceForInput(join(folder, 'folder')).connector).toBe('file')
  write('folder/Metadata.csv', '')
  expect(sourceForInput(join(folder, 'folder')).connector).toBe('sensor-logger')
})

describe('plain lines', () => {
  test('a line of 20 MB is one damage with its first bytes; memory stays small', async () => {
    const path = write('long.ndjson', `{"a":1}\n${'x'.repeat(20_000_000)}\n{"a":2}\n`)
    const reading = await read(path)
    expect(reading.records).toEqual([[{ a: 1 }, { a: 2 }]])
    expect(reading.damages).toMatchObject([
      { position: 8, reason: expect.stringContaining('20000001 bytes'), bytesTotal: 20_000_001 },
    ])
    expect(reading.damages[0]!.bytes!.length).toBe(1024)
    const packed = await read(write('long.ndjson.gz', gzipSync(`{"a":1}\n${'x'.repeat(20_000_000)}\n{"a":2}\n`)))
    expect(packed.records).toEqual(reading.records)
    expect(packed.damages).toEqual(reading.damages)
  })

  test('a byte order mark is no part of the first record; empty files only end', async () => {
    expect((await read(write('bom.ndjson', '\uFEFF{"a":1}'))).records).toEqual([[{ a: 1 }]])
    for (const name of ['e.ndjson', 'e.json', 'e.csv']) expect((await read(write(name, ''))).records).toEqual([[]])
  })

  test('any content comes out unchanged, whatever the size of a chunk', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom('a', '"', '{', '\r', 'é') }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 40 }),
        async (lines, limit) => {
          const content = lines.join('\n')
          const path = write('any.ndjson', content)
          const source = await loadSource(file({ path }))
          await source.open(contextOf([], { maximumChunkBytes: limit }))
          const parts: string[] = []
          for (;;) {
            const event = await source.read()
            if (event === null) break
            if (event.kind === 'records') parts.push(Buffer.from(event.bytes).toString())
          }
          await source.close()
          const kept = (text: string, last: boolean) => Buffer.byteLength(text) + (last ? 0 : 1) <= limit
          const expected = lines.filter((line, index) => kept(line, index === lines.length - 1))
          expect(parts.join('').split('\n').filter(Boolean)).toEqual(expected.filter(Boolean))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('offers its ranges to workers only when all files are plain lines', async () => {
    const open = async (path: string) => {
      const source = (await loadSource(file({ path }))) as SplittableSource
      await source.open(contextOf([]))
      return source.plainFiles()
    }
    const a = write('a.ndjson', '{}\n')
    const b = write('b.json', '{"x":1}\n{"x":2}\n')
    expect(await open(join(folder, '*'))).toEqual([
      { path: a, bytes: 3 },
      { path: b, bytes: 16 },
    ])
    write('c.csv', 'a\n1\n')
    expect(await open(join(folder, '*'))).toBeNull()
  })

  test('many files are read in turns, each once', async () => {
    for (let number = 0; number < 150; number++)
      write(`part-${String(number).padStart(3, '0')}.ndjson`, `{"n":${number}}`)
    const reading = await read(join(folder, 'part-*.ndjson'))
    expect(reading.records).toEqual(Array.from({ length: 150 }, (_, n) => [{ n }]))
  })
})

describe('files that are followed', () => {
  /** A second passes with each look at the clock. */
  const ticking = (): Clock => {
    let now_ms = 0
    return { now: () => 7, monotonic_ms: () => (now_ms += 1000), sleep: async () => {} }
  }
  const follow = async (
    path: string,
    from: ReadonlyMap<string, ResumePoint> = new Map(),
    columns: readonly Column[] = [],
  ) => {
    const source = new FileSource({ path }, ticking())
    const infos = [...(await source.open(contextOf(columns, { untilEnd: false, from })))]
    const kept = new Map<string, ResumePoint>()
    /** What is said until nothing is new, three looks in a row. */
    const settle = async () => {
      const said: string[] = []
      for (let idle = 0; idle < 3; ) {
        const event = await source.read()
        if (event === null) break
        idle = event.kind === 'idle' ? idle + 1 : 0
        if (event.kind === 'idle') continue
        if (event.kind === 'assigned') infos.push(event.info)
        const info = infos[event.partition]!
        const name = info.name.slice(folder.length + 1)
        if (event.kind === 'records') {
          said.push(`${name} ${event.position}: ${Buffer.from(event.bytes).toString().trim()}`)
          const position = event.position + event.bytes.length
          const fingerprint = event.fingerprint ?? kept.get(info.name)?.fingerprint ?? info.fingerprint!
          kept.set(info.name, { position, lines: 0, anchor: null, fingerprint })
        } else if (event.kind === 'damaged') said.push(`${name}: ${event.code ?? ''} ${event.reason}`)
        else said.push(`${name} ${event.kind}`)
      }
      return said
    }
    return { settle, kept, close: () => source.close() }
  }
  const lost = (name: string, byte: number, what: RegExp) =>
    expect.stringMatching(new RegExp(`^${name}: FILE_UNREADABLE .*${what.source}.* as far as byte ${byte};`))

  test('one that is cut, or replaced, goes on as another partition, from its start', async () => {
    const path = write('grows.ndjson', '{"n":1}\n{"n":2}\n')
    const { settle, close } = await follow(path)
    expect(await settle()).toEqual(['grows.ndjson 0: {"n":1}\n{"n":2}'])
    truncateSync(path, 0)
    appendFileSync(path, '{"n":3}\n')
    expect(await settle()).toEqual([
      lost('grows.ndjson', 16, /it was cut/),
      'grows.ndjson end',
      'grows.ndjson#2 assigned',
      'grows.ndjson#2 0: {"n":3}',
    ])
    appendFileSync(path, '{"n":4}')
    expect(await settle()).toEqual([])
    const other = write('other', '{"n":5}\n')
    renameSync(path, join(folder, 'rotated'))
    expect(await settle()).toEqual([])
    renameSync(other, path)
    expect(await settle()).toEqual([
      'grows.ndjson#2 8: {"n":4}',
      lost('grows.ndjson#2', 15, /another file/),
      'grows.ndjson#2 end',
      'grows.ndjson#3 assigned',
      'grows.ndjson#3 0: {"n":5}',
    ])
    await close()
  })

  test('one that was cut and has grown past where it was is noticed, at work and after a stop', async () => {
    const path = write('grows.ndjson', '{"n":1}\n')
    const first = await follow(path)
    expect(await first.settle()).toEqual(['grows.ndjson 0: {"n":1}'])
    writeFileSync(path, '{"n":7}\n{"n":8}\n')
    expect(await first.settle()).toEqual([
      lost('grows.ndjson', 8, /written anew/),
      'grows.ndjson end',
      'grows.ndjson#2 assigned',
      'grows.ndjson#2 0: {"n":7}\n{"n":8}',
    ])
    await first.close()
    writeFileSync(path, '{"n":10}\n{"n":11}\n{"n":12}\n')
    const second = await follow(path, first.kept)
    expect(await second.settle()).toEqual([
      lost('grows.ndjson#2', 16, /written anew/),
      'grows.ndjson#2 end',
      'grows.ndjson#3 0: {"n":10}\n{"n":11}\n{"n":12}',
    ])
    await second.close()
    // As it is, it goes on.
    appendFileSync(path, '{"n":13}\n')
    const third = await follow(path, new Map([...first.kept, ...second.kept]))
    expect(await third.settle()).toEqual(['grows.ndjson#3 27: {"n":13}'])
    await third.close()
  })

  test('files of a pattern that are made later are read: lines as they come, others when they are whole', async () => {
    write('a.ndjson', '{"n":1}\n')
    const { settle, close } = await follow(join(folder, '*.{ndjson,csv,gz}'), new Map(), [column('n', 'number')])
    expect(await settle()).toEqual(['a.ndjson 0: {"n":1}'])
    write('b.ndjson', '{"n":2}\n{"n":')
    expect(await settle()).toEqual(['b.ndjson assigned', 'b.ndjson 0: {"n":2}'])
    appendFileSync(join(folder, 'b.ndjson'), '3}\n')
    write('c.csv', 'n\n4\n')
    write('d.csv', 'm;n\n4;5\n')
    write('e.ndjson.gz', gzipSync('{"n":6}\n'))
    expect((await settle()).sort()).toEqual([
      'b.ndjson 8: {"n":3}',
      'c.csv 0: {"n":4}',
      'c.csv assigned',
      'c.csv end',
      'd.csv assigned',
      'd.csv end',
      expect.stringMatching(/^d.csv: HEADER_MISMATCH .*separated by ';'/),
      'e.ndjson.gz 0: {"n":6}',
      'e.ndjson.gz assigned',
      'e.ndjson.gz end',
    ])
    await close()
  })
})

describe('JSON arrays', () => {
  const elements = async (text: string, cut: number) => {
    async function* input() {
      const bytes = Buffer.from(text)
      for (let at = 0; at < bytes.length; at += cut) yield bytes.subarray(at, at + cut)
    }
    const parts: Buffer[] = []
    for await (const part of elementsAsLines(input())) parts.push(Buffer.from(part as Uint8Array))
    return Buffer.concat(parts).toString()
  }

  test('any array comes out element by element, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue(), { maxLength: 8 }),
        fc.constantFrom('', ' ', '\t', '\n'),
        fc.integer({ min: 1, max: 20 }),
        async (values, indent, cut) => {
          const lines = (await elements(JSON.stringify(values, null, indent), cut))
            .split('\n')
            .filter(line => line !== '')
          expect(lines.map(line => JSON.stringify(JSON.parse(line)))).toEqual(
            values.map(value => JSON.stringify(value)),
          )
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('digits, deep nesting and broken elements are left to the decoder', async () => {
    expect(await elements('[1698501145514000123, {"a" : 1.50}]', 7)).toBe('1698501145514000123\n{"a" : 1.50}\n')
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    expect(await elements(`[${deep},1]`, 4096)).toBe(`${deep}\n1\n`)
    expect(await elements('[{"a":1], {"b":2}]', 100)).toBe('{"a":1]\n{"b":2}\n')
    expect(await elements('["a\nb"]', 100)).toBe('"a\u000bb"\n')
  })

  test('a comma behind the last element is none; one without an element before it is damage', async () => {
    const trailing = await read(write('trailing.json', '[{"a":1},{"b":2}, ]'))
    expect(trailing.records).toEqual([[{ a: 1 }, { b: 2 }]])
    expect(trailing.damages).toEqual([])
    const gap = await read(write('gap.json', '[{"a":1},,{"b":2}]'))
    expect(gap.records).toEqual([[{ a: 1 }, { b: 2 }]])
    expect(gap.damages).toMatchObject([{ reason: 'nothing stands before a comma of the array' }])
  })

  test('what is behind the array, or missing, is damage', async () => {
    const behind = await read(write('behind.json', '[{"a":1}] {"b":2}'))
    expect(behind.records).toEqual([[{ a: 1 }]])
    expect(behind.damages).toMatchObject([{ reason: expect.stringContaining('behind the end') }])
    expect(String(behind.damages[0]!.bytes)).toBe('{"b":2}')
    const cut = await read(write('cut.json', '[{"a":1},{"b":'))
    expect(cut.records).toEqual([[{ a: 1 }]])
    expect(String(cut.damages[0]!.bytes)).toBe('{"b":')
  })
})

describe('CSV', () => {
  test('any cells come back, quoted or not, however the bytes are cut', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é', ' ') })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(cell, { minLength: 2, maxLength: 3 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 9 }),
        async (rows, cut) => {
          const text = rows.map(row => row.map(value => `"${value.replaceAll('"', '""')}"`).join(',')).join('\r\n')
          async function* input() {
            const bytes = Buffer.from(text)
            for (let at = 0; at < bytes.length; at += cut) yield bytes.subarray(at, at + cut)
          }
          const found: unknown[] = []
          for await (const row of csvRows(input(), ',', 1 << 20)) found.push(row)
          expect(found).toEqual(rows)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('cells are typed by the topic’s columns; what does not fit goes on as a text', async () => {
    const columns = [
      column('id', 'text'),
      column('n', 'number'),
      column('ok', 'boolean'),
      column('v.x', 'number'),
      column('t', 'timestamp'),
      column('j', 'json'),
    ]
    const path = write(
      'typed.csv',
      'id,n,ok,v.x,t,j,other\n' +
        '007,1.50,TRUE, 3 ,1698501145514000123,"{""a"":[1]}",9\n' +
        ',,,,,,\n' +
        '"",abc,yes,0x1,2023-10-28T13:52:25Z,{,text\n',
    )
    const reading = await readAll(file({ path }), contextOf(columns))
    expect(String(reading.bytes[0])).toBe(
      '{"id":"007","n":1.50,"ok":true,"v":{"x":3},"t":1698501145514000123,"j":{"a":[1]},"other":9}\n' +
        '{"id":null,"n":null,"ok":null,"v":{"x":null},"t":null,"j":null,"other":null}\n' +
        '{"id":"","n":"abc","ok":"yes","v":{"x":"0x1"},"t":"2023-10-28T13:52:25Z","j":"{","other":"text"}\n',
    )
  })

  test('a bad row is damage with its bytes, and the rows after it are read', async () => {
    const path = write('bad.csv', 'a,b\n1,2\n3\n4,5,6\n"x"y,1\n7,8\n9,"open\n10,11\n')
    const reading = await read(path, [column('a', 'number'), column('b', 'number')])
    expect(reading.records).toEqual([
      [
        { a: 1, b: 2 },
        { a: 7, b: 8 },
        { a: 10, b: 11 },
      ],
    ])
    expect(reading.damages.map(damage => damage.reason)).toEqual([
      'the row has 1 cells, the header 2',
      'the row has 3 cells, the header 2',
      'there is text behind a closing quote',
      'a quote is opened and not closed',
    ])
    expect(String(reading.damages[3]!.bytes)).toBe('9,"open')
  })

  test('a quote that nobody closes costs its line only, also when much follows', async () => {
    const rows = Array.from({ length: 20_000 }, (_, n) => `${n},x`)
    const path = write('open.csv', `a,b\n1,"open\n${rows.join('\n')}\n`)
    const reading = await read(path, [column('a', 'number'), column('b', 'text')], 4096)
    expect(reading.records[0]!.length).toBe(20_000)
    expect(reading.damages.length).toBe(1)
    const long = write('long.csv', `a,b\n1,2\n${'x'.repeat(10_000_000)}\n3,4\n`)
    const cut = await read(long, [column('a', 'number'), column('b', 'number')])
    expect(cut.records[0]).toEqual([
      { a: 1, b: 2 },
      { a: 3, b: 4 },
    ])
    expect(cut.damages).toMatchObject([{ reason: expect.stringContaining('10000001 bytes') }])
  })
})

test('a byte order mark is no part of the first record of a packed file', async () => {
  const path = write('mark.ndjson.gz', gzipSync('\uFEFF{"a":1}\n{"a":2}\n'))
  expect((await read(path)).records).toEqual([[{ a: 1 }, { a: 2 }]])
  expect((await read(write('only.ndjson.gz', gzipSync('\uFEFF')))).records).toEqual([[]])
})

test('a gzip file with something behind it gives all that can be unpacked', async () => {
  const path = write('x.ndjson.gz', Buffer.concat([gzipSync('{"a":1}\n{"a":2}\n'), Buffer.from('something else')]))
  const reading = await read(path)
  expect(reading.records).toEqual([[{ a: 1 }, { a: 2 }]])
  expect(reading.damages.length).toBe(1)
})

test('Damaged is told from a row by its type', () => {
  expect(new Damaged('reason')).toBeInstanceOf(Error)
})

describe('file sink', () => {
  const context = (columns: readonly Column[]) => ({
    consumer: 'c',
    incarnation: 'i',
    dataDirectory: folder,
    columns,
    key: [],
  })
  const columns = [column('a', 'number')]

  test('leaves a file alone that somebody else wrote', async () => {
    write('mine.ndjson', '{"precious":true}\n')
    const sink = await loadSink(file({ path: 'mine.ndjson' }))
    await expect(sink.open(context(columns))).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
    await sink.close()
    expect(statSync(join(folder, 'mine.ndjson')).size).toBe(18)
  })

  test('refuses a path that another output writes, and a file that was cut', async () => {
    const sink = await loadSink(file({ path: 'x.csv' }))
    await sink.open(context(columns))
    await sink.commit(0)
    await sink.close()
    const other = await loadSink(file({ path: 'x.csv' }))
    await expect(other.open({ ...context(columns), consumer: 'd' })).rejects.toMatchObject({
      code: 'DATA_DIR_MISMATCH',
    })
    truncateSync(join(folder, 'x.csv'), 0)
    await expect(other.open(context(columns))).rejects.toMatchObject({ code: 'DATA_DIR_MISMATCH' })
  })

  test('a killed writer leaves whole commits: the next one goes on after the last of them', async () => {
    const source = (name: string) => JSON.stringify(new URL(`../../src/${name}`, import.meta.url).href)
    const program = `
      import { loadSink } from ${source('connectors/contract.ts')}
      import { file } from ${source('connectors/file/index.ts')}
      import { batchOf } from ${source('engine/batch.ts')}
      const columns = ${JSON.stringify(columns)}
      const sink = await loadSink(file({ path: 'killed.ndjson' }))
      let position = await sink.open(${JSON.stringify(context(columns))})
      console.log(position)
      for (;;) {
        await sink.write(batchOf(columns, Array.from({ length: 5000 }, (_, row) => ({ a: position + row }))))
        position += 5000
        await sink.commit(position)
        console.log(position)
      }`
    for (const enough of [0, 5000, 25_000]) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let said = -1
      await new Promise<void>(resolve => {
        child.stdout.on('data', (text: Buffer) => {
          said = Number(text.toString().trim().split('\n').at(-1))
          if (said >= enough) resolve()
        })
      })
      const gone = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
      const sink = await loadSink(file({ path: 'killed.ndjson' }))
      const held = await sink.open(context(columns))
      await sink.close()
      expect(held).toBeGreaterThanOrEqual(said)
      const lines = readFileSync(join(folder, 'killed.ndjson'), 'utf8').split('\n').slice(0, -1)
      expect(lines.length).toBe(held)
      expect(lines.every((line, index) => line === `{"a":${index}}`)).toBe(true)
    }
  }, 60_000)
})

test('a followed file that is written anew in the middle of a backlog is seen at once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-anew-'))
  const path = join(folder, 'in.ndjson')
  const lines = (word: string, count: number) => `{"${word}":1}\n`.repeat(count)
  writeFileSync(path, lines('old', 20))
  const reader = new PlainReader(path, { bytes: Buffer.alloc(64) }, true, systemClock)
  try {
    expect((await reader.next()).kind).toBe('records')
    expect((await reader.next()).kind).toBe('records')
    writeFileSync(path, lines('new', 40))
    expect(await reader.next()).toMatchObject({ kind: 'replaced', what: 'it was cut and written anew' })
  } finally {
    reader.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
