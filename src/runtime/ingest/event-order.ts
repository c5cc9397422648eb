/** In what order the partitions of a run with an end are read: always the one whose event time is furthest behind. */
import { type PlainFile, type Range, RangeReader, rangesOf } from '../../engine/workers/ranges.ts'
import type { TopicNode } from '../../plan/nodes.ts'
import { slowDecoder } from '../../plan/slow.ts'
import { RECORD_BYTES_MAX } from '../process/topic-decoder.ts'
import type { TopicTask } from '../process/topic-task.ts'
import type { OpenedSource } from './topic-input.ts'

/** Lines of the beginning that are looked at for one that the schema accepts. */
const LINES_MAX = 100
const HEAD_BYTES = 64 * 1024

/** Makes a function that finds the event time of the first record (NDJSON) that the schema accepts; null: none is there. */
function firstTimeOf({ schema, columns, eventTime }: TopicNode): (bytes: Uint8Array) => number | null {
  const decode = slowDecoder(schema!)
  const column = columns.findIndex(({ name }) => name === eventTime!.column)
  return bytes => {
    const lines = Buffer.from(bytes.subarray(0, RECORD_BYTES_MAX)).toString('utf8').split('\n', LINES_MAX)
    for (const line of lines) {
      const answer = decode(line)
      if (answer.ok) return answer.cells[column] as number
    }
    return null
  }
}

/** Whether the order matters: there are several partitions, and event time in them. */
function isOrdered({ topic }: TopicTask, sources: readonly OpenedSource[]): boolean {
  const partitions = sources.reduce((sum, source) => sum + source.partitions.length, 0)
  return topic.eventTime !== null && topic.schema !== null && partitions > 1
}

/** Says to the task where each partition begins; answers whether partitions are to be read by their event time. */
export async function findBeginnings(task: TopicTask, sources: readonly OpenedSource[]): Promise<boolean> {
  if (!isOrdered(task, sources)) return false
  const firstTime = firstTimeOf(task.topic)
  for (const { source, partitions } of sources) {
    for await (const { partition, bytes } of source.heads?.() ?? []) {
      const time = firstTime(bytes)
      if (time !== null) task.time!.beginPartition(partitions[partition]!, time)
    }
  }
  return true
}

/** The source with the partition that is furthest behind. */
export function furthestBehind(task: TopicTask, sources: readonly OpenedSource[]): OpenedSource {
  const reached = ({ partitions }: OpenedSource) => Math.min(...partitions.map(number => task.time!.reachedIn(number)))
  return sources.reduce((found, source) => (reached(source) < reached(found) ? source : found))
}

/** The ranges of files in the order in which threads read them. */
export function orderedRanges(topic: TopicNode, files: readonly PlainFile[], rangeBytes: number): Range[] {
  if (files.length < 2 || topic.eventTime === null) return rangesOf(files, rangeBytes)
  const firstTime = firstTimeOf(topic)
  const reader = new RangeReader(files, RECORD_BYTES_MAX)
  try {
    return rangesOf(files, rangeBytes, range => firstTime(reader.head(range, HEAD_BYTES)))
  } finally {
    reader.close()
  }
}
