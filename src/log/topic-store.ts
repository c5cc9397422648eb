/**
 * The stored topics of a data directory, each a log a partition (topic-log.ts), as rows and texts.
 *
 * One process at a time writes (the owner of the data directory); others may read beside it, and see whole records only.
 */
import type { Batch } from '../engine/batch.ts'
import { rowWriter } from '../engine/rows-json.ts'
import type { Column } from '../plan/schema.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { newIncarnation } from '../system/random.ts'
import { diskStorage, type Storage } from '../system/storage.ts'
import type { Headers } from './appends.ts'
import { FORM, recordsOf } from './block.ts'
import type { Log } from './log.ts'
import { openTopic, type PartitionOptions, partitionsOf, storedTopics } from './open-topic.ts'
import type { TopicLogOptions } from './options.ts'
import type { Cut, Damage } from './recovery.ts'
import type { TopicLog } from './topic-log.ts'

export { isStored } from './open-topic.ts'

/** Records of a batch writer are written in blocks of about this length. */
const WRITER_BLOCK_BYTES = 1024 * 1024

export interface TopicWriter {
  /** Offset of the next record, those not yet flushed among them. */
  readonly offset: number
  /** What opening found damaged, and what it cut off the end. */
  readonly damage: readonly Damage[]
  readonly cut: Cut | null
  append(batch: Batch): void
  /** One record as JSON text, without the line feed; headers are stored beside it. */
  appendJson(line: string, headers?: Headers | null): void
  /** Resolves when all that was appended is safe from a loss of power. */
  flush(): Promise<void>
  /** Flushes, then lets go of the file. */
  close(): Promise<void>
}

export interface TopicWriterOptions {
  /** Default 0. */
  readonly partition?: number
  /** Offset that the topic goes back to when it is opened (`TopicLogOptions.cutTo`). Default: it goes on where it ends. */
  readonly cutTo?: number
  /** The topics that share a budget of disk with this one, and their storage and clock. Default: without a budget. */
  readonly log?: Log
  /** Identity of what is stored (32 hexadecimal digits): DATA_DIR_MISMATCH when the topic holds another. Default: any. */
  readonly incarnation?: string
  /** How long and how much is kept; `flush` removes what is beyond. Default: everything. */
  readonly retention?: TopicLogOptions['retention']
  readonly storage?: Storage
  readonly clock?: Clock
}

/**
 * Opens a topic for writing at its end; it is made when missing. `columns` are those of the batches to come.
 *
 * Once an append has failed (LOG_FULL, FILE_UNWRITABLE) the writer refuses all that follow, so that nothing is left out
 * in the middle; a writer that is opened again goes on where the log ends.
 */
export function topicWriter(
  dataDirectory: string,
  topic: string,
  columns: readonly Column[],
  options: TopicWriterOptions = {},
): TopicWriter {
  const common: Omit<PartitionOptions, 'storage' | 'clock'> = {
    form: FORM.rows,
    blockBytes: WRITER_BLOCK_BYTES,
    incarnation: options.incarnation ?? newIncarnation(),
    adoptIncarnation: options.incarnation === undefined,
    partition: options.partition ?? 0,
    ...(options.cutTo === undefined ? {} : { cutTo: options.cutTo }),
    ...(options.retention === undefined ? {} : { retention: options.retention }),
  }
  const { storage = diskStorage, clock = systemClock } = options
  const log = options.log?.open(topic, common) ?? openTopic(dataDirectory, topic, { ...common, storage, clock })
  const rows = rowWriter(columns)
  let failure: Error | null = null
  const settled = (error: Error | null) => {
    failure ??= error
  }

  function put(bytes: Uint8Array, count: number, headers: Headers | null = null): void {
    if (failure !== null) throw failure
    try {
      log.put({ bytes, count, headers }, settled)
    } catch (error) {
      failure ??= error as Error
    }
    if (failure !== null) throw failure
  }

  async function flush(): Promise<void> {
    if (failure === null) await log.commit()
    if (failure !== null) throw failure
  }

  return {
    get offset() {
      return log.next
    },
    damage: log.damage,
    cut: log.cut,
    append(batch) {
      if (batch.length > 0) put(rows.write(batch), batch.length)
    },
    appendJson(line, headers = null) {
      put(Buffer.from(`${line}\n`), 1, headers)
    },
    async flush() {
      await flush()
      log.retain()
    },
    async close() {
      try {
        await flush()
      } finally {
        await log.close()
      }
    },
  }
}

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
export function listTopics(dataDirectory: string): { name: string; records: number; bytes: number }[] {
  return storedTopics(dataDirectory).map(name => {
    const logs = partitionsOf(dataDirectory, name).map(partition => openForReading(dataDirectory, name, partition))
    const records = logs.reduce((sum, log) => sum + log.next - log.start, 0)
    return { name, records, bytes: logs.reduce((sum, log) => sum + log.bytes, 0) }
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
