/** What a batch says after it was bytes: all that it said before. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Batch, batchOf, type ColumnData, cellAt } from '../../src/engine/batch.ts'
import { BatchWriter, readBatches } from '../../src/engine/batch-bytes.ts'
import type { Column, ColumnType } from '../../src/plan/schema.ts'

const number = fc.double()
const CELLS: Readonly<Record<ColumnType, fc.Arbitrary<unknown>>> = {
  number,
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  decimal: fc.integer({ min: -1e9, max: 1e9 }).map(scaled => scaled / 100),
  timestamp: fc.integer({ min: -(2 ** 53), max: 2 ** 53 }),
  boolean: fc.boolean(),
  // Lone surrogates among them: whatever a JSON text can hold.
  text: fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map(code => String.fromCharCode(code)) }),
  // As JSON says it: there is no -0.
  json: fc.jsonValue().map(value => JSON.parse(JSON.stringify(value)) as unknown),
}

const batches = fc
  .array(fc.constantFrom(...(Object.keys(CELLS) as ColumnType[])), { minLength: 1, maxLength: 6 })
  .chain(types => {
    const columns: Column[] = types.map((type, index) => ({
      name: `c${index}`,
      type,
      nullable: true,
      ...(type === 'decimal' && { decimal: { precision: 18, scale: 2 } }),
    }))
    const row = fc.tuple(...types.map(type => fc.option(CELLS[type], { nil: null, freq: 4 })))
    const rows = fc.array(row, { maxLength: 20 })
    const batch = fc.tuple(rows, fc.array(fc.boolean(), { minLength: types.length, maxLength: types.length }))
    return fc.array(batch, { minLength: 1, maxLength: 4 }).map(made => ({
      columns,
      batches: made.map(([cells, present]): Batch => {
        const objects = cells.map(row => Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])))
        const whole = batchOf(columns, objects)
        // A column that nothing reads has no cells.
        return { ...whole, data: whole.data.map((data, index) => (present[index] ? data : null)) }
      }),
    }))
  })

function cellsOf({ length, data }: Batch): unknown[][] {
  const cells = (column: ColumnData | null) =>
    column === null ? ['absent'] : Array.from({ length }, (_, row) => cellAt(column, row))
  return data.map(cells)
}

function written(made: readonly Batch[]): Buffer {
  const writer = new BatchWriter()
  return Buffer.concat(made.map(batch => Buffer.from(writer.write(batch))))
}

test('every cell comes back as it was', () => {
  fc.assert(
    fc.property(batches, ({ columns, batches: made }) => {
      const read = [...readBatches(columns, written(made))]
      expect(read.map(batch => batch.length)).toEqual(made.map(batch => batch.length))
      expect(read.map(cellsOf)).toEqual(made.map(cellsOf))
    }),
    { numRuns: 500 },
  )
})

test('a batch with few of the texts of a large dictionary holds only those', () => {
  const values = Array.from({ length: 10_000 }, (_, code) => `text ${code}`)
  const columns: Column[] = [{ name: 'text', type: 'text', nullable: true }]
  const codes = Int32Array.of(9_999, 3, -1, 9_999)
  const batch: Batch = { length: 4, columns, data: [{ type: 'text', codes, dictionary: { values } }], origin: null }
  const bytes = written([batch, batch])
  expect(bytes.length).toBeLessThan(200)
  for (const read of readBatches(columns, bytes))
    expect(cellsOf(read)).toEqual([['text 9999', 'text 3', null, 'text 9999']])
})

describe('bytes of something else', () => {
  const columns: Column[] = [
    { name: 'a', type: 'number', nullable: false },
    { name: 'b', type: 'text', nullable: false },
  ]
  const bytes = written([batchOf(columns, [{ a: 1, b: 'x' }])])

  test('other columns', () => {
    expect(() => [...readBatches([columns[1]!, columns[0]!], bytes)]).toThrow(/kind 1 stands where text/)
    expect(() => [...readBatches([columns[0]!], bytes)]).toThrow(/does not have the columns/)
  })

  test('cut off at any place', () => {
    for (let length = 1; length < bytes.length; length++) {
      expect(() => [...readBatches(columns, bytes.subarray(0, length))]).toThrow(RangeError)
    }
  })
})
