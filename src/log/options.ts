/** What the log of a partition is opened, written and read with. */
import type { Clock } from '../system/clock.ts'
import type { Storage } from '../system/storage.ts'
import type { PayloadForm } from './block.ts'

export interface TopicLogOptions {
  readonly storage: Storage
  readonly clock: Clock
  /** Folder of this partition's files. */
  readonly folder: string
  /** Folder for copies of what was damaged. */
  readonly quarantine: string
  readonly topic: string
  /** Default 0. */
  readonly partition?: number
  /** 32 hexadecimal digits; must be the stored one where there is one. Needed for a new topic. */
  readonly incarnation: string
  /** The stored incarnation counts, whatever `incarnation` says. Default false. */
  readonly adoptIncarnation?: boolean
  /** Default `FORM.records`. */
  readonly form?: PayloadForm
  /** Default 0. */
  readonly schemaId?: number
  /** A new segment begins when the last one would grow past so many bytes (64 MiB), or is so old (a day). */
  readonly segmentBytes?: number
  readonly segmentAge_us?: number
  /** Length at which a block is written although no commit asks for it. Default 256 KiB. */
  readonly blockBytes?: number
  /** What `retain` may remove. Default: nothing. */
  readonly retention?: { readonly time_us: number | null; readonly bytes: number | null }
  /** How much of the newest data opening checks byte by byte; the rest is checked as it is read. Default 256 MiB. */
  readonly checkBytes?: number
  /**
   * Opening removes the records at this offset and behind it, durably; those below it were promised, and what is missing
   * of them is told as damage. It must stand between two blocks (LOG_FORMAT), of a log that still holds something
   * (DATA_DIR_MISMATCH). Default: nothing is removed.
   */
  readonly cutTo?: number
  /** Offsets below it were promised to somebody who knows it from elsewhere: what is missing of them is damage. Default 0. */
  readonly promised?: number
  /** Nothing is removed before `pin` has said what somebody still needs. Default false. */
  readonly pinned?: boolean
  /** Looks without changing anything; appends are refused. Another process may be writing. */
  readonly readOnly?: boolean
  /** Asked before so many bytes are written; throws LOG_FULL when there is no room for them. */
  readonly admit?: (bytes: number) => void
}

/** Called once for an append: null when it is durable, the error when it is not in the log. */
export type Settled = (error: Error | null) => void

export interface ReadOptions {
  /** Also what is appended and not yet durable: it may still be taken back. Default false. */
  readonly visible?: boolean
}
