/** Opens what the streams of a plan go to, each at the place where the last epoch left it. */
import type { DeliverNode, Plan, StreamNode, TopicNode } from '../../plan/nodes.ts'
import { panelStreamsOf, readOf, stepsOf } from '../../plan/walk.ts'
import type { MillraceError } from '../../system/errors.ts'
import type { Store } from '../checkpoint/store.ts'
import { Target, type TargetOptions } from '../consumers/target.ts'
import { WatchedStep } from '../consumers/watchers.ts'
import { digest, type Sources, streamIncarnation } from '../ingest/input-names.ts'
import type { Terminal } from '../process/topics.ts'
import type { RowForm } from './stored-rows.ts'
import { TopicOutput } from './topic-output.ts'

/** Rows that a sink has taken out of the log of its own stream are kept for so long, and never fewer than it needs. */
const DELIVERY_LOG_BYTES = 64 * 1024 * 1024

export interface OutputsOptions extends Omit<TargetOptions, 'pipeline' | 'known'> {
  readonly plan: Plan
  readonly store: Store
  readonly sources: Sources
  /** Those who watch, by step. */
  readonly watched: Map<string, WatchedStep>
}

export interface Outputs {
  readonly topics: readonly TopicOutput[]
  /** By identity of the step. */
  readonly watched: Map<string, WatchedStep>
  readonly terminals: readonly Terminal[]
}

/** `targets` gets each sink as soon as it is to be closed. */
export async function openOutputs(options: OutputsOptions, targets: Target[]): Promise<Outputs> {
  const { plan, store } = options
  const topics = plan.produces.map(({ stream, topic }) => openTopic(options, stream, topic, 'rows'))
  const terminals: Terminal[] = topics.map((output, index) => {
    return { stream: output.stream, topic: plan.produces[index]!.topic, output }
  })
  for (const node of plan.delivers) {
    const { stream } = node
    const source = readOf(stream).topic
    let log = topics.find(output => output.stream === stream) ?? null
    // What keeps state, or comes out of another stream, cannot be made again from a stretch of records: it is stored.
    if (log === null && !(isStateless(stream) && hasSource(options.sources, source))) {
      log = openTopic(options, stream, deliveryLog(node), 'columns')
      topics.push(log)
      terminals.push({ stream, topic: null, output: log })
    }
    const known = store.header?.outputs[node.name]
    const target = new Target(node, log, { ...options, pipeline: `${plan.namespace}/${plan.name}`, known })
    targets.push(target)
    await openTarget(target, log?.rows ?? known?.rows ?? (store.header === null ? 0 : null), options)
    terminals.push({ stream, topic: null, output: target.delivery })
  }
  const { watched } = options
  const shown = [...terminals.map(terminal => terminal.stream), ...panelStreamsOf(plan)]
  const looked = stepsOf(plan).filter(step => watched.has(step.identity))
  for (const stream of new Map([...shown, ...looked].map(step => [step.identity, step])).values()) {
    const output = watched.get(stream.identity) ?? new WatchedStep()
    // Records that only pass by come all the time: those who look at them can wait for the next epoch.
    output.begin(isStateless(stream) ? () => {} : options.onRows)
    watched.set(stream.identity, output)
    terminals.push({ stream, topic: null, output })
  }
  return { topics, watched, terminals }
}

/** A sink that cannot be opened just now, in a run that was at work already, begins behind. */
async function openTarget(target: Target, rows: number | null, { mayFallBehind }: OutputsOptions): Promise<void> {
  if (rows !== null) target.delivery.begin(rows)
  try {
    await target.open(rows)
  } catch (error) {
    if (rows === null || !mayFallBehind(error)) throw error
    target.delivery.leave(error as MillraceError)
  }
}

function openTopic(
  { store, identity, onRows }: OutputsOptions,
  stream: StreamNode,
  topic: Pick<TopicNode, 'name' | 'retention'>,
  form: RowForm,
): TopicOutput {
  const log = store.derived(topic, streamIncarnation(stream, identity), form)
  return new TopicOutput(topic.name, stream, log, form, onRows)
}

/** What keeps rows on their way to one sink. */
function deliveryLog(node: DeliverNode): Pick<TopicNode, 'name' | 'retention'> {
  const name = node.stream.identity.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 160)
  return {
    name: `${name}-${digest(node.stream.identity).slice(0, 8)}`,
    retention: { time_us: null, bytes: DELIVERY_LOG_BYTES },
  }
}

function hasSource(sources: Sources, topic: TopicNode): boolean {
  return [...sources.keys()].some(({ name }) => name === topic.name)
}

/** Whether the rows of a stream are a function of one record each. */
function isStateless(stream: StreamNode): boolean {
  if (stream.kind === 'read') return true
  return stream.kind !== 'window' && stream.kind !== 'dedupe' && stream.kind !== 'finals' && isStateless(stream.input)
}
