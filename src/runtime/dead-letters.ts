/** What could not become a record, kept with its reason and place in the topic `dead_letters`. */
import { type DeadLetter, deadLetterBytes } from '../log/dead-letter.ts'
import { type TopicWriter, topicWriter } from '../log/topic-store.ts'
import { MillraceError } from '../system/errors.ts'

const DEAD_LETTERS = 'dead_letters'

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

export class DeadLetters {
  readonly #dataDirectory: string
  readonly #strict: boolean
  readonly #goesOn: boolean
  #writer: TopicWriter | null = null
  #held = 0
  #seen = 0

  /**
   * `strict`: the first refusal stops the run instead of being kept. `goesOn`: the directory holds the beginning of this
   * same run, which meets the same refusals in the same order; those that are held already are not kept again.
   */
  constructor(dataDirectory: string, strict: boolean, goesOn: boolean) {
    this.#dataDirectory = dataDirectory
    this.#strict = strict
    this.#goesOn = goesOn
  }

  /** Throws RECORD_INVALID when the run is strict. */
  add(refusal: Refusal): void {
    const { topic, source, partition, position, line, reason, code, bytes, bytesTotal, arrived } = refusal
    if (this.#strict) {
      const place = line === null ? `${source}, byte ${position}` : `${source}:${line} (byte ${position})`
      throw new MillraceError('RECORD_INVALID', `${place}: a record of topic ${topic} was refused: ${reason}`, {
        next: 'Correct the record, or run without --strict to keep such records in dead_letters.',
      })
    }
    if (this.#writer === null) {
      this.#writer = topicWriter(this.#dataDirectory, DEAD_LETTERS, [])
      this.#held = this.#goesOn ? this.#writer.offset : 0
    }
    if (this.#seen++ < this.#held) return
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
    this.#writer.appendJson(JSON.stringify(letter))
  }

  async flush(): Promise<void> {
    await this.#writer?.flush()
  }

  async close(): Promise<void> {
    await this.#writer?.close()
    this.#writer = null
  }
}
