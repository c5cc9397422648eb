/** A copy of a batch is what the batch was, whatever becomes of the lent arrays. */
import { expect, test } from 'vitest'
import { type Batch, batchOf, copyBatch, rowsOf } from '../../src/engine/batch.ts'
import type { Column } from '../../src/plan/schema.ts'

const columns: Column[] = [
  { name: 'number', type: 'number', nullable: true },
  { name: 'time', type: 'timestamp', nullable: false },
  { name: 'flag', type: 'boolean', nullable: true },
  { name: 'text', type: 'text', nullable: true },
  { name: 'json', type: 'json', nullable: true },
  { name: 'unread', type: 'text', nullable: true },
]

test('a copy stays what the batch was', () => {
  const cells = (row: number) => ({
    number: row === 1 ? null : row / 2,
    time: row,
    flag: row === 2 ? null : row === 0,
    text: row === 3 ? null : `t${row}`,
    json: row === 0 ? null : { row },
  })
  const whole = batchOf(columns, [0, 1, 2, 3, 4, 5].map(cells))
  // Lent arrays may be longer than the batch.
  const lent: Batch = {
    ...whole,
    length: 4,
    data: whole.data.map((data, index) => (index === 5 ? null : data)),
    origin: Int32Array.of(3, 5, 7, 9, 11, 13),
  }
  const copy = copyBatch(lent)
  expect(
    copy.data.map(data => (data === null ? null : 'values' in data ? data.values.length : data.codes.length)),
  ).toEqual([4, 4, 4, 4, 4, null])
  for (const data of lent.data) {
    if (data === null) continue
    if (data.type === 'text') {
      data.codes.fill(0)
      const values = data.dictionary.values as string[]
      values.push('later')
    } else if (data.type === 'json') (data.values as unknown[]).fill('gone')
    else if (data.type !== 'int64' && data.type !== 'decimal') {
      data.values.fill(1)
      data.validity?.fill(0)
    }
  }
  lent.origin!.fill(0)
  expect(rowsOf(copy).map(row => ({ ...row }))).toEqual([0, 1, 2, 3].map(cells))
  expect([...copy.origin!]).toEqual([3, 5, 7, 9])
  expect(copyBatch({ ...copy, origin: null }).origin).toBeNull()
})
