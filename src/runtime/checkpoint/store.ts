/** The files that a run writes in its data directory: the journal, the logs of its topics, the dead letters. */
import { join } from 'node:path'
import { FORM } from '../../log/block.ts'
import { Journal } from '../../log/journal.ts'
import { Log, type LogNotice } from '../../log/log.ts'
import type { TopicLog } from '../../log/topic-log.ts'
import type { TopicNode } from '../../plan/nodes.ts'
import type { Clock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { statusOf } from '../../system/files.ts'
import { newIncarnation } from '../../system/random.ts'
import type { Storage } from '../../system/storage.ts'
import { DEAD_LETTERS, DeadLetters, REFUSED_BY } from '../rejects/dead-letters.ts'
import type { RowForm } from '../streams/stored-rows.ts'
import type { EpochHeader } from './header.ts'

/** Blocks of derived rows are written at this length although no epoch asks for it. */
const ROWS_BLOCK_BYTES = 1024 * 1024

export interface StoreOptions {
  readonly dataDirectory: string
  readonly storage: Storage
  readonly clock: Clock
  readonly strict: boolean
  /** What topics, journal and warehouse may take; null: as much as the disk holds. */
  readonly budgetBytes: number | null
  /** Of a run that follows its inputs: rows that it makes are not refused for the budget, its inputs wait instead. */
  readonly follows: boolean
  /** The warehouse's file. */
  readonly warehouseFile: string
  readonly onNotice: (notice: LogNotice) => void
}

export class Store {
  readonly journal: Journal
  /** What the last epoch says; null in a new directory. */
  readonly header: EpochHeader | null
  readonly letters: { readonly ingestion: DeadLetters; readonly processing: DeadLetters }
  readonly #log: Log
  readonly #options: StoreOptions

  constructor(options: StoreOptions) {
    const { dataDirectory, storage, clock, strict, budgetBytes, warehouseFile, onNotice } = options
    this.#options = options
    this.journal = new Journal({ storage, clock, dataDirectory })
    this.header = (this.journal.last?.header ?? null) as EpochHeader | null
    this.#log = new Log({
      storage,
      clock,
      dataDirectory,
      budgetBytes,
      otherBytes: () => this.journal.bytes + (statusOf(warehouseFile)?.bytes ?? 0),
      onEvent: onNotice,
    })
    this.letters = {
      // Whoever pushes is told at once what was refused: a strict run stops for its own inputs only.
      ingestion: new DeadLetters(() => this.#openLetters(REFUSED_BY.ingestion, null), false),
      processing: new DeadLetters(
        () => this.#openLetters(REFUSED_BY.processing, this.header?.letters.processing ?? 0),
        strict,
      ),
    }
    // What was refused after the epoch is met again.
    if (this.#isThere(DEAD_LETTERS, REFUSED_BY.processing)) this.letters.processing.open()
    if (this.#isThere(DEAD_LETTERS, REFUSED_BY.ingestion)) this.letters.ingestion.open()
  }

  /** Bytes of the topics that are open. */
  get bytes(): number {
    return this.#log.bytes + this.journal.bytes
  }

  /** The log of rows that the pipeline makes, as lines of a topic or as columns on their way to a sink; what is behind the epoch is cut off and made again. */
  derived(topic: Pick<TopicNode, 'name' | 'retention'>, incarnation: string, form: RowForm): TopicLog {
    const log = this.#log.open(topic.name, {
      form: FORM[form],
      home: form === 'columns' ? 'deliveries' : 'topics',
      incarnation,
      blockBytes: ROWS_BLOCK_BYTES,
      pinned: true,
      mayExceed: this.#options.follows,
      ...(this.header === null ? {} : { cutTo: this.header.lengths[topic.name] ?? 0 }),
      ...retentionOf(topic),
    })
    // The first epoch is committed before the first row is made.
    if (this.header === null && log.next > 0) {
      throw new MillraceError(
        'DATA_DIR_MISMATCH',
        `Topic ${topic.name} in ${this.#options.dataDirectory} has records, and the journal has no epoch that knows of them.`,
      )
    }
    return log
  }

  /** The log of records that were pushed; those below `processed` were there when the epoch was committed. */
  ingested(topic: TopicNode, processed: number): TopicLog {
    const known = this.header?.incarnations[topic.name]
    return this.#log.open(topic.name, {
      form: FORM.records,
      incarnation: known ?? newIncarnation(),
      adoptIncarnation: known === undefined,
      promised: processed,
      pinned: true,
      ...retentionOf(topic),
    })
  }

  /** Whether the budget of the disk is used up. */
  get isFull(): boolean {
    return this.#log.isFull
  }

  /** Removes what the retention of each topic gives up. */
  retain(): void {
    this.#log.retain()
  }

  async close(): Promise<void> {
    const closed = await Promise.allSettled([this.#log.close(), this.journal.close()])
    for (const one of closed) if (one.status === 'rejected') throw one.reason
  }

  #openLetters(partition: number, length: number | null): TopicLog {
    return this.#log.open(DEAD_LETTERS, {
      partition,
      form: FORM.rows,
      incarnation: newIncarnation(),
      adoptIncarnation: true,
      ...(length === null ? { promised: this.header?.letters.ingestion ?? 0 } : { cutTo: length }),
    })
  }

  #isThere(topic: string, partition: number): boolean {
    const { storage, dataDirectory } = this.#options
    return storage.list(join(dataDirectory, 'topics', topic, String(partition))).length > 0
  }
}

function retentionOf({ retention }: Pick<TopicNode, 'retention'>) {
  return retention.time_us === null && retention.bytes === null ? {} : { retention }
}
