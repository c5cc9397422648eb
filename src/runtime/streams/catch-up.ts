/**
 * Rows that an epoch counts and a sink lacks: the run was cut off between the epoch's commit and the sink's own. They are
 * given to the sink again before the stream goes on: rows of a stored topic out of its log, rows that come straight from
 * a source by reading that stretch of the source again.
 */
import type { Chunk, Source } from '../../connectors/contract.ts'
import type { Batch } from '../../engine/batch.ts'
import { Flow } from '../../engine/flow.ts'
import { pick } from '../../engine/operators/pick.ts'
import type { ResumePoint } from '../../formats/lines.ts'
import type { TopicLog } from '../../log/topic-log.ts'
import { type ChunkGap, readChunks } from '../../log/topic-reader.ts'
import type { StreamNode } from '../../plan/nodes.ts'
import { readOf } from '../../plan/walk.ts'
import type { Clock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import type { RowTaker } from '../consumers/delivery.ts'
import type { TopicPosition } from '../ingest/partitions.ts'
import { TopicTask } from '../process/topic-task.ts'
import { lackingWarning } from '../warnings.ts'
import { storedRows } from './stored-rows.ts'

/** Gives the rows of a log from offset `from` to `to` (excluded). Throws LOG_DAMAGED when some of them are gone. */
export async function rowsOfLog(
  log: TopicLog,
  { name, stream }: { readonly name: string; readonly stream: StreamNode },
  from: number,
  to: number,
  take: RowTaker,
): Promise<void> {
  for (const rows of storedRows(log, stream.columns, from, to)) {
    if ('kind' in rows) throw unfilled(name, log, rows)
    await take(rows)
  }
}

export interface Stretch {
  /** Name of the sink. */
  readonly name: string
  readonly stream: StreamNode
  readonly from: TopicPosition | null
  readonly to: TopicPosition
  /** Rows of the stream before the stretch that are given again and the sink holds. */
  readonly held: number
  readonly clock: Clock
  /** Opens the sources of the topic at the positions. */
  readonly open: (
    from: ReadonlyMap<string, ResumePoint>,
  ) => Promise<readonly { readonly source: Source; readonly partitions: readonly { readonly name: string }[] }[]>
  /** The log of what was pushed to the topic. */
  readonly log: { readonly log: TopicLog; readonly name: string } | null
  /** Told of records in the log that are lost, and whose rows the sink will lack. */
  readonly onWarning: (warning: MillraceError) => void
}

/**
 * Gives the rows of a stream that keeps no state, made of a stretch of its topic's records. Throws LOG_DAMAGED when so
 * many of them are gone that nobody can say which row comes next.
 */
export async function rowsOfStretch(stretch: Stretch, take: RowTaker): Promise<void> {
  const { stream, from, to, log } = stretch
  const { topic } = readOf(stream)
  let held = stretch.held
  const write = async (batch: Batch) => {
    const skipped = Math.min(held, batch.length)
    held -= skipped
    if (skipped === batch.length) return
    if (skipped === 0) return await take(batch)
    await take(
      pick(
        batch,
        Int32Array.from({ length: batch.length - skipped }, (_, row) => row + skipped),
      ),
    )
  }
  const makeFlow = () => new Flow(topic, { outputs: [{ stream, write }], taps: new Map(), onLate: () => {} })
  const task = new TopicTask({ topic, makeFlow, deadLetters: { add: () => {} }, clock: stretch.clock })
  if (from !== null) task.resume(from)
  const ends = new Map(to.partitions.map(({ name, position }) => [name, position]))
  if (log !== null) {
    const { number, position } = task.addPartition({ name: log.name, bytes: null })
    const end = ends.get(log.name) ?? 0
    await readLogUpTo(task, number, log.log, position, end, gap => {
      if (gap.from >= end) return
      // Rows that the sink holds are counted off, and a record makes as many as it likes; what retention took, it had once.
      if (held > 0 || gap.to <= log.log.start) throw unfilled(stretch.name, log.log, gap)
      stretch.onWarning(lackingWarning(stretch.name, log.log.topic, gap.from, gap.to, gap.reason))
    })
  }
  for (const { source, partitions } of await stretch.open(startsOf(from))) {
    try {
      const names = partitions.map(({ name }) => name)
      await readUpTo(task, source, names, ends)
    } finally {
      await source.close()
    }
  }
}

/** A partition that has ended since may still be read again. */
function startsOf(from: TopicPosition | null): ReadonlyMap<string, ResumePoint> {
  const points = from?.partitions.map(({ name, position, lines, anchor = null }) => {
    return [name, { position, lines, anchor }] as const
  })
  return new Map(points)
}

async function readLogUpTo(
  task: TopicTask,
  partition: number,
  log: TopicLog,
  from: number,
  end: number,
  onGap: (gap: ChunkGap) => void,
): Promise<void> {
  for (const chunk of readChunks(log, from, end)) {
    if ('kind' in chunk) onGap(chunk)
    else await task.takeStored(chunk.bytes, partition, chunk.firstOffset, chunk.arrival)
  }
}

async function readUpTo(
  task: TopicTask,
  source: Source,
  names: readonly string[],
  ends: ReadonlyMap<string, number>,
): Promise<void> {
  const numbers = names.map(name => task.addPartition({ name, bytes: null }).number)
  const open = new Set(names.filter(name => (ends.get(name) ?? 0) > (task.positionOf(name) ?? 0)))
  while (open.size > 0) {
    const event = await source.read()
    if (event === null) return
    if (event.kind === 'records') {
      const name = names[event.partition]!
      const end = ends.get(name) ?? 0
      if (event.position < end) await task.take({ ...cut(event, end), partition: numbers[event.partition]! })
      if (event.position + event.bytes.length >= end) open.delete(name)
    } else if (event.kind === 'end' || event.kind === 'damaged') {
      const name = names[event.partition]!
      if (event.kind === 'end' || event.position >= (ends.get(name) ?? 0)) open.delete(name)
    } else if (event.kind === 'idle') return
  }
}

function cut(chunk: Chunk, end: number): Chunk {
  return chunk.position + chunk.bytes.length <= end
    ? chunk
    : { ...chunk, bytes: chunk.bytes.subarray(0, end - chunk.position) }
}

function unfilled(name: string, { topic }: TopicLog, { from, to, reason }: ChunkGap): MillraceError {
  return new MillraceError(
    'LOG_DAMAGED',
    `${name} lacks rows, and topic ${topic} has lost the records from offset ${from} up to ${to} that they would be made of: ${reason}.`,
    {
      next: 'Put back a copy of the whole data directory. Without one nothing can fill the gap: an output of another name gets what is still there.',
    },
  )
}
