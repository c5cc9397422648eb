/** All topics of a data directory, within one budget of disk. */
import { formatBytes } from '../plan/duration.ts'
import type { Clock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import type { Storage } from '../system/storage.ts'
import { openTopic, type PartitionOptions } from './open-topic.ts'
import type { Cut, Damage } from './recovery.ts'
import type { TopicLog } from './topic-log.ts'

/** Of the budget: from here on it says that it is nearly full. */
const NEARLY_FULL = 0.9
const BUDGET_NEXT =
  'Raise --disk-budget, or see to the sinks that are behind: what they lack is kept for them. Nothing that was taken in is lost meanwhile.'

export type LogNotice =
  /** Said once each time that nine tenths of the budget are used; nothing has been dropped for it yet. */
  | { readonly kind: 'nearly-full'; readonly bytes: number; readonly budgetBytes: number }
  /** Records that had to go for newer ones: all offsets of the topic below `start`. */
  | { readonly kind: 'dropped'; readonly topic: string; readonly partition: number; readonly start: number }
  /** What opening a topic found damaged. */
  | { readonly kind: 'damaged'; readonly damage: Damage }
  /** What opening a topic cut off its end, where that may have been more than an unfinished write. */
  | { readonly kind: 'cut'; readonly topic: string; readonly partition: number; readonly cut: Cut }

/** LOG_FULL for a budget that is used up; `behind` names the outputs that rows are kept for. */
export function budgetUsedUp(budgetBytes: number, behind: readonly string[]): MillraceError {
  const kept = behind.length === 0 ? '' : `; rows are kept for ${behind.join(', ')}`
  const message = `The disk budget of ${formatBytes(budgetBytes)} is used up${kept}.`
  return new MillraceError('LOG_FULL', message, { next: BUDGET_NEXT })
}

export interface LogOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly dataDirectory: string
  /** null: as much as the disk holds. */
  readonly budgetBytes: number | null
  /** Bytes that count and are not the topics': the journal, the warehouse. Default: none. */
  readonly otherBytes?: () => number
  readonly onEvent?: (notice: LogNotice) => void
}

export class Log {
  readonly #options: LogOptions
  readonly #logs: TopicLog[] = []
  /** Those that have a retention: their oldest segments may go for newer records of any topic. */
  readonly #givingUp = new Set<TopicLog>()
  #isNearlyFull = false

  constructor(options: LogOptions) {
    this.#options = options
  }

  /** Bytes of the topics that are open. */
  get bytes(): number {
    return this.#logs.reduce((sum, log) => sum + log.bytes, 0)
  }

  /** Whether the budget is used up, and nothing can go for newer records. */
  get isFull(): boolean {
    const { budgetBytes } = this.#options
    return budgetBytes !== null && this.#total > budgetBytes && this.#oldest() === null
  }

  /**
   * Opens a partition of a topic, made when missing. `mayExceed`: its records are not refused when the budget is used up,
   * because they are made of records that were taken before. Throws as `openTopic` does.
   */
  open(
    topic: string,
    { mayExceed = false, ...options }: Omit<PartitionOptions, 'storage' | 'clock' | 'admit'> & { mayExceed?: boolean },
  ): TopicLog {
    const { storage, clock, dataDirectory } = this.#options
    const admit = (bytes: number) => this.#admit(bytes, mayExceed)
    const log = openTopic(dataDirectory, topic, { ...options, storage, clock, admit })
    this.#logs.push(log)
    this.#tellDamage(log)
    const { retention } = options
    if (retention !== undefined && (retention.time_us !== null || retention.bytes !== null)) this.#givingUp.add(log)
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

  #tellDamage({ topic, partition, damage, cut }: TopicLog): void {
    const { onEvent } = this.#options
    for (const each of damage) onEvent?.({ kind: 'damaged', damage: each })
    if (cut !== null && cut.quarantined !== null) onEvent?.({ kind: 'cut', topic, partition, cut })
  }

  get #total(): number {
    return this.bytes + (this.#options.otherBytes?.() ?? 0)
  }

  #admit(bytes: number, mayExceed: boolean): void {
    const { budgetBytes, onEvent } = this.#options
    if (budgetBytes === null) return
    let total = this.#total + bytes
    const isNearlyFull = total > budgetBytes * NEARLY_FULL
    if (isNearlyFull && !this.#isNearlyFull) onEvent?.({ kind: 'nearly-full', bytes: total - bytes, budgetBytes })
    this.#isNearlyFull = isNearlyFull
    while (total > budgetBytes) {
      const oldest = this.#oldest()
      if (oldest === null || oldest.drop(1) === 0) {
        if (mayExceed) return
        throw budgetUsedUp(budgetBytes, [])
      }
      onEvent?.({ kind: 'dropped', topic: oldest.topic, partition: oldest.partition, start: oldest.start })
      total = this.#total + bytes
    }
  }

  /** Of the topics with a retention, the log whose oldest segment ended first and may go. */
  #oldest(): TopicLog | null {
    let oldest: TopicLog | null = null
    for (const log of this.#givingUp) {
      if (!log.canDrop) continue
      if (oldest === null || log.lastArrival(0) < oldest.lastArrival(0)) oldest = log
    }
    return oldest
  }
}
