/**
 * A stream that leaves the operators, as a log that can be read from a position.
 *
 * A row's position is its number in the stream, from 0, over all runs of the data directory. Three positions rise one
 * behind the other: `safe` (rows that an epoch counts and that are safe from a loss of power: a restart makes these and
 * no others), what is staged, and `end` (rows that the operators have made). `write` does all that an epoch counts
 * before it returns; nobody who reads is waited for in it.
 *
 * Readers take rows at their own pace: out of memory (the tail) while they keep up, else out of the stream's history. A
 * reader pins the rows that it may ask for again, so retention and the disk budget leave them.
 */
import type { Batch } from '../../engine/batch.ts'
import type { StreamNode } from '../../plan/nodes.ts'
import type { EpochMember } from '../checkpoint/epochs.ts'
import type { ReplayedRows } from './replayed.ts'
import type { StoredLog } from './stored-log.ts'
import { type Rows, Tail } from './tail.ts'

export interface Reader {
  /** Rows from here on have not been taken yet. */
  readonly position: number
  /** Rows in front of it are never asked for again. */
  readonly committed: number
  /** Whether it waits for rows to be safe: then an epoch is to be taken soon. */
  readonly isUrgent: boolean
  /** There are more rows, or more of them are safe. */
  wake(): void
}

export interface OutputStreamOptions {
  readonly node: StreamNode
  /** Where its rows are stored or made again; both null: only who looks on reads it, and takes what is in memory. */
  readonly stored: StoredLog | null
  readonly replayed: ReplayedRows | null
  /** Rows have come out that somebody waits for: an epoch is to be taken soon. */
  readonly onRows: () => void
  /** How much of it may be in memory; null: as much as its readers leave. */
  readonly tailBytesMax: number | null
  /** Readers took rows out of memory. */
  readonly onTaken: () => void
}

export class OutputStream implements EpochMember {
  readonly node: StreamNode
  readonly stored: StoredLog | null
  readonly replayed: ReplayedRows | null
  readonly #onRows: () => void
  readonly #onTaken: () => void
  readonly #tailBytesMax: number | null
  readonly #readers = new Set<Reader>()
  readonly #tail = new Tail()
  #end = 0
  #staged = 0
  #safe = 0

  constructor({ node, stored, replayed, onRows, tailBytesMax, onTaken }: OutputStreamOptions) {
    this.node = node
    this.stored = stored
    this.replayed = replayed
    this.#onRows = onRows
    this.#onTaken = onTaken
    this.#tailBytesMax = tailBytesMax
  }

  /** Rows so far. */
  get end(): number {
    return this.#end
  }

  /** Rows that an epoch holds which is safe. */
  get safe(): number {
    return this.#safe
  }

  /** First row that can be read. */
  get start(): number {
    return this.stored?.start ?? this.replayed?.start ?? this.#end
  }

  /** First row that can be read, found by all means where it is behind a row that somebody asks for. */
  async startFor(row: number): Promise<number> {
    if (this.replayed !== null && row < this.start) await this.replayed.findStart()
    return this.start
  }

  /** Whether records that would make its first rows are gone. */
  get isCut(): boolean {
    return this.stored !== null ? this.stored.start > 0 : this.replayed?.isCut === true
  }

  /** Rows in memory take so many bytes, roughly. */
  get tailBytes(): number {
    return this.#tail.bytes
  }

  /** First position from which on rows may be in memory. */
  get recentStart(): number {
    return this.#tail.start
  }

  /** Goes on behind the rows that the last epoch knew; before any row is written. */
  resume(rows: number): void {
    this.#end = rows
    this.#staged = rows
    this.#safe = rows
  }

  /** All readers that the journal knows are there: what they do not need may go. */
  pin(): void {
    const history = this.stored ?? this.replayed
    history?.pin(() => this.#committed())
  }

  /** Until `remove`, its rows stay in memory until the reader has taken them, and its committed ones can be read again. */
  add(reader: Reader): void {
    this.#readers.add(reader)
  }

  remove(reader: Reader): void {
    this.#readers.delete(reader)
    this.#release()
  }

  /** Takes rows of an operator, within the push that made them. Throws what the log does. */
  write(batch: Batch): void {
    this.stored?.append(batch)
    const from = this.#end
    this.#end += batch.length
    let isAwaited = this.stored !== null
    let isTaken = false
    for (const reader of this.#readers) {
      isAwaited ||= reader.isUrgent
      isTaken ||= reader.position <= from
    }
    if (isTaken) {
      this.#tail.append(from, batch)
      if (this.#tailBytesMax !== null) this.#tail.shrinkTo(this.#tailBytesMax)
      for (const reader of this.#readers) reader.wake()
    }
    if (isAwaited) this.#onRows()
  }

  /** Rows that are in memory; null where these are not. */
  recent(position: number, to: number): Rows | null {
    return this.#tail.at(position, to)
  }

  /** A reader gave up a call that was given rows out of memory, and may go on with them. */
  abandoned(): void {
    this.#tail.abandoned()
  }

  /** A reader took or committed rows. */
  moved(): void {
    this.#release()
  }

  staged(): void {
    this.stored?.staged()
    this.#staged = this.#end
  }

  async sync(): Promise<void> {
    await this.stored?.sync()
  }

  /** The epoch that was staged last is safe. */
  becameSafe(): void {
    this.#safe = this.#staged
    for (const reader of this.#readers) reader.wake()
    this.#release()
  }

  #release(): void {
    let taken = this.#end
    for (const reader of this.#readers) taken = Math.min(taken, reader.position)
    this.#tail.dropBelow(taken)
    this.#onTaken()
  }

  /** Rows in front of it are safe, and no reader asks for them again. */
  #committed(): number {
    let committed = this.#safe
    for (const reader of this.#readers) committed = Math.min(committed, reader.committed)
    return committed
  }
}
