/** What the journal keeps of each epoch beside the state. */
import type { TopicPosition } from './partitions.ts'

export interface EpochHeader {
  readonly pipeline: string
  readonly namespace: string
  /** Of the inputs: another one, and this run is not the continuation. */
  readonly identity: string
  /** By identity of a step with state what it means. */
  readonly fingerprints: Readonly<Record<string, string>>
  readonly topics: Readonly<Record<string, TopicPosition>>
  /** By topic that the pipeline writes the number of its rows. */
  readonly lengths: Readonly<Record<string, number>>
  /** Dead letters, by what refused. */
  readonly letters: { readonly ingestion: number; readonly processing: number }
  /** By topic whose log the run appends what is pushed to. */
  readonly incarnations: Readonly<Record<string, string>>
  readonly outputs: Readonly<Record<string, OutputPosition>>
  /** The inputs were read to their end, and all windows closed. */
  readonly ended: boolean
}

/** How far the sink of a stream was when it committed last. */
export interface OutputPosition {
  /** Rows of the stream at this epoch. */
  readonly rows: number
  readonly committed: { readonly rows: number; readonly at: TopicPosition | null }
}
