/** All topics of a data directory, within one budget of disk. */
import { join } from 'node:path'
import type { Clock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import type { Storage } from '../system/storage.ts'
import type { TopicLogOptions } from './options.ts'
import { TopicLog } from './topic-log.ts'

/** Of the budget: from here on it says that it is nearly full. */
const NEARLY_FULL = 0.9

export type LogNotice =
  /** Said once each time that the topics come to nine tenths of the budget; nothing has been dropped for it yet. */
  | { readonly kind: 'nearly-full'; readonly bytes: number; readonly budgetBytes: number }
  /** Records that had to go for newer ones: all offsets of the topic below `start`. */
  | { readonly kind: 'dropped'; readonly topic: string; readonly partition: number; readonly start: number }

export interface LogOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly dataDirectory: string
  /** null: as much as the disk holds. */
  readonly budgetBytes: number | null
  readonly onEvent?: (notice: LogNotice) => void
}

type PartitionOptions = Omit<TopicLogOptions, 'storage' | 'clock' | 'folder' | 'quarantine' | 'topic' | 'admit'>

export class Log {
  readonly #options: LogOptions
  readonly #logs: TopicLog[] = []
  #isNearlyFull = false

  constructor(options: LogOptions) {
    this.#options = options
  }

  /** Bytes of the topics that are open. */
  get bytes(): number {
    return this.#logs.reduce((sum, log) => sum + log.bytes, 0)
  }

  /** Opens a partition of a topic, made when missing. The topic's name is a folder's name. */
  open(topic: string, options: PartitionOptions): TopicLog {
    const { storage, clock, dataDirectory } = this.#options
    const log = new TopicLog({
      ...options,
      storage,
      clock,
      topic,
      folder: join(dataDirectory, 'topics', topic, String(options.partition ?? 0)),
      quarantine: join(dataDirectory, 'quarantine'),
      admit: bytes => this.#admit(bytes),
    })
    this.#logs.push(log)
    return log
  }

  /** Removes what the retention of each topic gives up. */
  retain(): void {
    for (const log of this.#logs) log.retain()
  }

  /** Commits and closes all; the first error is thrown when all are closed. */
  async close(): Promise<void> {
    const closed = await Promise.allSettled(this.#logs.map(log => log.close()))
    for (const one of closed) if (one.status === 'rejected') throw one.reason
  }

  #admit(bytes: number): void {
    const { budgetBytes, onEvent } = this.#options
    if (budgetBytes === null) return
    let total = this.bytes + bytes
    const isNearlyFull = total > budgetBytes * NEARLY_FULL
    if (isNearlyFull && !this.#isNearlyFull) onEvent?.({ kind: 'nearly-full', bytes: total - bytes, budgetBytes })
    this.#isNearlyFull = isNearlyFull
    while (total > budgetBytes) {
      const oldest = this.#oldest()
      const before = oldest?.start
      oldest?.drop(1)
      if (oldest === null || oldest.start === before) {
        throw new MillraceError('LOG_FULL', `The topics may take ${budgetBytes} bytes, and nothing more can go.`)
      }
      onEvent?.({ kind: 'dropped', topic: oldest.topic, partition: oldest.partition, start: oldest.start })
      total = this.bytes + bytes
    }
  }

  /** The log whose oldest segment, apart from the one that is written, ended first. */
  #oldest(): TopicLog | null {
    let oldest: TopicLog | null = null
    for (const log of this.#logs) {
      if (log.segments.length < 2) continue
      if (oldest === null || log.lastArrival(0) < oldest.lastArrival(0)) oldest = log
    }
    return oldest
  }
}
