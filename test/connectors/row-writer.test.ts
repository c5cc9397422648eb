import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batchOf } from '../../src/engine/batch.ts'
import { rowWriter } from '../../src/engine/rows-json.ts'
import type { Column } from '../../src/plan/schema.ts'

const column = (name: string, type: Column['type']): Column => ({ name, type, nullable: true })
const COLUMNS = [
  column('n', 'number'),
  column('v.x', 'number'),
  column('t', 'timestamp'),
  column('b', 'boolean'),
  column('v.deep.s', 'text'),
  column('j', 'json'),
]
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

const nullable = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null })
const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(-0, 1e21, 1e9, -1e9, 999999999.5),
)
/** Times are exact to the microsecond up to 2^53 of them. */
const rows = fc.array(
  fc.record({
    n: nullable(number),
    'v.x': nullable(number),
    t: nullable(fc.integer({ min: -9_007_199_254_740, max: 9_007_199_254_740 }).map(ms => ms * 1000)),
    b: nullable(fc.boolean()),
    'v.deep.s': nullable(
      fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('\ud800', '"\\', '\u0000')),
    ),
    j: nullable(fc.jsonValue()),
  }),
  { maxLength: 20 },
)

/** The plain form: what JSON.stringify says of the row. */
function plain(row: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    n: row.n,
    v: { x: row['v.x'], deep: { s: row['v.deep.s'] } },
    t: row.t === null ? null : new Date((row.t as number) / 1000).toISOString(),
    b: row.b,
    j: row.j,
  })
}

describe('row writer', () => {
  test('writes what JSON.stringify writes, over many batches with one writer', () => {
    const writer = rowWriter(COLUMNS)
    fc.assert(
      fc.property(rows, rows => {
        const lines = text(writer.write(batchOf(COLUMNS, rows)))
        expect(lines).toBe(rows.map(row => `${plain(row)}\n`).join(''))
      }),
      { numRuns: 1000 },
    )
  })

  test('follows a dictionary that grows between batches', () => {
    const columns = [column('s', 'text')]
    const values = ['a']
    const writer = rowWriter(columns)
    const batch = (codes: number[]) => ({
      length: codes.length,
      columns,
      data: [{ type: 'text' as const, codes: Int32Array.from(codes), dictionary: { values } }],
      origin: null,
    })
    expect(text(writer.write(batch([0, -1])))).toBe('{"s":"a"}\n{"s":null}\n')
    for (let entry = 0; entry < 1000; entry++) values.push(`entry ${entry}`)
    expect(text(writer.write(batch([1000, 0])))).toBe('{"s":"entry 999"}\n{"s":"a"}\n')
  })

  test('writes times in the form asked for', () => {
    const columns = [column('t', 'timestamp')]
    const batch = batchOf(columns, [{ t: 1_698_501_145_514_123 }, { t: -1 }, { t: 1_698_501_145_000_000 }])
    expect(text(rowWriter(columns).write(batch))).toBe(
      '{"t":"2023-10-28T13:52:25.514123Z"}\n{"t":"1969-12-31T23:59:59.999999Z"}\n{"t":"2023-10-28T13:52:25.000Z"}\n',
    )
    expect(text(rowWriter(columns, { timestamps: 'ms' }).write(batch))).toBe(
      '{"t":1698501145514.123}\n{"t":-0.001}\n{"t":1698501145000}\n',
    )
    expect(text(rowWriter(columns, { timestamps: 'us' }).write(batch))).toContain('{"t":1698501145514123}')
  })

  test('keeps a dotted name whole beside a column of the same beginning', () => {
    const columns = [column('a', 'number'), column('a.b', 'number')]
    expect(text(rowWriter(columns).write(batchOf(columns, [{ a: 1, 'a.b': 2 }])))).toBe('{"a":1,"a.b":2}\n')
  })

  test('CSV: a null differs from an empty text, quotes only where they are needed', () => {
    const columns = [column('a', 'text'), column('b', 'text'), column('n', 'number'), column('j', 'json')]
    const writer = rowWriter(columns, { format: 'csv' })
    expect(text(writer.header)).toBe('a,b,n,j\n')
    const batch = batchOf(columns, [
      { a: null, b: '', n: null, j: null },
      { a: 'x,y', b: 'say "hi"', n: 1.5, j: { k: [1] } },
    ])
    expect(text(writer.write(batch))).toBe(',"",,\n"x,y","say ""hi""",1.5,"{""k"":[1]}"\n')
  })
})
