/** What a run is asked to do, what it says while it works, and what it says at its end. */
import type { Batch } from '../engine/batch.ts'
import type { WorkerPool } from '../engine/workers/pool.ts'
import type { SourceReference } from '../plan/nodes.ts'

export interface RunOptions {
  readonly dataDirectory: string
  /** Inputs given on the command line; they take the place of the sources that the pipeline declares for the topic. */
  readonly inputs: ReadonlyMap<string, readonly SourceReference[]>
  /** true: read the inputs to their end, close every window, deliver everything. false: follow what grows. */
  readonly untilEnd: boolean
  /** Stop cleanly after this long; null: no limit. */
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
}

export interface TopicProgress {
  readonly topic: string
  readonly records: number
  readonly bytes: number
  /** Bytes that the inputs hold in all; null when nobody can say. */
  readonly bytesTotal: number | null
  readonly deadLetters: number
  readonly late: number
  /** Event time up to which windows are closed, in microseconds; null before the first record. */
  readonly watermark: number | null
}

export interface OutputProgress {
  /** Name of the table, topic or sink. */
  readonly output: string
  readonly rows: number
}

export interface RunProgress {
  readonly elapsed_ms: number
  readonly topics: readonly TopicProgress[]
  readonly outputs: readonly OutputProgress[]
}

export interface RunSummary extends RunProgress {
  readonly dataDirectory: string
  /** `ended`: the inputs ended. `stopped`: a signal or the duration. */
  readonly reason: 'ended' | 'stopped'
}
