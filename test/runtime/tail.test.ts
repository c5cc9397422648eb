import { expect, test } from 'vitest'
import { batchOf, rowsOf } from '../../src/engine/batch.ts'
import type { StreamNode } from '../../src/plan/nodes.ts'
import type { Column } from '../../src/plan/schema.ts'
import { OutputStream } from '../../src/runtime/streams/output-stream.ts'
import { ReplayedRows } from '../../src/runtime/streams/replayed.ts'
import { type Rows, Tail } from '../../src/runtime/streams/tail.ts'
import { systemClock } from '../../src/system/clock.ts'

const columns: readonly Column[] = [
  { name: 'n', type: 'number', nullable: true },
  { name: 'word', type: 'text', nullable: true },
]
const numbered = (from: number, count: number) =>
  batchOf(
    columns,
    Array.from({ length: count }, (_, index) => ({
      n: index % 3 === 1 ? null : from + index,
      word: `w${from + index}`,
    })),
  )
const textOf = (rows: Rows | null) => rowsOf(rows!.batch).map(({ n, word }) => `${n} ${word}`)

test('rows that nobody has taken yet keep their values, whatever arrays are used again', () => {
  const tail = new Tail()
  tail.append(0, numbered(0, 5))
  tail.append(5, numbered(5, 3))
  tail.dropBelow(5)
  // Takes the arrays of the first.
  tail.append(8, numbered(8, 4))
  expect(textOf(tail.at(5, 100))).toEqual(['5 w5', 'null w6', '7 w7'])
  expect(textOf(tail.at(8, 100))).toEqual(['8 w8', 'null w9', '10 w10', '11 w11'])
  expect(tail.at(4, 100)).toBeNull()
  // A longer one than any before.
  tail.append(12, numbered(12, 9))
  expect(textOf(tail.at(19, 100))).toEqual(['null w19', '20 w20'])
})

test('a call that was given up keeps its rows for as long as it goes on', () => {
  const tail = new Tail()
  tail.append(0, numbered(0, 3))
  const given = tail.at(0, 3)
  tail.abandoned()
  // Another sink has taken the rows meanwhile.
  tail.dropBelow(3)
  tail.append(3, numbered(3, 3))
  expect(textOf(given)).toEqual(['0 w0', 'null w1', '2 w2'])
})

test('texts count once, and what a json cell holds', () => {
  const tail = new Tail()
  const text = 'x'.repeat(10_000)
  const long = batchOf([{ name: 'text', type: 'text', nullable: true }], [{ text }, { text }])
  tail.append(0, long)
  tail.append(2, long)
  expect(tail.bytes).toBeGreaterThan(10_000)
  expect(tail.bytes).toBeLessThan(11_000)
  tail.dropBelow(4)
  expect(tail.bytes).toBe(0)
  tail.append(4, batchOf([{ name: 'more', type: 'json', nullable: true }], [{ more: { list: [text, { text }] } }]))
  expect(tail.bytes).toBeGreaterThan(20_000)
})

test('a reader that hangs costs no more memory than the bound', () => {
  const stream = new OutputStream({
    node: {} as StreamNode,
    stored: null,
    replayed: null,
    onRows: () => {},
    tailBytesMax: 100_000,
    onTaken: () => {},
  })
  stream.add({ isUrgent: false, position: 0, committed: 0, wake: () => {} })
  for (let n = 0; n < 1000; n++) {
    stream.write(numbered(n * 50, 50))
    expect(stream.tailBytes).toBeLessThanOrEqual(100_000)
  }
  expect(stream.recentStart).toBeGreaterThan(0)
})

test('points are thinned, and each still stands in front of the rows that it is asked for', () => {
  const options = { stream: {} as StreamNode, clock: systemClock, openSources: async () => [], log: () => null }
  const replayed = new ReplayedRows({ ...options, onTurn: async () => {} })
  const point = (rows: number) => ({ rows, at: { partitions: [], records: rows, bytes: 0, late: 0, deadLetters: 0 } })
  for (let rows = 1; rows <= 5000; rows++) replayed.note(point(rows * 10))
  const found = Array.from({ length: 5001 }, (_, n) => replayed.pointAt(n * 10).rows)
  expect(found.every((rows, n) => rows <= n * 10)).toBe(true)
  expect(found.at(-1)).toBe(50_000)
  expect(new Set(found).size).toBeLessThanOrEqual(1000)
  expect(new Set(found).size).toBeGreaterThan(400)
})
