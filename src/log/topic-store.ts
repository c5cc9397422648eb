/**
 * The stored topics of a data directory: DATA_DIR/topics/NAME/PARTITION/, a log each (topic-log.ts).
 *
 * One process at a time writes (the owner of the data directory); others may read beside it, and see whole records only.
 */
import { join } from 'node:path'
import type { Batch } from '../engine/batch.ts'
import { rowWriter } from '../engine/rows-json.ts'
import type { Column } from '../plan/schema.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { MillraceError, nearest } from '../system/errors.ts'
import { statusOf } from '../system/files.ts'
import { newIncarnation } from '../system/random.ts'
import { diskStorage, type Storage } from '../system/storage.ts'
import { FORM, type PayloadForm, recordsOf } from './block.ts'
import type { TopicLogOptions } from './options.ts'
import type { Cut, Damage } from './recovery.ts'
import { TopicLog } from './topic-log.ts'

/** Records of a batch writer are written in blocks of about this length. */
const WRITER_BLOCK_BYTES = 1024 * 1024

export interface TopicWriter {
  /** Offset of the next record, those not yet flushed among them. */
  readonly offset: number
  /** What opening found damaged, and what it cut off the end. */
  readonly damage: readonly Damage[]
  readonly cut: Cut | null
  append(batch: Batch): void
  /** One record as JSON text, without the line feed. */
  appendJson(line: string): void
  /** Resolves when all that was appended is safe from a loss of power. */
  flush(): Promise<void>
  /** Flushes, then lets go of the file. */
  close(): Promise<void>
}

export interface TopicWriterOptions {
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
  const log = openLog(dataDirectory, topic, {
    form: FORM.rows,
    blockBytes: WRITER_BLOCK_BYTES,
    incarnation: options.incarnation ?? newIncarnation(),
    adoptIncarnation: options.incarnation === undefined,
    storage: options.storage ?? diskStorage,
    clock: options.clock ?? systemClock,
    ...(options.retention === undefined ? {} : { retention: options.retention }),
  })
  const rows = rowWriter(columns)
  let failure: Error | null = null
  const settled = (error: Error | null) => {
    failure ??= error
  }

  function put(bytes: Uint8Array, count: number): void {
    if (failure !== null) throw failure
    try {
      log.put({ bytes, count }, settled)
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
    appendJson(line) {
      put(Buffer.from(`${line}\n`), 1)
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
  readonly from: number
  readonly to: number
  readonly reason: string
}

/**
 * The records of a topic as texts, from the offset `from` (default 0) to its end as it stands now. Holes are told to
 * `onGap` in their place among the records; a beginning that retention gave up is one.
 */
export function* readTopic(
  dataDirectory: string,
  topic: string,
  from = 0,
  onGap: (gap: TopicGap) => void = () => {},
): Generator<string, void, undefined> {
  const log = openForReading(dataDirectory, topic, topicFolder(dataDirectory, topic))
  for (const event of log.read(from)) {
    if (event.kind === 'gap') onGap(event)
    else for (const record of recordsOf(event.block, event.from)) yield record.bytes.toString('utf8')
  }
}

/** The bytes of a topic's records, a line each, in large pieces that are lent until the next step; holes are left out. */
export function* readTopicLines(dataDirectory: string, topic: string): Generator<Uint8Array, void, undefined> {
  const log = openForReading(dataDirectory, topic, topicFolder(dataDirectory, topic))
  for (const event of log.read(0)) if (event.kind === 'block') yield event.block.bytes
}

export function isStored(dataDirectory: string, topic: string): boolean {
  return statusOf(topicFolder(dataDirectory, topic))?.kind === 'folder'
}

/** The stored topics with the number of their records and bytes, in the order of their names. */
export function listTopics(dataDirectory: string): { name: string; records: number; bytes: number }[] {
  const topics: { name: string; records: number; bytes: number }[] = []
  for (const name of storedTopics(dataDirectory)) {
    const log = openForReading(dataDirectory, name, topicFolder(dataDirectory, name))
    topics.push({ name, records: log.next - log.start, bytes: log.bytes })
  }
  return topics
}

function openForReading(dataDirectory: string, topic: string, folder: string): TopicLog {
  if (statusOf(folder)?.kind !== 'folder') throw unknownTopic(dataDirectory, topic)
  return openLog(dataDirectory, topic, {
    form: FORM.records,
    incarnation: '0'.repeat(32),
    adoptIncarnation: true,
    storage: diskStorage,
    clock: systemClock,
    readOnly: true,
    checkBytes: 0,
  })
}

type LogOptions = Omit<TopicLogOptions, 'folder' | 'quarantine' | 'topic' | 'partition'> & {
  readonly form: PayloadForm
}

function openLog(dataDirectory: string, topic: string, options: LogOptions): TopicLog {
  const folder = topicFolder(dataDirectory, topic)
  if (options.storage.list(folder).some(name => name.endsWith('.ndjson'))) {
    throw new MillraceError(
      'LOG_FORMAT',
      `Topic ${topic} in ${dataDirectory} is stored in the form of an earlier version.`,
    )
  }
  const quarantine = join(dataDirectory, 'quarantine')
  return new TopicLog({ ...options, topic, partition: 0, folder: join(folder, '0'), quarantine })
}

/** A topic's name becomes a folder's name: letters, digits, `_`, `-` and `.` (not first), at most 200 of them. */
function isTopicName(name: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}$/.test(name)
}

function topicFolder(dataDirectory: string, topic: string): string {
  if (!isTopicName(topic)) {
    throw new MillraceError('TOPIC_UNKNOWN', `${JSON.stringify(topic)} cannot be the name of a topic.`, {
      next: 'Use letters, digits, "_", "-" and "." (not at the beginning), at most 200 characters.',
    })
  }
  return join(dataDirectory, 'topics', topic)
}

function storedTopics(dataDirectory: string): string[] {
  const root = join(dataDirectory, 'topics')
  return diskStorage.list(root).filter(name => isTopicName(name) && statusOf(join(root, name))?.kind === 'folder')
}

function unknownTopic(dataDirectory: string, topic: string): MillraceError {
  const known = storedTopics(dataDirectory)
  const near = nearest(topic, known)
  const hint = near === null ? '' : ` Did you mean ${near}?`
  const list = known.length === 0 ? 'It holds no topic.' : `It holds: ${known.join(', ')}.`
  return new MillraceError('TOPIC_UNKNOWN', `No topic ${topic} is stored in ${dataDirectory}.${hint} ${list}`)
}
