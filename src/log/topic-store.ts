/**
 * The stored topics of a data directory, in their first form: NDJSON segments under DATA_DIR/topics/<name>/.
 *
 * A segment's name is the offset of its first record, in 20 digits. One writer a topic; readers may read beside it and
 * see whole records only. What a crash cut off in the middle of a record is cut away when the topic is opened for
 * writing again; `flush` is when records are safe from a loss of power.
 */
import { join } from 'node:path'
import type { Batch } from '../engine/batch.ts'
import { rowWriter } from '../engine/rows-json.ts'
import type { Column } from '../plan/schema.ts'
import { MillraceError, nearest } from '../system/errors.ts'
import {
  closeFile,
  listFolder,
  makeFolder,
  openForReading,
  openForWriting,
  readBytes,
  statusOf,
  statusOfOpen,
  syncFile,
  syncFolder,
  truncateFile,
  writeBytes,
} from '../system/files.ts'

/** Why a record is not in its topic, and the record itself; one line of the topic `dead_letters`. */
export interface DeadLetter {
  readonly topic: string
  /** The file or other place that it came from. */
  readonly source: string
  readonly partition: number
  /** First byte of the record in its partition. */
  readonly position: number
  /** 1-based number of the line, where the source has lines and they were counted. */
  readonly line?: number
  readonly reason: string
  readonly code: string
  /** The record's first bytes: text, or base64 where they are not UTF-8. */
  readonly bytes: string | null
  readonly encoding?: 'base64'
  /** Length of the whole record. */
  readonly bytes_total: number
  /** Microseconds since the epoch; null for historic input. */
  readonly arrived: number | null
}

/** A dead letter keeps at most this much of a record. */
const DEAD_LETTER_BYTES_MAX = 64 * 1024

const SEGMENT_BYTES = 64 * 1024 * 1024
const BUFFER_BYTES = 256 * 1024
const SEGMENT_NAME = /^\d{20}\.ndjson$/
const LINE_FEED = 10

export interface TopicWriter {
  /** Offset of the next record: the number of records that the topic holds, those not yet flushed among them. */
  readonly offset: number
  append(batch: Batch): void
  /** One record as JSON text, without the line feed. */
  appendJson(line: string): void
  /** Returns when all that was appended is safe from a loss of power. */
  flush(): void
  /** Flushes, then lets go of the file. */
  close(): void
}

/** Opens a topic for writing at its end; it is made when missing. `columns` are those of the batches to come. */
export function topicWriter(dataDirectory: string, topic: string, columns: readonly Column[]): TopicWriter {
  const folder = topicFolder(dataDirectory, topic)
  makeFolder(folder)
  const rows = rowWriter(columns)
  const names = segmentNames(folder)
  let segment = names.at(-1) ?? segmentName(0)
  let path = join(folder, segment)
  let descriptor = openForWriting(path)
  const recovered = countLines(descriptor)
  if (recovered.bytes < statusOfOpen(descriptor).bytes) truncateFile(descriptor, recovered.bytes, path)
  let written = recovered.bytes
  let offset = firstOffset(segment) + recovered.lines
  if (names.length === 0) syncFolder(folder)

  const buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  let buffered = 0

  function drain(): void {
    if (buffered === 0) return
    writeBytes(descriptor, buffer.subarray(0, buffered), written, path)
    written += buffered
    buffered = 0
  }

  function roll(): void {
    drain()
    if (written < SEGMENT_BYTES) return
    syncFile(descriptor, path)
    closeFile(descriptor)
    segment = segmentName(offset)
    path = join(folder, segment)
    descriptor = openForWriting(path)
    syncFolder(folder)
    written = 0
  }

  function put(bytes: Uint8Array, records: number): void {
    if (buffered + bytes.length > BUFFER_BYTES) {
      drain()
      if (written >= SEGMENT_BYTES) roll()
    }
    if (bytes.length > BUFFER_BYTES) {
      writeBytes(descriptor, bytes, written, path)
      written += bytes.length
    } else {
      buffer.set(bytes, buffered)
      buffered += bytes.length
    }
    offset += records
  }

  return {
    get offset() {
      return offset
    },
    append(batch) {
      if (batch.length > 0) put(rows.write(batch), batch.length)
    },
    appendJson(line) {
      put(Buffer.from(`${line}\n`), 1)
    },
    flush() {
      drain()
      syncFile(descriptor, path)
    },
    close() {
      if (descriptor < 0) return
      drain()
      syncFile(descriptor, path)
      closeFile(descriptor)
      descriptor = -1
    },
  }
}

/** The records of a topic as JSON texts, from the offset `from` (default 0) to its end as it stands now. */
export function* readTopic(dataDirectory: string, topic: string, from = 0): Generator<string, void, undefined> {
  const folder = topicFolder(dataDirectory, topic)
  if (statusOf(folder) === null) throw unknownTopic(dataDirectory, topic)
  const names = segmentNames(folder)
  for (let index = 0; index < names.length; index++) {
    const next = names[index + 1]
    if (next !== undefined && firstOffset(next) <= from) continue
    let offset = firstOffset(names[index]!)
    for (const line of linesOf(join(folder, names[index]!))) {
      if (offset++ >= from) yield line
    }
  }
}

/** The stored topics with the number of their records and bytes, in the order of their names. */
export function listTopics(dataDirectory: string): { name: string; records: number; bytes: number }[] {
  const root = join(dataDirectory, 'topics')
  const topics: { name: string; records: number; bytes: number }[] = []
  for (const name of listFolder(root)) {
    if (!isTopicName(name) || statusOf(join(root, name))?.kind !== 'folder') continue
    const folder = join(root, name)
    const names = segmentNames(folder)
    const last = names.at(-1)
    let records = 0
    if (last !== undefined) {
      const descriptor = openForReading(join(folder, last))
      try {
        records = firstOffset(last) + countLines(descriptor).lines
      } finally {
        closeFile(descriptor)
      }
    }
    const bytes = names.reduce((sum, segment) => sum + (statusOf(join(folder, segment))?.bytes ?? 0), 0)
    topics.push({ name, records, bytes })
  }
  return topics
}

/** The bytes of a refused record as a dead letter keeps them: text when they are UTF-8, else base64. */
export function deadLetterBytes(bytes: Uint8Array | null): {
  readonly bytes: string | null
  readonly encoding?: 'base64'
} {
  if (bytes === null) return { bytes: null }
  const kept = bytes.length > DEAD_LETTER_BYTES_MAX ? bytes.subarray(0, DEAD_LETTER_BYTES_MAX) : bytes
  // The cut may fall inside a character: up to three bytes at the end may then be left out of the text.
  for (let dropped = 0; dropped < 4 && dropped <= kept.length; dropped++) {
    if (dropped > 0 && kept === bytes) break
    try {
      return {
        bytes: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
          kept.subarray(0, kept.length - dropped),
        ),
      }
    } catch {}
  }
  return { bytes: Buffer.from(kept).toString('base64'), encoding: 'base64' }
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

function unknownTopic(dataDirectory: string, topic: string): MillraceError {
  const known = listFolder(join(dataDirectory, 'topics')).filter(isTopicName)
  const near = nearest(topic, known)
  const hint = near === null ? '' : ` Did you mean ${near}?`
  const list = known.length === 0 ? 'It holds no topic.' : `It holds: ${known.join(', ')}.`
  return new MillraceError('TOPIC_UNKNOWN', `No topic ${topic} is stored in ${dataDirectory}.${hint} ${list}`)
}

function segmentNames(folder: string): string[] {
  return listFolder(folder).filter(name => SEGMENT_NAME.test(name))
}

function segmentName(offset: number): string {
  return `${String(offset).padStart(20, '0')}.ndjson`
}

function firstOffset(segment: string): number {
  return Number(segment.slice(0, 20))
}

/** Line feeds in a file, and the bytes up to the last of them. */
function countLines(descriptor: number): { lines: number; bytes: number } {
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  let lines = 0
  let bytes = 0
  for (let position = 0; ; ) {
    const read = readBytes(descriptor, buffer, 0, buffer.length, position)
    if (read === 0) return { lines, bytes }
    const part = buffer.subarray(0, read)
    for (let at = part.indexOf(LINE_FEED); at >= 0; at = part.indexOf(LINE_FEED, at + 1)) {
      lines++
      bytes = position + at + 1
    }
    position += read
  }
}

/** The whole lines of a file; a last line that is still being written is left out. */
function* linesOf(path: string): Generator<string, void, undefined> {
  const descriptor = openForReading(path)
  try {
    const buffer = Buffer.allocUnsafe(BUFFER_BYTES)
    const pending: Buffer[] = []
    for (let position = 0; ; ) {
      const read = readBytes(descriptor, buffer, 0, buffer.length, position)
      if (read === 0) return
      position += read
      const part = buffer.subarray(0, read)
      let start = 0
      for (let end = part.indexOf(LINE_FEED); end >= 0; end = part.indexOf(LINE_FEED, start)) {
        if (pending.length === 0) yield part.toString('utf8', start, end)
        else {
          pending.push(Buffer.from(part.subarray(start, end)))
          yield Buffer.concat(pending).toString('utf8')
          pending.length = 0
        }
        start = end + 1
      }
      if (start < read) pending.push(Buffer.from(part.subarray(start)))
    }
  } finally {
    closeFile(descriptor)
  }
}
