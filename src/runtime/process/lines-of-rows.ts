/** The lines of rows that a stream sends to a topic: the records are shown as the topic's log holds them. */
import type { Batch } from '../../engine/batch.ts'
import { pick } from '../../engine/operators/pick.ts'
import { rowWriter } from '../../engine/rows-json.ts'
import type { TopicNode } from '../../plan/nodes.ts'
import type { Lines } from '../rejects/refusals.ts'

const LINE_FEED = 10

/** `offset`: that of the first row in the topic. */
export function linesOfRows({ name, columns }: TopicNode, batch: Batch, offset: number, arrival: number): Lines {
  const lineAt = (row: number) => {
    const bytes = Buffer.from(rowWriter(columns).write(pick(batch, Int32Array.of(row))))
    return bytes.at(-1) === LINE_FEED ? bytes.subarray(0, -1) : bytes
  }
  const rowStarts = Int32Array.from({ length: batch.length }, (_, row) => row)
  return { source: name, partition: 0, position: offset, byOffset: true, arrival, rowStarts, lineAt }
}
