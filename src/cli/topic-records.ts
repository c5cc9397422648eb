/** The records of a stored topic with their places, as they stand or as they come. */
import { partitionsOf } from '../log/open-topic.ts'
import { isStored, readTopic, type TopicGap } from '../log/topic-store.ts'
import { systemClock } from '../system/clock.ts'

export interface StoredRecord {
  readonly partition: number
  readonly offset: number
  readonly text: string
}

type OnGap = (gap: TopicGap) => void

/** New records of another process are looked for so often. */
const LOOK_EVERY_MS = 200

/** The records of one partition from an offset on, as they stand. */
export function* recordsOf(
  dataDirectory: string,
  topic: string,
  partition: number,
  from: number,
  onGap: OnGap,
): Generator<StoredRecord, void, undefined> {
  let offset = from
  const noteGap: OnGap = gap => {
    offset = gap.to
    onGap(gap)
  }
  for (const text of readTopic(dataDirectory, topic, from, noteGap, partition)) {
    yield { partition, offset, text }
    offset++
  }
}

/**
 * The records of all partitions, each from the offset `from` on; then, as long as `signal` is given and not aborted, what
 * others append. What was not yet safe from a loss of power when it was shown may be taken back by one.
 */
export async function* allRecords(
  dataDirectory: string,
  topic: string,
  from: number,
  onGap: OnGap,
  signal: AbortSignal | null,
): AsyncGenerator<StoredRecord | 'waiting', void, undefined> {
  const offsets = new Map<number, number>()
  do {
    for (const partition of isStored(dataDirectory, topic) ? partitionsOf(dataDirectory, topic) : []) {
      const noteGap: OnGap = gap => {
        offsets.set(partition, gap.to)
        onGap(gap)
      }
      for (const record of recordsOf(dataDirectory, topic, partition, offsets.get(partition) ?? from, noteGap)) {
        offsets.set(partition, record.offset + 1)
        yield record
        if (signal?.aborted) return
      }
    }
    if (signal === null) return
    yield 'waiting'
    await systemClock.sleep(LOOK_EVERY_MS, signal)
  } while (!signal.aborted)
}
