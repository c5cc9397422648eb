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
 * **Sink.** A sink is a consumer with a position of its own. The runtime calls `open` with the columns; it answers with
 * the number of rows of this stream that it holds already (from its ledger), and the runtime sends only what follows.
 * `write` gets batches in order and may buffer; `commit` makes all that was written durable together with the position,
 * or throws, and then nothing of it counts. An error ends the run; the next
 * run opens the sink anew and sends again from the position that it answers. `close` gives up everything that was not committed.
 * A call may come before the one before it has resolved: a sink works on them in the order in which they came.
 */
import type { Batch } from '../engine/batch.ts'
import type { SinkReference, SourceReference } from '../plan/nodes.ts'
import type { Column } from '../plan/schema.ts'

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
}

/** Nothing is there now, but more may come: the source follows something that grows. */
export interface Idle {
  readonly kind: 'idle'
}

/** The partition has ended: it no longer holds event time back. */
export interface PartitionEnd {
  readonly kind: 'end'
  readonly partition: number
}

export interface SourceContext {
  /** true: read to the end as it stands now and stop. false: follow what grows. */
  readonly untilEnd: boolean
  /**
   * true: partitions one after the other in their order, where that is possible, because a key may go on in the next one.
   * false: all at once, because event time waits for the last of them.
   */
  readonly oneByOne: boolean
  /** The columns of the topic, so that a format without types (CSV) can be translated. */
  readonly columns: readonly Column[]
  /** The largest chunk that the engine takes, in bytes; a longer record is handed over as damage. */
  readonly maximumChunkBytes: number
  readonly signal: AbortSignal
}

export interface Source {
  /** The partitions, each with the name that dead letters and progress show; files in a stable order. */
  open(context: SourceContext): Promise<readonly { readonly name: string; readonly bytes: number | null }[]>
  /** Waits until there is something to say. With `untilEnd` it never answers `idle`. */
  read(): Promise<Chunk | Damage | Idle | PartitionEnd | null>
  close(): Promise<void>
}

/**
 * A source whose bytes are NDJSON in plain files also offers their ranges, so that workers can read them in parallel.
 * null: this source cannot be split.
 */
export interface SplittableSource extends Source {
  plainFiles(): readonly { readonly path: string; readonly bytes: number }[] | null
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

/** Loads the connector's code and makes the sink; nothing outside is touched before its `open`. */
export async function loadSink(reference: SinkReference): Promise<Sink> {
  return ((await reference.open()) as SinkModule).openSink(reference.options)
}
