/**
 * Records that a sender holds until they are kept: each message is decoded, appended to the topic's log with what the
 * schema refuses in the dead letters, and answered when both are safe from a loss of power. Only then do its records go
 * on to the operators, so what the operators have seen is always in the log.
 */
import type { Pushed } from '../../connectors/contract.ts'
import { appendsOf, type Headers } from '../../log/appends.ts'
import type { TopicLog } from '../../log/topic-log.ts'
import { readChunks } from '../../log/topic-reader.ts'
import type { Clock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { Turns } from '../../system/turns.ts'
import type { EpochHeader } from '../checkpoint/header.ts'
import type { TopicTask } from '../process/topic-task.ts'
import type { DeadLetters } from '../rejects/dead-letters.ts'
import { skippedWarning } from '../warnings.ts'
import { MessageKey, type MessageKeys } from './idempotency.ts'
import type { Prepared } from './prepare.ts'
import { type KeyedMessage, linesOfRefused, type Share, sharesOf } from './shares.ts'

/** Reasons that an answer tells; the rest is counted. */
const REASONS_MAX = 100
const LINE_FEED = 10
const NOTHING = new Uint8Array(0)

/** Under this name a dead letter keeps the topic of its message. */
const TOPIC_HEADER = 'message-topic'

export interface IngestionOptions {
  readonly task: TopicTask
  readonly log: TopicLog
  /** Name of the log's partition in the task. */
  readonly partition: string
  readonly letters: DeadLetters
  /** Of the messages that are kept, and of those whose dead letters are, though perhaps not their records. */
  readonly keys: MessageKeys
  readonly clock: Clock
  /** Told why nothing could be kept, and null when something was kept again. */
  readonly onHeld: (error: MillraceError | null) => void
  /** Told of records that are lost. */
  readonly onWarning: (warning: MillraceError) => void
}

/** Messages on their way into the log. */
interface Taking {
  readonly bytes: Uint8Array
  readonly arrival: number
  readonly source: string
  readonly turns: Turns
}

export class Ingestion {
  readonly log: TopicLog
  readonly #options: IngestionOptions
  #number = -1
  /** Dead letters there were before the messages that are being kept; null: none is. */
  #lettersBefore: number | null = null

  constructor(options: IngestionOptions) {
    this.#options = options
    this.log = options.log
  }

  /**
   * Adds the log to the task as a partition, and learns which messages are there that the last epoch did not know of:
   * those in the log, and those whose dead letters it did not know either.
   */
  begin({ ingestion: letter, counted }: Pick<EpochHeader['letters'], 'ingestion' | 'counted'>): void {
    const { task, log, partition, letters, keys } = this.#options
    const { number, position } = task.addPartition({ name: partition, bytes: null })
    this.#number = number
    for (const { headers, arrival } of headersFrom(log, position)) keys.noteStored(headers, 'kept', arrival)
    if (letters.next <= letter) return
    const { name } = task.topic
    for (const { headers, arrival, offset } of headersFrom(letters.open(), letter)) {
      if (headers[TOPIC_HEADER] !== name) continue
      keys.noteStored(headers, 'letters', arrival)
      if (offset >= (counted?.[name] ?? letter)) task.countRejected(1)
    }
  }

  /** Dead letters below it are of messages that are done: a restart need not look at them. */
  get lettersDone(): number {
    return this.#lettersBefore ?? this.#options.letters.next
  }

  async take(pushed: Pushed, source: string): Promise<void> {
    const { arrival } = pushed
    this.#lettersBefore = this.#options.letters.next
    const turns = new Turns(this.#options.clock)
    const { kept, repeated, bytes } = this.#withoutRepeated(pushed)
    let refusedMax = Number.POSITIVE_INFINITY
    for (const { message } of kept) {
      const { rejectedBudget } = message
      if (rejectedBudget !== null) refusedMax = Math.min(refusedMax, Math.max(0, rejectedBudget.left))
    }
    const prepared = await this.#options.task.prepare(bytes, arrival, refusedMax, turns)
    if (prepared === null) return await this.#takeEach(pushed, source)
    const shares = sharesOf(kept, prepared, bytes)
    const failure = await this.#keep(shares, { bytes, arrival, source, turns })
    for (const share of shares) this.#settle(share, bytes, arrival)
    for (const message of repeated) this.#settleRepeated(message, failure)
    this.#lettersBefore = null
    this.#options.onHeld(failure)
    const rows = prepared.batches.reduce((sum, { length }) => sum + length, 0)
    // What the log holds is what goes on: where it is not exactly what was decoded, it is read again.
    if (failure === null && this.#position + rows === this.log.next) await this.#goOn(prepared, bytes, arrival)
    else await this.replay()
    if (this.#position !== this.log.next) {
      throw new MillraceError(
        'INTERNAL',
        `Topic ${this.log.topic} has ${this.log.next} records in its log, and stands at ${this.#position}.`,
      )
    }
  }

  /** Of several messages at least one has more rejected records than its client may have: each is looked at alone. */
  async #takeEach({ bytes, arrival, messages }: Pushed, source: string): Promise<void> {
    const [only, ...others] = messages
    if (others.length === 0) {
      this.#lettersBefore = null
      const error = new MillraceError(
        'REJECTED_TOO_MANY',
        'Too many records of this client are rejected: nothing of it is kept.',
      )
      return only!.settle({ kind: 'failed', error })
    }
    let at = 0
    for (const message of messages) {
      const own = bytes.subarray(at, at + message.bytes)
      at += message.bytes
      await this.take({ kind: 'pushed', bytes: own, arrival, messages: [message] }, source)
    }
  }

  /** Offset of the next record that the task takes. */
  get #position(): number {
    return this.#options.task.positionOf(this.#options.partition)!
  }

  /** Takes what is in the log and has not been taken yet. */
  async replay(onChunk: () => Promise<void> = async () => {}): Promise<void> {
    const { task, log } = this.#options
    for (const chunk of readChunks(log, this.#position)) {
      if ('kind' in chunk) {
        this.#options.onWarning(skippedWarning(log.topic, chunk.from, chunk.to, chunk.reason))
        // The position goes past them, or what comes next would be counted from too low an offset.
        await task.takeStored(NOTHING, this.#number, chunk.to, 0)
        continue
      }
      await task.takeStored(chunk.bytes, this.#number, chunk.firstOffset, chunk.arrival)
      await onChunk()
    }
  }

  /** Messages that are kept already, those that come twice at once among them, are left out. */
  #withoutRepeated({ messages, bytes, arrival }: Pushed) {
    const { keys } = this.#options
    const kept: KeyedMessage[] = []
    const repeated: KeyedMessage[] = []
    const pieces: Uint8Array[] = []
    const fresh = new Set<string>()
    let at = 0
    for (const message of messages) {
      const key = message.idempotencyKey && new MessageKey(message.idempotencyKey)
      if (key !== null && (fresh.has(key.text) || keys.isKept(key))) repeated.push({ message, key })
      else {
        if (key !== null) fresh.add(key.text)
        kept.push({ message, key })
        pieces.push(bytes.subarray(at, at + message.bytes))
      }
      at += message.bytes
    }
    return { kept, repeated, arrival, bytes: repeated.length === 0 ? bytes : Buffer.concat(pieces) }
  }

  /** Makes all of it safe; answers what went wrong. Each share knows whether it is kept. */
  async #keep(shares: readonly Share[], taking: Taking): Promise<MillraceError | null> {
    const { arrival } = taking
    const { log, letters, keys } = this.#options
    try {
      for (const share of shares) share.letters = await this.#addLetters(share, taking)
      // Before the records: a message whose letters are not kept must not be answered as kept.
      await letters.commit()
      for (const { key, refused } of shares) {
        if (key !== null && refused.length > 0) keys.noteLetters(key, arrival)
      }
    } catch (cause) {
      for (const share of shares) {
        share.error = cause as Error
        share.letters = 0
      }
      return coded(cause)
    }
    for (const share of shares) {
      try {
        this.#append(share, arrival)
      } catch (cause) {
        share.error = cause as Error
      }
    }
    await log.commit().catch(() => {})
    const failed = shares.find(share => share.error !== null)
    return failed === undefined ? null : coded(failed.error)
  }

  #append(share: Share, arrival: number): void {
    const { bytes, ends, key } = share
    const { headers: own } = share.message
    if (ends.length === 0) return
    const headers = key === null ? own : { ...own, ...key.headers }
    this.#options.log.put({ bytes, ends, arrival, ...(headers === null ? {} : { headers }) }, error => {
      share.error = error
    })
  }

  /** Answers how many: none where they are kept already. */
  async #addLetters(share: Share, { bytes, arrival, source, turns }: Taking): Promise<number> {
    const { task, log, letters, keys } = this.#options
    const { key, refused } = share
    if (refused.length === 0 || (key !== null && keys.hasLetters(key))) return 0
    const headers = { ...key?.headers, [TOPIC_HEADER]: task.topic.name }
    const lines = linesOfRefused(share, bytes, Number.POSITIVE_INFINITY)
    for (const [index, { start, length, reason, path, code }] of refused.entries()) {
      const letter = {
        topic: task.topic.name,
        source,
        partition: 0,
        position: log.next,
        line: lines[index]! + 1,
        reason: path === '' ? reason : `${path}: ${reason}`,
        code,
        bytes: bytes.subarray(start, start + length),
        bytesTotal: length,
        arrived: arrival,
      }
      letters.add(letter, headers)
      const turn = turns.next()
      if (turn !== null) await turn
    }
    return refused.length
  }

  /** Of two that come at once the second is kept if the first one is. */
  #settleRepeated({ message, key }: KeyedMessage, failure: MillraceError | null): void {
    const { keys, task } = this.#options
    const isKept = failure === null || keys.isKept(key!)
    if (isKept) task.countDuplicates(message.records)
    message.settle(isKept ? { kind: 'repeated' } : { kind: 'failed', error: failure })
  }

  #settle(share: Share, bytes: Uint8Array, arrival: number): void {
    const { message, key, refused, letters, ends, error } = share
    this.#options.task.countRejected(letters)
    if (error !== null) {
      message.settle({ kind: 'failed', error: coded(error) })
      return
    }
    if (key !== null) this.#options.keys.noteKept(key, arrival)
    message.rejectedBudget?.take(refused.length)
    const told = linesOfRefused(share, bytes, REASONS_MAX).map((record, index) => {
      const { path, reason } = refused[index]!
      return { record, path, reason }
    })
    message.settle({ kind: 'kept', accepted: ends.length, refusedCount: refused.length, refused: told })
  }

  async #goOn(prepared: Prepared, bytes: Uint8Array, arrival: number): Promise<void> {
    const lineAt = (start: number) => {
      const end = bytes.indexOf(LINE_FEED, start)
      return bytes.subarray(start, end < 0 ? bytes.length : end)
    }
    await this.#options.task.takePrepared(prepared, this.#number, arrival, bytes.length, lineAt)
  }
}

/** The headers of the appends of a log from an offset on. */
function* headersFrom(log: TopicLog, from: number): Generator<{ headers: Headers; arrival: number; offset: number }> {
  for (const event of log.read(from)) {
    if (event.kind !== 'block') continue
    for (const { headers, firstOffset } of appendsOf(event.block)) {
      if (headers !== null) yield { headers, arrival: event.block.header.lastArrival, offset: firstOffset }
    }
  }
}

function coded(cause: unknown): MillraceError {
  return cause instanceof MillraceError
    ? cause
    : new MillraceError('INTERNAL', `A message could not be kept: ${(cause as Error).message}`, { cause })
}
