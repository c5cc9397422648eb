/** Reads the sources of one topic, by turns, and hands what they say to its task. */
import type { Damage, PartitionEnd, Source, SplittableSource } from '../../connectors/contract.ts'
import type { PieceJob } from '../../engine/workers/piece-maker.ts'
import type { WorkerPool } from '../../engine/workers/pool.ts'
import type { PlainFile } from '../../engine/workers/ranges.ts'
import { MillraceError } from '../../system/errors.ts'
import { RANGE_BYTES, RECORD_BYTES_MAX } from '../process/topic-decoder.ts'
import type { TopicTask } from '../process/topic-task.ts'
import { findBeginnings, furthestBehind, orderedRanges } from './event-order.ts'
import type { Ingestion } from './ingestion.ts'
import { ParallelInput, type PieceEvent } from './parallel-input.ts'

/** Smaller inputs are done before other threads could help. */
const PARALLEL_BYTES_MIN = 8 << 20

/** A source that is open. */
export interface OpenedSource {
  readonly source: Source
  /** What people know it by. */
  readonly name: string
  /** By its own partition the number of it in the task. */
  readonly partitions: number[]
}

export interface InputOptions {
  readonly untilEnd: boolean
  readonly signal: AbortSignal
  /** Called after each piece of input. */
  readonly onTurn: () => Promise<void>
  /** With a pool other threads help where the input lets them. */
  readonly pool: WorkerPool | null
  /** Asked before records are read that can be read again: what to wait for; null: there is room for what they make. */
  readonly room?: () => Promise<void> | null
  /** Where records go that are pushed. */
  readonly ingestion: Ingestion | null
  /** Thrown when a record comes all the same; null, the default: records may come. */
  readonly closed?: MillraceError | null
}

type SourceEvent = NonNullable<Awaited<ReturnType<Source['read']>>>

/** Reads the sources to their end, or until the signal. */
export async function readInput(
  task: TopicTask,
  sources: readonly OpenedSource[],
  options: InputOptions,
): Promise<void> {
  const parallel = parallelInput(task, sources, options)
  if (parallel === null) {
    const take = sources.length > 1 && !options.untilEnd ? takeAsTheyCome : takeTurns
    return await take(task, sources, options)
  }
  const opened = sources[0]!
  try {
    for (let event = parallel.read(); event !== null && !options.signal.aborted; event = parallel.read()) {
      if (event.kind === 'piece') {
        const { partition, piece } = event
        const lineAt = (start: number) => parallel.lineAt(partition, piece.position + start)
        await task.takePiece({ ...event, partition: opened.partitions[partition]! }, lineAt)
      } else await takeEvent(task, event, opened, options)
      await options.onTurn()
    }
  } finally {
    parallel.close()
  }
}

/** Sources of one topic take turns, or the one that is furthest behind comes next, so that the decoder and the operators have one caller. */
async function takeTurns(task: TopicTask, sources: readonly OpenedSource[], options: InputOptions): Promise<void> {
  const live = [...sources]
  const isOrdered = options.untilEnd && (await findBeginnings(task, sources))
  for (let turn = 0; live.length > 0; ) {
    turn %= live.length
    const opened = isOrdered ? furthestBehind(task, live) : live[turn]!
    const reachedIn = isOrdered ? (partition: number) => task.time!.reachedIn(opened.partitions[partition]!) : null
    if (opened.source.replays !== false) await options.room?.()
    const event = await opened.source.read(reachedIn)
    if (options.signal.aborted) refuse(event)
    if (event === null || (options.signal.aborted && !options.untilEnd)) live.splice(live.indexOf(opened), 1)
    else {
      turn++
      await takeEvent(task, event, opened, options)
      await options.onTurn()
    }
  }
}

/** Sources that are followed are asked all at once: one that has nothing to say must not keep the others waiting. */
async function takeAsTheyCome(task: TopicTask, sources: readonly OpenedSource[], options: InputOptions): Promise<void> {
  const ask = async (opened: OpenedSource) => {
    if (opened.source.replays !== false) await options.room?.()
    return { opened, event: await opened.source.read() }
  }
  const asked = new Map(sources.map(opened => [opened, ask(opened)]))
  while (asked.size > 0) {
    const { opened, event } = await Promise.race(asked.values())
    asked.delete(opened)
    if (options.signal.aborted) refuse(event)
    if (event === null || options.signal.aborted) continue
    await takeEvent(task, event, opened, options)
    // Behind the others, so that each has its turn.
    asked.set(opened, ask(opened))
    await options.onTurn()
  }
}

/** The run ends, or begins anew: what was pushed meanwhile is not kept. */
function refuse(event: SourceEvent | null): void {
  if (event?.kind !== 'pushed') return
  const error = new MillraceError('RUN_STOPPING', 'The pipeline stops.')
  for (const message of event.messages) message.settle({ kind: 'failed', error })
}

async function takeEvent(
  task: TopicTask,
  event: Exclude<SourceEvent, PieceEvent>,
  { name, partitions }: OpenedSource,
  { ingestion, closed = null }: InputOptions,
): Promise<void> {
  if (closed !== null && event.kind === 'records') throw closed
  task.pause()
  const numbered = <E extends Damage | PartitionEnd>(said: E): E => ({
    ...said,
    partition: partitions[said.partition]!,
  })
  switch (event.kind) {
    case 'records':
      return task.take({ ...event, partition: partitions[event.partition]! })
    case 'pushed':
      return ingestion!.take(event, name)
    case 'damaged':
      return task.damage(numbered(event))
    case 'idle':
      return task.idle()
    case 'assigned':
      // A key of the others may be in it.
      task.time?.scatterKeys()
      partitions.push(task.addPartition(event.info).number)
      return
    case 'end':
      return task.endPartition(numbered(event).partition)
  }
}

/** The input shared among threads, null where one thread must do. */
function parallelInput(
  task: TopicTask,
  sources: readonly OpenedSource[],
  { untilEnd, pool, closed = null }: InputOptions,
): ParallelInput | null {
  const { topic, schema, flow } = task
  const [opened, ...others] = sources
  if (pool === null || closed !== null || !untilEnd || schema === null || others.length > 0) return null
  const source = opened?.source as Partial<SplittableSource> | undefined
  const files: readonly PlainFile[] | null = source?.plainFiles?.() ?? null
  if (files === null || files.reduce((sum, file) => sum + file.bytes, 0) < PARALLEL_BYTES_MIN) return null
  const { columns, wire } = schema
  const { eventTime, key } = topic
  const timed = eventTime === null ? [] : [eventTime.column, ...(eventTime.progress === 'key' ? key : [])]
  const job: PieceJob = {
    files,
    ranges: orderedRanges(topic, files, RANGE_BYTES),
    columns,
    wire,
    reads: flow.reads,
    timeColumns: new Set(timed.map(name => columns.findIndex(column => column.name === name))),
    prefix: flow.prefix,
    withRowStarts: flow.quarantines,
    recordBytesMax: RECORD_BYTES_MAX,
  }
  const work = pool.work(job)
  return work && new ParallelInput(job, work)
}
