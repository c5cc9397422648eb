/**
 * What a connector owes the runtime, and what the runtime owes a connector.
 *
 * A connector is one folder: `describe.ts` holds its options as a zod schema and a function for the pipeline file
 * (`file({ path })`) that checks them and touches nothing outside; `open.ts` does the work and is imported only when the
 * pipeline runs; `index.ts` exports what users import. No connector imports another, nor the engine's operators.
 *
 * **Source.** The runtime calls `open` once, then `read` again and again from one caller, never two at a time, then
 * `close`. A source hands out bytes, never rows: decoding and checking are the engine's. The bytes of a chunk are whole
 * records in NDJSON form (a connector for another format translates; the decoder is one). `read` resolves to null at the
 * end of a bounded source, and after `close`. Each record has a position that the source can name: a partition and a
 * byte or record number. A source that replays gives the same records, in the same order in each partition, each time.
 * What each error does: a MillraceError ends the source, and the run with it (one with a retried code says that running
 * again may help, and loses nothing); what cannot be read further but leaves the rest usable (a
 * truncated file among many) is handed over as a `damaged` chunk and the source goes on.
 *
 * **Sink.** A sink is a consumer of a stream with a position of its own. The runtime calls `open` with the columns; it
 * answers with the number of rows of this stream that it holds already (from its ledger), and the runtime sends only what
 * follows. `write` gets batches in order and may buffer; `commit` makes all that was written durable together with the
 * position, in one transaction of the system that it writes to, or throws, and then nothing of it counts. A commit must
 * find the ledger where the sink left it (compare and set), or throw SINK_FENCED: somebody else has written in its name.
 * `close` gives up everything that was not committed. The runtime makes one call at a time, each with a deadline
 * (`deadlines_ms`); after it the outcome is unknown: the sink is closed, a new one is opened, and what its ledger answers
 * counts. What an error does: the sink is closed, and after a while, longer each time, a new one is opened and sent what
 * follows the position that it answers. A run that follows its inputs waits for no sink and ends for no error of one. A
 * run with an end waits, and gives up on a sink whose error does not pass, or that has committed nothing for a while
 * (`RunOptions.sinkTimeout_ms`). An error of the first `open` ends any run.
 * The next run goes on from the position that the sink answers.
 */
import type { Batch } from '../engine/batch.ts'
import type { Anchor, ResumePoint } from '../formats/lines.ts'
import type { SinkReference, SourceReference } from '../plan/nodes.ts'
import type { Column } from '../plan/schema.ts'
import { type ErrorCode, MillraceError } from '../system/errors.ts'

/** Bytes of whole records, from one partition, in order. */
export interface Chunk {
  readonly kind: 'records'
  /** 0-based number of the partition: one a file, or as the outside system counts. */
  readonly partition: number
  /** NDJSON: each record ends in a line feed, the last one perhaps not. Valid until the next `read`. */
  readonly bytes: Uint8Array
  /** Position of the first byte in its partition (bytes of the translated form where the source translates). */
  readonly position: number
  /** When the records arrived, in microseconds since the epoch; null for historic input. */
  readonly arrival: number | null
  /** Of a source that translates: where the first record stands in what it reads. Each line is then one line of that. */
  readonly anchor?: Anchor
  /** Of a file that was too short for it until now: its fingerprint. */
  readonly fingerprint?: string
}

/** A stretch of a source that cannot be read; it becomes one dead letter, and the source goes on after it. */
export interface Damage {
  readonly kind: 'damaged'
  readonly partition: number
  readonly position: number
  readonly reason: string
  /** The first bytes of what could not be read, where there are any. */
  readonly bytes: Uint8Array | null
  /** Length of all that could not be read, where it is known. */
  readonly bytesTotal?: number | null
  /** How many lines it took, where it is a known number of whole lines. */
  readonly lines?: number
  /** Why it cannot be read. Default SOURCE_DAMAGED. */
  readonly code?: ErrorCode
  /** As that of a chunk. The stretch then takes no room in the positions of its partition. */
  readonly anchor?: Anchor
}

/**
 * Records that their sender holds until it is told that they are kept, because the source cannot give them again (HTTP,
 * MQTT). The runtime appends what the schema accepts to the topic's log, puts the rest into the dead letters, and calls
 * `settle` of each message exactly once: when both are safe from a loss of power, or when that failed and none of it is
 * kept. A message is kept as a whole or not at all.
 */
export interface Pushed {
  readonly kind: 'pushed'
  /** NDJSON: the records of all messages, in order. Each record ends in a line feed. The runtime's from now on. */
  readonly bytes: Uint8Array
  /** When they arrived, in microseconds since the epoch. */
  readonly arrival: number
  readonly messages: readonly PushedMessage[]
}

/**
 * Names a message. The first part says who made the others, so that no client can name a key that is not its own:
 *
 * - `http`: the API key's id (empty where none is needed) and the header `Idempotency-Key`
 * - `sensor-logger`: device, session and `messageId`
 * - `resend`: the dead letter that this process sends again
 */
export type IdempotencyKey =
  | readonly ['http', client: string, key: string]
  | readonly ['sensor-logger', device: string, session: string, messageId: string]
  | readonly ['resend', id: string]

/** How long the keys of messages are remembered, and in how many bytes of memory: past that the oldest are forgotten. */
export interface KeyMemory {
  readonly duration_us: number
  readonly bytes: number
}

export const KEY_MEMORY: KeyMemory = { duration_us: 24 * 3600 * 1_000_000, bytes: 64 << 20 }

export interface RejectedBudget {
  readonly left: number
  /** Says that a message with so many rejected records is kept. */
  take(records: number): void
}

export interface PushedMessage {
  /** How many of the records (lines, blank ones excluded) are this message's; the source knows it. */
  readonly records: number
  /** Length of its lines in `bytes`. */
  readonly bytes: number
  /** Stored with the records: short texts, few of them. */
  readonly headers: Readonly<Record<string, string>> | null
  /** A message with the key of one that is kept already is not kept again, while the key is remembered; null: it is. */
  readonly idempotencyKey: IdempotencyKey | null
  /** How many rejected records its client may still have; null: any number. One with more is not kept at all. */
  readonly rejectedBudget: RejectedBudget | null
  readonly settle: (outcome: PushOutcome) => void
}

export type PushOutcome =
  /** Safe. `refused`: records in the dead letters, by their number within the message (from 0); at most 100 of them. */
  | {
      readonly kind: 'kept'
      readonly accepted: number
      readonly refusedCount: number
      readonly refused: readonly { readonly record: number; readonly path: string; readonly reason: string }[]
    }
  /** The same message is kept already. */
  | { readonly kind: 'repeated' }
  /**
   * Nothing of it is kept: the sender may send it again. LOG_FULL: the disk is full. REJECTED_TOO_MANY: more of its records
   * are rejected than its client may have.
   */
  | { readonly kind: 'failed'; readonly error: MillraceError }

/** Nothing is there now, but more may come: the source follows something that grows. */
export interface Idle {
  readonly kind: 'idle'
}

/** What a source says of a partition that it reads. */
export interface PartitionInfo {
  /** Dead letters and progress show it, and a later run knows the partition by it. */
  readonly name: string
  /** Bytes that are to be read; null when nobody can say. */
  readonly bytes: number | null
  /** Of a file, what it is known by and how long it is: the next run gets them back. */
  readonly fingerprint?: string
  readonly fileBytes?: number
  /** It had ended, and has more now. */
  readonly goesOn?: boolean
}

/** There is one more partition: a file that was made after the start, or one that was cut and written anew. */
export interface PartitionStart {
  readonly kind: 'assigned'
  /** The next number. */
  readonly partition: number
  readonly info: PartitionInfo
}

/** The partition has ended: it no longer holds event time back. */
export interface PartitionEnd {
  readonly kind: 'end'
  readonly partition: number
}

export interface SourceContext {
  /** true: read to the end as it stands now and stop. false: follow what grows. */
  readonly untilEnd: boolean
  /** The columns of the topic, so that a format without types (CSV) can be translated. */
  readonly columns: readonly Column[]
  /** Those of them that no record may leave out. */
  readonly required: ReadonlySet<string>
  /** The largest chunk that the engine takes, in bytes; a longer record is handed over as damage. */
  readonly maximumChunkBytes: number
  readonly signal: AbortSignal
  /**
   * By the name of a partition where it goes on: records before that are not handed out again. A partition that is not
   * named begins at its start.
   */
  readonly from: ReadonlyMap<string, ResumePoint>
  /** Takes what somebody should know and no record shows: a column that a file does not have. */
  readonly onWarning: (warning: MillraceError) => void
  /** Name of the topic that the records are for: keys may be made for one topic only. */
  readonly topic: string
  readonly dataDirectory: string
  /** Where sources that are pushed to take connections. */
  readonly listen: Listen
  /** Why the run does not do all of its work just now, in words for anybody; null: it does. Absent: always null. */
  readonly notReady?: () => string | null
}

/** The address of the HTTP sources of a pipeline; they share it, each with a path of its own. */
export interface Listen {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** PEM texts; null: plain HTTP. */
  readonly tls: { readonly certificate: string; readonly key: string } | null
  /** Addresses or networks whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[]
  /** Whether every request needs an API key. Default: as soon as one has been made, and always off loopback. */
  readonly keys: 'required' | 'when-made'
}

export interface Source {
  /** Whether the records can be read again from any position; absent: yes. One that is pushed to says false. */
  readonly replays?: boolean
  /** Of a source whose messages have idempotency keys: how long they are remembered. Default: KEY_MEMORY. */
  readonly keyMemory?: KeyMemory
  /**
   * Whether all records are in one partition, whatever comes; absent: no. Else records of one key may be in several, and
   * with progress by key each of them is judged within its own.
   */
  readonly hasOnePartition?: boolean
  /** Where a person or a device sends to, once it is open: `http://127.0.0.1:4401/sensor-logger`. */
  readonly address?: string | null
  /** The partitions, each with the name that dead letters and progress show; files in a stable order. */
  open(context: SourceContext): Promise<readonly PartitionInfo[]>
  /**
   * Waits until there is something to say. With `untilEnd` it never answers `idle`. Of several partitions the one that
   * `reachedIn` says is furthest behind comes next; without, they take turns. A source that is pushed to answers
   * `pushed` with all that waits (up to `maximumChunkBytes`), and `idle` when nothing came for 200 ms.
   */
  read(reachedIn?: ReachedIn | null): Promise<Chunk | Pushed | Damage | Idle | PartitionStart | PartitionEnd | null>
  /**
   * The first records of each partition that is read from its start, as NDJSON, where the source can say them before it is
   * read: then partitions that begin later wait for their turn. `read` gives them again.
   */
  heads?(): AsyncIterable<{ readonly partition: number; readonly bytes: Uint8Array }>
  close(): Promise<void>
}

/** How far event time has come in a partition, -Infinity before its first record. */
export type ReachedIn = (partition: number) => number

/**
 * A source whose bytes are NDJSON in plain files also offers their ranges, so that workers can read them in parallel;
 * `start`: where the first line begins that is still to be read.
 * null: this source cannot be split.
 */
export interface SplittableSource extends Source {
  plainFiles(): readonly { readonly path: string; readonly bytes: number; readonly start?: number }[] | null
}

export interface SinkContext {
  /** namespace/pipeline/output: the name under which the ledger keeps this stream's position. */
  readonly consumer: string
  /** Changes when the stream is no longer the one that the ledger speaks of. */
  readonly incarnation: string
  readonly dataDirectory: string
  readonly columns: readonly Column[]
  /** Columns that identify a row for an upsert; empty for an append. */
  readonly key: readonly string[]
}

export interface Sink {
  /** One sentence, shown by `plan` and in the docs: what is guaranteed after a crash. */
  readonly guarantee: string
  /** How long each call may take. Default: open 5 m, write 1 m, commit 10 m, close 30 s. */
  readonly deadlines_ms?: Readonly<Partial<Record<'open' | 'write' | 'commit' | 'close', number>>>
  /** Resolves to the number of rows of this stream that the sink holds already. */
  open(context: SinkContext): Promise<number>
  write(batch: Batch): Promise<void>
  commit(position: number): Promise<void>
  close(): Promise<void>
}

/** What `SourceReference.open` resolves to. */
export interface SourceModule {
  openSource(options: Readonly<Record<string, unknown>>): Promise<Source>
}

/** What `SinkReference.open` resolves to. */
export interface SinkModule {
  openSink(options: Readonly<Record<string, unknown>>): Promise<Sink>
}

/** Loads the connector's code and makes the source; nothing outside is touched before its `open`. */
export async function loadSource(reference: SourceReference): Promise<Source> {
  return ((await reference.open()) as SourceModule).openSource(reference.options)
}

/**
 * Loads the connector's code and makes the sink; nothing outside is touched before its `open`. Throws PIPELINE_INVALID
 * for a connector that only reads.
 */
export async function loadSink(reference: SinkReference): Promise<Sink> {
  const module = (await reference.open()) as Partial<SinkModule>
  if (module.openSink !== undefined) return module.openSink(reference.options)
  throw new MillraceError('PIPELINE_INVALID', `The connector ${reference.connector} cannot be delivered to.`)
}
