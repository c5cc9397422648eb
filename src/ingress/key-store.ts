/** The API keys of a run at work: it asks for them, and sees within a second that one was made or revoked. */
import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../system/clock.ts'
import { replaceText, versionOf } from '../system/files.ts'
import { hashOf, idIn, type KeyRecord, keysPath, readKeys, readUses, usesPath } from './keys.ts'

export type KeyVerdict =
  | { readonly kind: 'valid'; readonly id: string }
  /** None was given, or one that was never made: nobody is told which. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'expired' | 'revoked' | 'other-topic' }

const LOOK_EVERY_MS = 1000
/** How coarse the last use is kept; also how often it is written. */
const USE_STEP_US = 60_000_000
const NOBODY = hashOf('')

export class KeyStore {
  readonly #dataDirectory: string
  readonly #clock: Clock
  #byId = new Map<string, KeyRecord>()
  #version: string | null = null
  #looked_ms: number
  #failure: Error | null = null
  #hadKeys = false
  readonly #uses: Record<string, number>
  #usesWritten = 0
  #usesChanged = false

  /** Throws FILE_UNREADABLE when there are keys and they cannot be read. */
  constructor(dataDirectory: string, clock: Clock) {
    this.#dataDirectory = dataDirectory
    this.#clock = clock
    this.#looked_ms = clock.monotonic_ms()
    this.#load()
    this.#uses = readUses(dataDirectory)
  }

  /** Whether a key has ever been made: also a revoked one counts, and one whose file went away during the run. */
  get hasKeys(): boolean {
    this.#look()
    return this.#hadKeys
  }

  /**
   * What a text is worth as a key for a topic. An unknown id costs the same as a known one: the hash is computed and
   * compared in constant time either way. Throws FILE_UNREADABLE while the keys cannot be read.
   */
  check(text: string | null, topic: string): KeyVerdict {
    this.#look()
    if (this.#failure !== null) throw this.#failure
    const record = this.#byId.get(idIn(text ?? '') ?? '')
    const given = Buffer.from(hashOf(text ?? ''), 'hex')
    const isSame = timingSafeEqual(given, Buffer.from(record?.hash ?? NOBODY, 'hex'))
    if (record === undefined || !isSame) return { kind: 'unknown' }
    const now = this.#clock.now()
    if (record.revoked !== null) return { kind: 'revoked' }
    if (record.expires !== null && record.expires <= now) return { kind: 'expired' }
    if (record.topics !== null && !record.topics.includes(topic)) return { kind: 'other-topic' }
    this.#use(record.id, now)
    return { kind: 'valid', id: record.id }
  }

  close(): void {
    this.#writeUses()
  }

  #look(): void {
    const now_ms = this.#clock.monotonic_ms()
    if (now_ms - this.#looked_ms < LOOK_EVERY_MS) return
    this.#looked_ms = now_ms
    if (this.#usesChanged && this.#clock.now() - this.#usesWritten >= USE_STEP_US) this.#writeUses()
    try {
      if (this.#failure === null && versionOf(keysPath(this.#dataDirectory)) === this.#version) return
      this.#load()
      this.#failure = null
    } catch (error) {
      // Nobody is let in by what the keys were before: one of them may just have been revoked.
      this.#failure = error as Error
      this.#hadKeys = true
    }
  }

  #load(): void {
    this.#version = versionOf(keysPath(this.#dataDirectory))
    this.#byId = new Map(readKeys(this.#dataDirectory).map(record => [record.id, record]))
    this.#hadKeys ||= this.#byId.size > 0
  }

  #use(id: string, now: number): void {
    const step = Math.floor(now / USE_STEP_US) * USE_STEP_US
    if (this.#uses[id] === step) return
    this.#uses[id] = step
    this.#usesChanged = true
  }

  #writeUses(): void {
    if (!this.#usesChanged) return
    this.#usesChanged = false
    this.#usesWritten = this.#clock.now()
    // When a key was used last is no reason to refuse anything: a full disk is told elsewhere.
    try {
      replaceText(usesPath(this.#dataDirectory), `${JSON.stringify(this.#uses)}\n`, { isPrivate: true })
    } catch {}
  }
}
