/**
 * Where the topics of a data directory are, DATA_DIR/topics/NAME/PARTITION/, and opening one of them. Rows on their way to
 * a sink are kept in logs of the same kind, in DATA_DIR/deliveries/: no topics, and nobody else's to read.
 */
import { join } from 'node:path'
import { MillraceError, nearest } from '../system/errors.ts'
import { statusOf } from '../system/files.ts'
import { diskStorage } from '../system/storage.ts'
import type { TopicLogOptions } from './options.ts'
import { TopicLog } from './topic-log.ts'

/** What the place of a topic does not say already. */
export interface PartitionOptions extends Omit<TopicLogOptions, 'folder' | 'quarantine' | 'topic'> {
  /** Default `topics`. */
  readonly home?: LogHome
}

export type LogHome = 'topics' | 'deliveries'

/**
 * Opens a partition of a topic, made when missing. Throws TOPIC_UNKNOWN for what cannot be a topic's name, LOG_FORMAT for
 * a topic in the form of an earlier version, and what opening a log throws.
 */
export function openTopic(dataDirectory: string, topic: string, options: PartitionOptions): TopicLog {
  const folder = topicFolder(dataDirectory, topic, options.home)
  if (options.storage.list(folder).some(name => name.endsWith('.ndjson'))) {
    throw new MillraceError(
      'LOG_FORMAT',
      `Topic ${topic} in ${dataDirectory} is stored in the form of an earlier version.`,
    )
  }
  return new TopicLog({
    ...options,
    topic,
    folder: join(folder, String(options.partition ?? 0)),
    quarantine: join(dataDirectory, 'quarantine'),
  })
}

export function isStored(dataDirectory: string, topic: string): boolean {
  return statusOf(topicFolder(dataDirectory, topic))?.kind === 'folder'
}

/** Names of the stored topics, in order. */
export function storedTopics(dataDirectory: string): string[] {
  const root = join(dataDirectory, 'topics')
  return diskStorage.list(root).filter(name => isTopicName(name) && statusOf(join(root, name))?.kind === 'folder')
}

/** Numbers of a topic's partitions, rising. Throws TOPIC_UNKNOWN when no such topic is stored. */
export function partitionsOf(dataDirectory: string, topic: string): number[] {
  if (!isStored(dataDirectory, topic)) throw unknownTopic(dataDirectory, topic)
  const names = diskStorage.list(topicFolder(dataDirectory, topic)).filter(name => /^(0|[1-9]\d{0,8})$/.test(name))
  return names.map(Number).sort((a, b) => a - b)
}

/** A topic's name becomes a folder's name: letters, digits, `_`, `-` and `.` (not first), at most 200 of them. */
function isTopicName(name: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}$/.test(name)
}

function topicFolder(dataDirectory: string, topic: string, home: LogHome = 'topics'): string {
  if (!isTopicName(topic)) {
    throw new MillraceError('TOPIC_UNKNOWN', `${JSON.stringify(topic)} cannot be the name of a topic.`, {
      next: 'Use letters, digits, "_", "-" and "." (not at the beginning), at most 200 characters.',
    })
  }
  return join(dataDirectory, home, topic)
}

function unknownTopic(dataDirectory: string, topic: string): MillraceError {
  const known = storedTopics(dataDirectory)
  const near = nearest(topic, known)
  const hint = near === null ? '' : ` Did you mean ${near}?`
  const list = known.length === 0 ? 'It holds no topic.' : `It holds: ${known.join(', ')}.`
  return new MillraceError('TOPIC_UNKNOWN', `No topic ${topic} is stored in ${dataDirectory}.${hint} ${list}`)
}
