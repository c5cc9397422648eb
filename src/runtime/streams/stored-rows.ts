/** The rows of a stream as its log keeps them: lines that people and tools read, or columns where only a run reads them. */
import type { Batch } from '../../engine/batch.ts'
import { BatchWriter, readBatches } from '../../engine/batch-bytes.ts'
import { rowsFromLines } from '../../engine/json-rows.ts'
import { pick } from '../../engine/operators/pick.ts'
import { rowWriter } from '../../engine/rows-json.ts'
import { type Block, FORM } from '../../log/block.ts'
import type { TopicLog } from '../../log/topic-log.ts'
import { type ChunkGap, chunksOf, eventsBelow } from '../../log/topic-reader.ts'
import type { Column } from '../../plan/schema.ts'

export type RowForm = 'rows' | 'columns'

/** Gives the bytes of a batch, lent until the next call. */
export function storedRowWriter(columns: readonly Column[], form: RowForm): (batch: Batch) => Uint8Array {
  const writer = form === 'rows' ? rowWriter(columns, { nonFinite: 'text' }) : new BatchWriter()
  return batch => writer.write(batch)
}

/** The durable rows from offset `from` to `to` (excluded), in order, and a word for each hole between them. */
export function* storedRows(
  log: TopicLog,
  columns: readonly Column[],
  from: number,
  to = Number.POSITIVE_INFINITY,
): Generator<Batch | ChunkGap, void, undefined> {
  for (const event of eventsBelow(log, from, to)) {
    if (event.kind === 'gap') {
      yield event
      continue
    }
    const { block } = event
    if (block.header.form === FORM.columns) yield* batchesOf(block, columns, event.from, to)
    else for (const chunk of chunksOf(block, event.from, to)) yield rowsFromLines(columns, chunk.bytes)
  }
}

function* batchesOf({ header, bytes }: Block, columns: readonly Column[], from: number, to: number): Generator<Batch> {
  let offset = header.firstOffset
  for (const batch of readBatches(columns, bytes)) {
    const first = Math.max(0, from - offset)
    const end = Math.min(batch.length, to - offset)
    offset += batch.length
    if (first >= end) continue
    const isWhole = first === 0 && end === batch.length
    yield isWhole
      ? batch
      : pick(
          batch,
          Int32Array.from({ length: end - first }, (_, row) => first + row),
        )
  }
}
