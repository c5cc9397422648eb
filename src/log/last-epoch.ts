/** What the last epoch of a data directory says, for commands that look and change nothing. */
import { join } from 'node:path'
import { systemClock } from '../system/clock.ts'
import { diskStorage } from '../system/storage.ts'
import { recordsOf } from './block.ts'
import { headOf } from './journal-record.ts'
import { TopicLog } from './topic-log.ts'

/** The header of the last epoch that is durable; null: there is none. */
export function lastEpochHeader(dataDirectory: string): unknown {
  const folder = join(dataDirectory, 'journal')
  if (diskStorage.list(folder).length === 0) return null
  const log = new TopicLog({
    storage: diskStorage,
    clock: systemClock,
    topic: 'journal',
    folder,
    quarantine: join(dataDirectory, 'quarantine'),
    incarnation: '0'.repeat(32),
    adoptIncarnation: true,
    readOnly: true,
    checkBytes: 0,
  })
  if (log.next === log.start) return null
  let last: Buffer | null = null
  for (const event of log.read(log.next - 1)) {
    if (event.kind === 'gap') continue
    for (const { bytes } of recordsOf(event.block, event.from)) last = Buffer.from(bytes)
  }
  return last === null ? null : headOf(last).header
}
