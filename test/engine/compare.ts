/** Holds rows against the reference's: sums to 1e-9, all else exactly. */
import { expect } from 'vitest'
import { type Cells, identityOf } from './reference.ts'

const SUMS = /^(total|roots|mean|spread|deviation|high|median)$/

const rounded = (name: string, value: unknown) =>
  typeof value === 'number' && SUMS.test(name) ? 'sum' : identityOf(value)

const sortKey = (row: Cells) =>
  Object.keys(row)
    .sort()
    .map(name => `${name}=${rounded(name, row[name])}`)
    .join(',')

function equal(name: string, a: unknown, b: unknown): boolean {
  if (identityOf(a) === identityOf(b)) return true
  if (!SUMS.test(name) || typeof a !== 'number' || typeof b !== 'number') return false
  return Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b)) + 1e-9
}

export function expectSameRows(found: readonly Cells[], wanted: readonly Cells[], ordered = false): void {
  const sort = (rows: readonly Cells[]) =>
    ordered
      ? [...rows]
      : rows
          .map(row => ({ row, key: sortKey(row) }))
          .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
          .map(({ row }) => row)
  const [a, b] = [sort(found), sort(wanted)]
  const differ = a.length !== b.length || a.some((row, index) => !same(row, b[index]!))
  // vitest shows the difference.
  if (differ) expect(a.map(plain)).toEqual(b.map(plain))
  if (differ) throw new Error('rows differ')
}

function same(a: Cells, b: Cells): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every(name => name in b && equal(name, a[name], b[name]))
}

const plain = (row: Cells) => Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))
