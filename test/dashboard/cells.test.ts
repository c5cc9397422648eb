/** Cells of the page have all their digits. */
import { expect, test } from 'vitest'
import { cellReader } from '../../src/dashboard/stores/cells.ts'
import { batchOf } from '../../src/engine/batch.ts'
import { rawNumber } from '../../src/plan/json-text.ts'
import type { Column } from '../../src/plan/schema.ts'

const columns: readonly Column[] = [
  { name: 'id', type: 'int64', nullable: true },
  { name: 'amount', type: 'decimal', nullable: true, decimal: { precision: 18, scale: 4 } },
  { name: 'level', type: 'number', nullable: true },
  { name: 'more', type: 'json', nullable: true },
]

test.each([
  ['id', 9007199254740993n, '9007199254740993'],
  ['amount', rawNumber('12345678901234.5678'), '12345678901234.5678'],
  ['level', 0.1 + 0.2, 0.1 + 0.2],
  ['level', Number.POSITIVE_INFINITY, 'Infinity'],
  ['more', { n: rawNumber('12345678901234567828') }, '{"n":12345678901234567828}'],
])('%s', (name, cell, shown) => {
  const batch = batchOf(columns, [{ [name]: cell }, {}])
  expect([0, 1].map(cellReader(batch, name))).toEqual([shown, null])
})
