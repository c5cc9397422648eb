/**
 * Pairs rows of two bags that agree within a tolerance: as many pairs as there can be.
 *
 * A row is its inexact cells; whatever is exact in it is the same in all rows of both bags.
 */
import { numbersAgree, reach } from './cells.ts'

export interface InexactRow {
  readonly id: number
  readonly cells: readonly (number | null)[]
}

/** By index of a row of `left` the index of its partner in `right`, -1 where it has none. */
export function matchRows(left: readonly InexactRow[], right: readonly InexactRow[]): Int32Array {
  const partners = new Int32Array(left.length).fill(-1)
  const taken = new Int32Array(right.length).fill(-1)
  const candidates = candidatesOf(left, right)
  for (const start of left.keys()) augment(start, candidates, partners, taken)
  return partners
}

/** Gives a row of the left a partner, moving others to another one where need be (a breadth-first augmenting path). */
function augment(
  start: number,
  candidates: (row: number) => readonly number[],
  partners: Int32Array,
  taken: Int32Array,
): void {
  const reachedFrom = new Map<number, number>()
  for (const queue = [start]; queue.length > 0; ) {
    const row = queue.shift()!
    for (const candidate of candidates(row)) {
      if (reachedFrom.has(candidate)) continue
      reachedFrom.set(candidate, row)
      const owner = taken[candidate]!
      if (owner >= 0) {
        queue.push(owner)
        continue
      }
      for (let free = candidate; free >= 0; ) {
        const holder = reachedFrom.get(free)!
        const before = partners[holder]!
        partners[holder] = free
        taken[free] = holder
        free = holder === start ? -1 : before
      }
      return
    }
  }
}

/** The rows of the right that agree with one of the left; looked for around its cell in the column that tells most apart. */
function candidatesOf(left: readonly InexactRow[], right: readonly InexactRow[]): (row: number) => readonly number[] {
  const column = mostTelling(right)
  const order = right
    .map((_, index) => index)
    .sort((a, b) => compareCells(right[a]!.cells[column], right[b]!.cells[column]))
  const sorted = order.map(index => right[index]!.cells[column] ?? null)
  const known = new Map<number, readonly number[]>()
  return row => {
    let found = known.get(row)
    if (found === undefined) {
      const { cells } = left[row]!
      const cell = cells[column] ?? null
      const [low, high] =
        cell === null || !Number.isFinite(cell)
          ? [cell, cell]
          : [cell - 2 * reach(Math.abs(cell)), cell + 2 * reach(Math.abs(cell))]
      const indexes: number[] = []
      for (let at = firstNotBelow(sorted, low); at < sorted.length && compareCells(sorted[at], high) <= 0; at++) {
        const other = right[order[at]!]!.cells
        if (cells.every((own, index) => numbersAgree(own, other[index] ?? null))) indexes.push(order[at]!)
      }
      found = indexes
      known.set(row, found)
    }
    return found
  }
}

function mostTelling(rows: readonly InexactRow[]): number {
  let best = 0
  let most = -1
  for (let column = 0; column < (rows[0]?.cells.length ?? 0); column++) {
    const distinct = new Set(rows.map(({ cells }) => cells[column])).size
    if (distinct > most) [best, most] = [column, distinct]
  }
  return best
}

/** Nulls first, NaN last. */
function compareCells(a: number | null | undefined, b: number | null | undefined): number {
  const [x, y] = [a ?? null, b ?? null]
  if (x === null || y === null) return (x === null ? 0 : 1) - (y === null ? 0 : 1)
  if (Number.isNaN(x) || Number.isNaN(y)) return (Number.isNaN(x) ? 1 : 0) - (Number.isNaN(y) ? 1 : 0)
  return x < y ? -1 : x > y ? 1 : 0
}

function firstNotBelow(sorted: readonly (number | null)[], cell: number | null): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareCells(sorted[middle], cell) < 0) low = middle + 1
    else high = middle
  }
  return low
}
