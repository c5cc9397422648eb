/** What could not become a record, kept with its reason and place in the topic `dead_letters`. */
import type { Headers } from '../../log/appends.ts'
import { type DeadLetter, deadLetterBytes } from '../../log/dead-letter.ts'
import type { TopicLog } from '../../log/topic-log.ts'
import { MillraceError } from '../../system/errors.ts'

export const DEAD_LETTERS = 'dead_letters'

/**
 * Its partitions. What ingestion refused was refused once, before its sender got an answer; what processing refuses comes
 * again when a run that was cut off goes on, so that partition is cut back with the epoch.
 */
export const REFUSED_BY = { ingestion: 0, processing: 1 } as const

export interface Refusal {
  readonly topic: string
  readonly source: string
  readonly partition: number
  readonly position: number
  readonly line: number | null
  readonly reason: string
  readonly code: string
  readonly bytes: Uint8Array | null
  readonly bytesTotal: number
  readonly arrived: number | null
}

/** One partition of the dead letters. */
export class DeadLetters {
  readonly #open: () => TopicLog
  readonly #strict: boolean
  #log: TopicLog | null = null
  #failure: Error | null = null

  /** `open` is called at the first letter. `strict`: the first refusal stops the run instead of being kept. */
  constructor(open: () => TopicLog, strict: boolean) {
    this.#open = open
    this.#strict = strict
  }

  /** Letters so far, those of earlier runs included; 0 while it was not opened. */
  get next(): number {
    return this.#log?.next ?? 0
  }

  open(): TopicLog {
    this.#log ??= this.#open()
    return this.#log
  }

  /** `headers` are stored with the letter. Throws RECORD_INVALID when the run is strict. */
  add(refusal: Refusal, headers: Headers | null = null): void {
    const { topic, source, partition, position, line, reason, code, bytes, bytesTotal, arrived } = refusal
    if (this.#strict) {
      const place = line === null ? `${source}, byte ${position}` : `${source}:${line}`
      throw new MillraceError('RECORD_INVALID', `${place}: a record of topic ${topic} was refused: ${reason}`, {
        next: 'Correct the record, or run without --strict to keep such records in dead_letters.',
      })
    }
    const letter: DeadLetter = {
      topic,
      source,
      partition,
      position,
      ...(line === null ? {} : { line }),
      reason,
      code,
      ...deadLetterBytes(bytes),
      bytes_total: bytesTotal,
      arrived,
    }
    const text = Buffer.from(`${JSON.stringify(letter)}\n`)
    this.open().put({ bytes: text, count: 1, ...(headers === null ? {} : { headers }) }, error => {
      this.#failure ??= error
    })
  }

  /** Letters that come from now on are not of the epoch that is staged. */
  staged(): void {
    this.#log?.seal()
  }

  /** Resolves when all letters are safe. Rejects when one of them could not be kept, once. */
  async commit(): Promise<void> {
    await this.#log?.commit()
    const failure = this.#failure
    this.#failure = null
    if (failure !== null) throw failure
  }
}
