/**
 * The stored topics of a data directory, each a log a partition (topic-log.ts), as rows and texts.
 *
 * One process at a time writes (the owner of the data directory); others may read beside it, and see whole records only.
 */
import { systemClock } from '../system/clock.ts'
import { diskStorage } from '../system/storage.ts'
import { recordsOf } from './block.ts'
import { openTopic, partitionsOf, storedTopics } from './open-topic.ts'
import type { TopicLog } from './topic-log.ts'

export { isStored } from './open-topic.ts'

/** Offsets of a topic that are not there any more: damaged, or given up by retention. */
export interface TopicGap {
  readonly partition: number
  readonly from: number
  readonly to: number
  readonly reason: string
}

/**
 * The records of a topic as texts, one partition after the other (null: all), each from the offset `from` (default 0) to
 * its end as it stands now. Holes are told to `onGap` in their place among the records; a beginning that retention gave
 * up is one.
 */
export function* readTopic(
  dataDirectory: string,
  topic: string,
  from = 0,
  onGap: (gap: TopicGap) => void = () => {},
  partition: number | null = null,
): Generator<string, void, undefined> {
  for (const number of partition === null ? partitionsOf(dataDirectory, topic) : [partition]) {
    for (const event of openForReading(dataDirectory, topic, number).read(from)) {
      if (event.kind === 'gap') onGap({ partition: number, from: event.from, to: event.to, reason: event.reason })
      else for (const record of recordsOf(event.block, event.from)) yield record.bytes.toString('utf8')
    }
  }
}

/** The bytes of a topic's records, a line each, in large pieces that are lent until the next step; holes are left out. */
export function* readTopicLines(dataDirectory: string, topic: string): Generator<Uint8Array, void, undefined> {
  for (const partition of partitionsOf(dataDirectory, topic)) {
    for (const event of openForReading(dataDirectory, topic, partition).read(0)) {
      if (event.kind === 'block') yield event.block.bytes
    }
  }
}

/** The stored topics with the number of their records and bytes, in the order of their names. */
export function listTopics(dataDirectory: string): { name: string; stored_records: number; bytes: number }[] {
  return storedTopics(dataDirectory).map(name => {
    const logs = partitionsOf(dataDirectory, name).map(partition => openForReading(dataDirectory, name, partition))
    const stored_records = logs.reduce((sum, log) => sum + log.next - log.start, 0)
    return { name, stored_records, bytes: logs.reduce((sum, log) => sum + log.bytes, 0) }
  })
}

/** A partition of a stored topic as it stands; its owner may be writing. Throws TOPIC_UNKNOWN. */
export function openForReading(dataDirectory: string, topic: string, partition = 0): TopicLog {
  partitionsOf(dataDirectory, topic)
  return openTopic(dataDirectory, topic, {
    partition,
    incarnation: '0'.repeat(32),
    adoptIncarnation: true,
    storage: diskStorage,
    clock: systemClock,
    readOnly: true,
    checkBytes: 0,
  })
}
