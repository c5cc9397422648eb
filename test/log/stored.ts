/** What tests share that write stored topics: a log of rows on the disk, and lines that are put into it. */
import { FORM } from '../../src/log/block.ts'
import { openTopic, type PartitionOptions } from '../../src/log/open-topic.ts'
import type { TopicLog } from '../../src/log/topic-log.ts'
import { systemClock } from '../../src/system/clock.ts'
import { diskStorage } from '../../src/system/storage.ts'
import { INCARNATION } from './logs.ts'

/** Rows, whoever they are of. */
export const ROWS = { form: FORM.rows, incarnation: INCARNATION, adoptIncarnation: true } as const

/** Opens a topic for writing at its end; it is made when missing. */
export function openRows(dataDirectory: string, topic: string, options: Partial<PartitionOptions> = {}): TopicLog {
  return openTopic(dataDirectory, topic, { ...ROWS, storage: diskStorage, clock: systemClock, ...options })
}

/** One append of lines of JSON. They are safe when the log has been committed or closed; that tells what went wrong. */
export function put(log: TopicLog, ...lines: readonly string[]): void {
  log.put({ bytes: Buffer.from(`${lines.join('\n')}\n`), count: lines.length }, () => {})
}
