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

/** Sums that differ in their last digit only must not change the order: they are compared as numbers, after all else. */
function compare(a: Cells, b: Cells): number {
  const [first, second] = [sortKey(a), sortKey(b)]
  if (first !== second) return first < second ? -1 : 1
  for (const name of Object.keys(a)) {
    if (!SUMS.test(name) || equal(name, a[name], b[name])) continue
    if (Number.isNaN(a[name])) return -1
    return Number.isNaN(b[name]) ? 1 : Number(a[name]) - Number(b[name])
  }
  return 0
}

export function expectSameRows(found: readonly Cells[], wanted: readonly Cells[], ordered = false): void {
  const sort = (rows: readonly Cells[]) => (ordered ? [...rows] : rows.toSorted(compare))
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
