import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { matchRows } from '../../src/verify/matching.ts'
import { settledJson } from '../../src/verify/settled-json.ts'

describe('matchRows', () => {
  const rowsOf = (cells: readonly (readonly (number | null)[])[]) => cells.map((row, id) => ({ id, cells: row }))

  test('pairs all rows of a bag with the same rows in another order, a little off', () => {
    const cell = fc.oneof(
      fc.constant(null),
      fc.constant(Number.NaN),
      fc.constantFrom(0.1, 0.25),
      fc.double({ noNaN: true, min: -1e6, max: 1e6 }),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 40 }), fc.infiniteStream(fc.nat()), (rows, order) => {
        const off = rows.map(row =>
          row.map(value => (value === null || Number.isInteger(value) ? value : value * (1 + 1e-12))),
        )
        const shuffled = off.map(row => ({ row, by: order.next().value as number })).toSorted((a, b) => a.by - b.by)
        const partners = matchRows(rowsOf(rows), rowsOf(shuffled.map(({ row }) => row)))
        expect(new Set(partners).size).toBe(rows.length)
        expect(partners.includes(-1)).toBe(false)
      }),
    )
  })

  test('gives a partner up where another row has no other one', () => {
    // The first row agrees with both, the second one with the first alone.
    const left = rowsOf([[1.5], [1.5 - 1.4e-9]])
    const right = rowsOf([[1.5 - 1.2e-9], [1.5 + 1e-9]])
    expect([...matchRows(left, right)]).toEqual([1, 0])
  })

  test('a row without a partner has none, and whole numbers have no last digits', () => {
    expect([...matchRows(rowsOf([[1e12], [0.5]]), rowsOf([[1e12 + 1], [0.5]]))]).toEqual([-1, 1])
  })
})

test('JSON is the same however its numbers are written and its fields are ordered', () => {
  const same = ['{"b":1e+308,"a":[1.0,0.10,-0]}', '{"a":[1,1e-1,0],"b":1e308}', '{"a":[10e-1,0.1,0.0],"b":10e307}']
  expect(new Set(same.map(settledJson)).size).toBe(1)
  expect(settledJson('123456789012345678901')).not.toBe(settledJson('123456789012345678902'))
  expect(settledJson('no json')).toBe('no json')
})
