import { expect, test } from 'vitest'
import { batchOf, rowsOf } from '../../src/engine/batch.ts'
import type { Column } from '../../src/plan/schema.ts'
import { type Rows, Tail } from '../../src/runtime/streams/tail.ts'

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
