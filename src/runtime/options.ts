/** What a run is asked to do, what it says while it works, and what it says at its end. */
import type { Listen, PushOutcome } from '../connectors/contract.ts'
import type { LiveQueryOptions } from '../connectors/duckdb/live-query.ts'
import type { RowStream } from '../connectors/duckdb/rows.ts'
import type { Batch } from '../engine/batch.ts'
import type { StepCounts } from '../engine/step-counts.ts'
import type { WorkerPool } from '../engine/workers/pool.ts'
import type { Plan, SourceReference } from '../plan/nodes.ts'

export interface RunOptions {
  readonly dataDirectory: string
  /** Inputs given on the command line; they take the place of the sources that the pipeline declares for the topic. */
  readonly inputs: ReadonlyMap<string, readonly SourceReference[]>
  /** true: read the inputs to their end, close every window, deliver everything. false: follow what grows. */
  readonly untilEnd: boolean
  /** Stop cleanly when it has been ready for so long; null: no limit. */
  readonly duration_ms: number | null
  /** Stop at the first record that fails its schema instead of keeping it as a dead letter. */
  readonly strict: boolean
  /** Threads that help with what can be shared among them; without, the main one does all. The caller closes it. */
  readonly pool?: WorkerPool | null
  readonly signal: AbortSignal
  /** Called a few times a second while the run works. */
  readonly onProgress: ((progress: RunProgress) => void) | null
  /** Called with the rows that leave each step named here (`tap`), by step identity. */
  readonly taps: ReadonlyMap<string, (batch: Batch) => void>
  /** Where sources that are pushed to take connections. Default: 127.0.0.1:4401, without TLS. */
  readonly listen?: Listen
  /** What topics, journal and warehouse may take; null: as much as the disk holds. Default null. */
  readonly diskBudget_bytes?: number | null
  /** A run with an end gives up on a sink that has committed nothing for so long; null or absent: 5 minutes. */
  readonly sinkTimeout_ms?: number | null
  /** Told what the start waits for, where that takes long. */
  readonly onWait?: (reason: string) => void
  /** Called once, when all is open and before the first record is read; what it resolves to is awaited. */
  readonly onReady?: (run: RunHandle) => void | Promise<void>
}

/** A run at work, for what looks at it from the same process: the console, the owner's socket. */
export interface RunHandle {
  readonly plan: Plan
  readonly dataDirectory: string
  /** Where records can be sent to. */
  readonly addresses: readonly { readonly topic: string; readonly connector: string; readonly address: string }[]
  progress(): RunProgress
  /**
   * Why the run does not do all of its work just now (nothing is taken in, the warehouse takes no rows), in words for
   * anybody; null: it does.
   */
  notReady(): string | null
  /**
   * Rows that leave a step, by its identity, as soon as they are safe; the batch is lent for the call. Answers what ends
   * it. A step that is no output of the plan is looked into from the next epoch on. Throws OPTION_INVALID for a step that
   * there is not.
   */
  watch(step: string, onRows: (batch: Batch) => void): () => void
  /**
   * The last rows of a step that are stored, oldest first: what a page shows before the first new row. None of a step
   * whose rows go to no stored topic.
   */
  history(step: string, rowsMax: number): Iterable<Batch>
  /**
   * One read-only question to the warehouse, as it was committed last; its rows come as they are read. Asking and reading
   * throw QUERY_FAILED.
   */
  query(sql: string, options?: LiveQueryOptions): Promise<RowStream>
  /** Commits an epoch now; resolves when all that the operators have made is safe. */
  checkpoint(): Promise<void>
  /** Writes a copy of the warehouse to a file that is not there yet. Throws FILE_UNWRITABLE. */
  snapshot(path: string): Promise<Snapshot>
  /**
   * Appends records (NDJSON) to a topic that has a schema, as if a client had pushed them. `id`: not again when records of
   * this id were appended here before (see `PushedMessage`); no client can name it. Throws TOPIC_UNKNOWN.
   */
  append(topic: string, lines: Uint8Array, id?: string): Promise<PushOutcome>
}

/** What a copy of the warehouse holds: the rows of one epoch, all of them and no others. */
export interface Snapshot {
  readonly epoch: number
  /**
   * By topic, by partition: where the epoch ended. Records below are in the results, those from here on are not: offsets of
   * what the log holds, else bytes of the source. A derived topic is told too. null: the copy may be ahead of that.
   */
  readonly positions: Readonly<Record<string, readonly number[]>> | null
}

export interface TopicProgress {
  readonly topic: string
  /** All that came: those that the topic took, and `rejected`. */
  readonly records: number
  readonly bytes: number
  /** Bytes that the inputs hold in all; null when nobody can say. */
  readonly bytesTotal: number | null
  /** Rejected records, damage in the sources, and late records that a window keeps. */
  readonly deadLetters: number
  /** Records that the schema refuses: each is a dead letter. */
  readonly rejected: number
  /**
   * Records of messages that were kept already, by their idempotency keys; they are not among `records`. Those of the
   * last moments before a crash are forgotten.
   */
  readonly duplicates: number
  /** Rows that count in no window of a step that they come to. */
  readonly late: number
  /** Fields that records had in this run and the schema does not name: they are in no column. */
  readonly undeclared_fields: readonly UndeclaredProgress[]
  /** Rows that count in some of the overlapping windows that hold them and are late for the others. */
  readonly partly_late: number
  /** Rows that a dedupe dropped. */
  readonly repeats: number
  /** Event time up to which windows are closed, in microseconds; null before the first record. */
  readonly watermark: number | null
}

export interface UndeclaredProgress {
  /** Its path; null: all that are beyond the first hundred, together. */
  readonly field: string | null
  /** Records that had it. */
  readonly records: number
}

/** Rows that have left a step in this run, and of one with state what became of those that came to it. */
export interface StepProgress extends Partial<Readonly<StepCounts>> {
  readonly step: string
  /** Of stateless steps in a row only the last one is known. */
  readonly rows: number
}

export interface OutputProgress {
  /** Name of the table, topic or sink. */
  readonly output: string
  /** Rows of its stream so far; of a sink that came later, since it came. */
  readonly rows: number
  /** A sink that does not keep up, or fails: what it lacks is kept and given to it as soon as it takes rows. Else null. */
  readonly behind: SinkBehind | null
}

export interface SinkBehind {
  /** Rows of its stream that it does not hold yet. */
  readonly rows: number
  /** What it failed with last; null: it is only slow, or catches up. */
  readonly error: RunWarning | null
}

export interface RunProgress {
  readonly elapsed_ms: number
  /** Number of the last epoch that was committed, earlier runs counted; 0: none. */
  readonly epoch: number
  /** Why nothing is taken in just now (the disk is full), in words for people; null when all is well. */
  readonly held: { readonly code: string; readonly message: string; readonly next: string } | null
  /** What the run goes on in spite of (a damaged file), each once. */
  readonly warnings: readonly RunWarning[]
  /** Records of all topics that came in this run; those of a topic count all runs of the data directory. */
  readonly newRecords: number
  readonly topics: readonly TopicProgress[]
  readonly steps: readonly StepProgress[]
  readonly outputs: readonly OutputProgress[]
}

/** A code of the table of errors, what is wrong and where, and what to do, in words for people. */
export interface RunWarning {
  readonly code: string
  readonly message: string
  readonly next: string
}

export interface RunSummary extends RunProgress {
  readonly dataDirectory: string
  /** `ended`: the inputs ended. `stopped`: a signal or the duration. */
  readonly reason: 'ended' | 'stopped'
}
