/** Records whose event time is further ahead of their arrival than their topic allows: a clock that is astray. */
import type { DecodedBatch } from '../../engine/decode/decoder.ts'
import { pick } from '../../engine/operators/pick.ts'
import type { TopicNode } from '../../plan/nodes.ts'
import type { RefusalReason } from '../rejects/refusals.ts'

/** The batch without them; each is refused. `arrival` in microseconds, null where nobody knows it. */
export function withoutAhead(
  batch: DecodedBatch,
  { eventTime, columns }: TopicNode,
  arrival: number | null,
  refuse: (row: number, why: RefusalReason) => void,
): DecodedBatch {
  const maxAhead_us = eventTime?.maxAhead_us ?? null
  if (maxAhead_us === null || arrival === null) return batch
  const timeColumn = columns.findIndex(({ name }) => name === eventTime!.column)
  const { values } = batch.data[timeColumn] as { values: Float64Array }
  const limit = arrival + maxAhead_us
  const kept: number[] = []
  for (let row = 0; row < batch.length; row++) {
    if (values[row]! <= limit) kept.push(row)
    else {
      const ahead_s = Math.round((values[row]! - arrival) / 1e6)
      refuse(row, { reason: `Its event time is ${ahead_s} s ahead of its arrival`, code: 'RECORD_AHEAD' })
    }
  }
  if (kept.length === batch.length) return batch
  const rows = Int32Array.from(kept)
  return { ...batch, ...pick(batch, rows), origin: null, rowStarts: rows.map(row => batch.rowStarts[row]!) }
}
