/** Rows of CSV files: where they end, what their cells are, and what a bad one costs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { cellsOf } from '../../src/formats/csv/cells.ts'
import { RowSplitter, type Stretch } from '../../src/formats/csv/row-splitter.ts'
import { withScratch } from '../../src/formats/duckdb.ts'
import { encodingOf } from '../../src/formats/text-encoding.ts'
import { options, SEED } from '../engine/seed.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-csv-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Settings {
  readonly cut?: number
  readonly limit?: number
  readonly skipLines?: number
  readonly delimiter?: string
}

function stretchesOf(
  input: string | Buffer,
  { cut = 7, limit = 1 << 20, skipLines = 0, delimiter = ',' }: Settings = {},
) {
  const bytes = Buffer.from(input)
  const splitter = new RowSplitter({ delimiter, encoding: encodingOf('utf-8'), limit, skipLines, isStart: true })
  const found: Stretch[] = []
  const take = (chunk: Buffer, isLast: boolean) => {
    for (const one of splitter.push(chunk, isLast)) found.push({ ...one, bytes: Buffer.from(one.bytes) })
  }
  for (let at = 0; at < bytes.length; at += cut) take(bytes.subarray(at, at + cut), false)
  take(Buffer.alloc(0), true)
  expect(found.reduce((sum, { length }) => sum + length, 0)).toBe(bytes.length)
  return found
}

const rowsOf = (input: string | Buffer, settings: Settings = {}) =>
  stretchesOf(input, settings)
    .filter(({ kind }) => kind === 'row')
    .map(({ bytes }) => cellsOf(bytes.toString(), { delimiter: settings.delimiter ?? ',', nulls: new Set() }))

const badOf = (input: string, settings: Settings = {}) =>
  stretchesOf(input, settings)
    .filter(({ kind }) => kind === 'bad')
    .map(({ bytes, reason, lines }) => [bytes.toString(), reason, lines])

test('a quote opens only at the start of a cell: inch marks cost nothing', () => {
  const rows = Array.from({ length: 1000 }, (_, n) => (n % 2 === 0 ? `a,${n},3/4" pipe` : `b,${n},ok`))
  const found = rowsOf(`device,level,note\n${rows.join('\n')}\n`)
  expect(found.length).toBe(1001)
  expect(found[1]).toEqual(['a', '0', '3/4" pipe'])
  expect(found[1000]).toEqual(['b', '999', 'ok'])
})

test.each([
  ['LF', '\n'],
  ['CR LF', '\r\n'],
  ['CR alone', '\r'],
])('a line ends with %s, wherever the bytes are cut', (_, end) => {
  const text = ['a,b', '1,"x', 'y"', '', '2,z'].join(end)
  for (let cut = 1; cut <= text.length; cut++) {
    expect(rowsOf(text, { cut })).toEqual([
      ['a', 'b'],
      ['1', `x${end}y`],
      ['2', 'z'],
    ])
    expect(stretchesOf(text, { cut }).map(({ kind, lines }) => [kind, lines])).toEqual([
      ['row', 1],
      ['row', 2],
      ['blank', 1],
      ['row', 1],
    ])
  }
})

test('a quote that is not closed, or has text behind it, costs its own line', () => {
  const rows = Array.from({ length: 500 }, (_, n) => `${n},"x, y"`).join('\n')
  expect(badOf(`0,"open\n${rows}\n`)).toEqual([['0,"open', 'a quote is opened and not closed', 1]])
  expect(rowsOf(`0,"open\n${rows}\n`).length).toBe(500)
  expect(badOf('1,"x"y\n2,z\n')).toEqual([['1,"x"y', 'there is text behind a closing quote', 1]])
  expect(rowsOf('1,"x"y\n2,z\n')).toEqual([['2', 'z']])
  expect(badOf('1,2\n9,"open\n10,11')).toEqual([['9,"open', 'a quote is opened and not closed', 1]])
  expect(rowsOf('1,2\n9,"open\n10,11')).toEqual([
    ['1', '2'],
    ['10', '11'],
  ])
})

test('a row that is too long is told by its beginning and its length, and held no longer', () => {
  const long = 'x'.repeat(10_000)
  const found = stretchesOf(`a\n${long}\nb\n`, { limit: 100, cut: 30 })
  expect(found.map(({ kind, length }) => [kind, length])).toEqual([
    ['row', 2],
    ['bad', 10_001],
    ['row', 2],
  ])
  expect(found[1]!.bytes.length).toBeLessThan(200)
})

test('lines above the header are left out whatever is in them, and a byte order mark is no cell', () => {
  const text = '\uFEFFexported by "somebody\nat 12:00\na,b\n1,2\n'
  for (let cut = 1; cut < 12; cut++) {
    expect(rowsOf(text, { cut, skipLines: 2 })).toEqual([
      ['a', 'b'],
      ['1', '2'],
    ])
  }
})

describe('DuckDB reads the same cells', () => {
  const cell = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é', ' ', ';', '1', '\t'), maxLength: 6 }),
    fc.constantFrom('', '007', '1,5', 'NA', 'ü"', '"'),
  )

  test(`of random files (seed ${SEED})`, async () => {
    await withScratch(async connection => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(cell, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 8 }),
          fc.constantFrom(',', ';', '\t', '|'),
          fc.constantFrom('\n', '\r\n'),
          fc.boolean(),
          fc.integer({ min: 1, max: 40 }),
          async (rows, delimiter, end, quoteAll, cut) => {
            const quoted = (value: string) =>
              quoteAll || /["\r\n,;\t|]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
            const text = rows.map(row => row.map(quoted).join(delimiter) + end).join('')
            const path = join(folder, 'random.csv')
            writeFileSync(path, `a${delimiter}b${delimiter}c${end}${text}`)
            const answer = await connection.runAndReadAll(
              `FROM read_csv('${path}', delim = '${delimiter}', header = true, all_varchar = true, auto_detect = false,
                quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, new_line = '${end === '\n' ? '\\n' : '\\r\\n'}',
                columns = {'a': 'VARCHAR', 'b': 'VARCHAR', 'c': 'VARCHAR'}, null_padding = false)`,
            )
            expect(rowsOf(readFileSync(path), { delimiter, cut }).slice(1)).toEqual(answer.getRowsJson())
          },
        ),
        options(300),
      )
    })
  }, 60_000)
})
