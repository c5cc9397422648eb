/** What the journal keeps of each epoch beside the state. */
import { fingerprint, opaqueLambdas } from '../../plan/fingerprint.ts'
import { formatLocation } from '../../plan/location.ts'
import type { Plan, StreamNode } from '../../plan/nodes.ts'
import { hasState } from '../../plan/traits.ts'
import { stepsOf } from '../../plan/walk.ts'
import { MillraceError } from '../../system/errors.ts'
import type { TopicPosition } from '../ingest/partitions.ts'

export interface EpochHeader {
  readonly pipeline: string
  readonly namespace: string
  /** Of the inputs: another one, and this run is not the continuation. */
  readonly identity: string
  /** By identity of a step with state what it means. */
  readonly fingerprints: Readonly<Record<string, string>>
  /** By output and by input what it means, in digests (changes.ts). Older headers do not have it. */
  readonly meanings?: Readonly<Record<string, string>>
  /** Outputs with rows that an earlier run had, and the last one had not: they lack what came meanwhile. */
  readonly absent?: readonly string[]
  /** Steps with state of which nothing lasts. */
  readonly shown?: readonly string[]
  readonly topics: Readonly<Record<string, TopicPosition>>
  /** By log of a stream (a topic that the pipeline writes, or one on the way to sinks) the number of its rows. */
  readonly lengths: Readonly<Record<string, number>>
  /**
   * Dead letters, by what refused. Those of ingestion in front of it are of messages that are done; `counted`: those that
   * the counts of a topic hold, by topic. Older epochs do not have it.
   */
  readonly letters: {
    readonly ingestion: number
    readonly processing: number
    readonly counted?: Readonly<Record<string, number>>
  }
  /** By topic whose log the run appends what is pushed to. */
  readonly incarnations: Readonly<Record<string, string>>
  readonly outputs: Readonly<Record<string, OutputPosition>>
  /** The inputs were read to their end, and all windows closed. */
  readonly ended: boolean
}

/** How far the sink of a stream was when it committed last. Both numbers count from the sink's own first row. */
export interface OutputPosition {
  /** Rows of the stream at this epoch. */
  readonly rows: number
  readonly committed: { readonly rows: number; readonly at: TopicPosition | null }
}

/** By step with state what it means. */
export function fingerprintsOf(plan: Plan): Record<string, string> {
  return Object.fromEntries(stepsWithState(plan).map(step => [step.identity, fingerprint(step)]))
}

/** Of steps whose state is kept although nobody can say that it means the same as before. */
export function unverified(header: EpochHeader | null, plan: Plan): MillraceError[] {
  if (header === null) return []
  return stepsWithState(plan).flatMap(step => {
    const [lambda] = opaqueLambdas(step)
    if (lambda === undefined || header.fingerprints[step.identity] === undefined) return []
    const place = lambda.location === null ? '' : ` (${formatLocation(lambda.location)})`
    return new MillraceError(
      'STATE_UNVERIFIED',
      `The state of ${step.identity} is kept, behind a lambda that cannot be read${place}: ${lambda.opaque?.reason ?? 'it is no source text'}. Its text is the same; what it captures is not known.`,
    )
  })
}

export function stepsWithState(plan: Plan): StreamNode[] {
  return stepsOf(plan).filter(hasState)
}
