/**
 * Which messages of a topic are kept already, by their idempotency keys: state of the run as that of any operator.
 *
 * A key is known for a while (`KeyMemory`); one that is forgotten is new again, and its message is kept again. Two keys are
 * the same only when all their parts are: they are told apart by their JSON, in which no part can look like two.
 */
import { type IdempotencyKey, KEY_MEMORY, type KeyMemory } from '../../connectors/contract.ts'
import { MessageNumbers } from '../../engine/state/id-intervals.ts'
import { digestOfKey, RecentKeys } from '../../engine/state/recent-keys.ts'
import type { Stateful } from '../../engine/state/table.ts'
import type { Headers } from '../../log/appends.ts'

/** The message's dead letters are kept, though perhaps not its records; all of it is. */
const LETTERS = 1
const ALL = 2

/** Under these names the log keeps the key of a message. The second and third are those of an earlier version. */
const HEADERS = { key: 'idempotency-key', earlierKey: 'message-key', earlierNumber: 'message-number' } as const

/** A key as it is looked up and stored, made once a message. */
export class MessageKey {
  readonly parts: IdempotencyKey
  /** The key in one text: no two keys have the same. */
  readonly text: string
  readonly digest: Buffer

  constructor(parts: IdempotencyKey) {
    this.parts = parts
    this.text = JSON.stringify(parts)
    this.digest = digestOfKey(this.text)
  }

  /** What the log keeps of it. */
  get headers(): Headers {
    return { [HEADERS.key]: this.text }
  }
}

export class MessageKeys {
  readonly stateful: readonly Stateful[]
  readonly #recent: RecentKeys
  readonly #duration_us: number
  /** As an earlier version kept them: numbers by sender. */
  readonly #earlier: MessageNumbers
  readonly #earlierLetters: MessageNumbers

  constructor(topic: string, { duration_us, bytes }: KeyMemory) {
    this.#duration_us = duration_us
    this.#recent = new RecentKeys(`${topic}/idempotency keys`, bytes)
    this.#earlier = new MessageNumbers(`${topic}/messages`)
    this.#earlierLetters = new MessageNumbers(`${topic}/refused messages`)
    this.stateful = [this.#recent, this.#earlier, this.#earlierLetters]
  }

  /** Whether the message is kept. */
  isKept({ digest, parts }: MessageKey): boolean {
    return this.#recent.markOf(digest) === ALL || wasNumbered(this.#earlier, parts)
  }

  /** Whether the message's dead letters are kept. */
  hasLetters({ digest, parts }: MessageKey): boolean {
    return this.#recent.markOf(digest) !== 0 || wasNumbered(this.#earlierLetters, parts)
  }

  noteKept({ digest }: MessageKey, arrival_us: number): void {
    this.#recent.add(digest, ALL, arrival_us)
  }

  noteLetters(key: MessageKey, arrival_us: number): void {
    if (!this.hasLetters(key)) this.#recent.add(key.digest, LETTERS, arrival_us)
  }

  /** Takes note of a stored append that the last epoch does not know: of a message (`kept`), or of a dead letter of one. */
  noteStored(headers: Headers, what: 'kept' | 'letters', arrival_us: number): void {
    const key = headers[HEADERS.key]
    const earlier = headers[HEADERS.earlierKey]
    if (key !== undefined) {
      const digest = digestOfKey(key)
      if (what === 'kept') this.#recent.add(digest, ALL, arrival_us)
      else if (this.#recent.markOf(digest) === 0) this.#recent.add(digest, LETTERS, arrival_us)
    } else if (earlier !== undefined) {
      const numbers = what === 'kept' ? this.#earlier : this.#earlierLetters
      numbers.add(earlier, Number(headers[HEADERS.earlierNumber]), arrival_us)
    }
  }

  /** Forgets what is too old at this moment of the wall clock. */
  forget(now_us: number): void {
    this.#recent.forgetBefore(now_us - this.#duration_us)
    this.#earlier.forgetBefore(now_us - this.#duration_us)
    this.#earlierLetters.forgetBefore(now_us - this.#duration_us)
  }
}

/** What sources of one topic remember together: the longest time, the most bytes. */
export function memoryOf(memories: readonly (KeyMemory | undefined)[]): KeyMemory {
  const said = memories.filter(memory => memory !== undefined)
  if (said.length === 0) return KEY_MEMORY
  return {
    duration_us: Math.max(...said.map(({ duration_us }) => duration_us)),
    bytes: Math.max(...said.map(({ bytes }) => bytes)),
  }
}

const EARLIER_OWN = 'dead letter '

/**
 * Whether an earlier version kept the message under its number. Its keys were `SENDER` of a header SENDER:NUMBER, a device
 * and a session with a line feed between them, and `dead letter ID`: where two messages could have had the same one, it
 * says nothing.
 */
function wasNumbered(numbers: MessageNumbers, [space, ...parts]: IdempotencyKey): boolean {
  if (numbers.size === 0) return false
  switch (space) {
    case 'http': {
      const [, sender, number] = /^([\x20-\x7e]{1,200}):(\d{1,15})$/.exec(parts[1] ?? '') ?? []
      if (sender === undefined || number === undefined || sender.startsWith(EARLIER_OWN)) return false
      return numbers.has(sender, Number(number))
    }
    case 'sensor-logger': {
      const [device = '', session = '', number = ''] = parts
      if (device.includes('\n') || session.includes('\n') || !/^\d{1,16}$/.test(number)) return false
      return Number.isSafeInteger(Number(number)) && numbers.has(`${device}\n${session}`, Number(number))
    }
    case 'resend':
      return numbers.has(`${EARLIER_OWN}${parts[0]}`, 0)
  }
}
