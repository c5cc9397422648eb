/** Opens what the streams of a plan go to, each at the place where the last epoch left it. */
import type { Sink, SinkContext } from '../connectors/contract.ts'
import type { Warehouse } from '../connectors/duckdb/warehouse.ts'
import { fingerprint } from '../plan/fingerprint.ts'
import type { DeliverNode, Plan, StreamNode, TopicNode } from '../plan/nodes.ts'
import { panelStreamsOf, readOf, stepsOf } from '../plan/walk.ts'
import type { Clock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import type { OutputPosition } from './header.ts'
import { digest, type Sources } from './input-names.ts'
import { Delivery, sinkOf, TopicOutput } from './output.ts'
import type { Store } from './store.ts'
import type { RowForm } from './stored-rows.ts'
import type { Terminal } from './topics.ts'
import { WatchedStep } from './watchers.ts'

/** Rows that a sink has taken out of the log of its own stream are kept for so long, and never fewer than it needs. */
const DELIVERY_LOG_BYTES = 64 * 1024 * 1024

export interface OutputsOptions {
  readonly plan: Plan
  readonly store: Store
  readonly sources: Sources
  /** Of the inputs. */
  readonly identity: string
  readonly dataDirectory: string
  readonly clock: Clock
  readonly commitEvery_ms: number
  readonly warehouse: () => Promise<Warehouse>
  /** Those who watch, by step. */
  readonly watched: Map<string, WatchedStep>
  readonly onRows: () => void
}

/** A sink, where the rows come from that it may lack, and what it committed last. */
export interface Target {
  readonly delivery: Delivery
  /** The stored rows of its stream; null: they are made of the records of `topic` again. */
  readonly log: TopicOutput | null
  readonly topic: TopicNode
  committed: OutputPosition['committed']
}

export interface Outputs {
  readonly topics: readonly TopicOutput[]
  readonly targets: readonly Target[]
  /** By identity of the step. */
  readonly watched: Map<string, WatchedStep>
  readonly terminals: readonly Terminal[]
}

/** `opened` gets each sink as soon as it is to be closed. */
export async function openOutputs(options: OutputsOptions, opened: Sink[]): Promise<Outputs> {
  const { plan } = options
  const topics = plan.produces.map(({ stream, topic }) => openTopic(options, stream, topic, 'rows'))
  const terminals: Terminal[] = topics.map((output, index) => {
    return { stream: output.stream, topic: plan.produces[index]!.topic, output }
  })
  const targets: Target[] = []
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
    const target = await openTarget(options, node, log, opened)
    targets.push(target)
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
  return { topics, targets, watched, terminals }
}

function openTopic(
  { store, identity, onRows }: OutputsOptions,
  stream: StreamNode,
  topic: Pick<TopicNode, 'name' | 'retention'>,
  form: RowForm,
): TopicOutput {
  const log = store.derived(topic, digest(`${fingerprint(stream)}\n${identity}`), form)
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

async function openTarget(
  options: OutputsOptions,
  node: DeliverNode,
  log: TopicOutput | null,
  opened: Sink[],
): Promise<Target> {
  const { plan, store, identity, dataDirectory, clock, commitEvery_ms, onRows } = options
  const { stream } = node
  const { name, sink, key } = await sinkOf(node, options.warehouse)
  opened.push(sink)
  const context: SinkContext = {
    consumer: `${plan.namespace}/${plan.name}/${name}`,
    incarnation: digest(`${fingerprint(stream)}\n${identity}`),
    dataDirectory,
    columns: stream.columns,
    key,
  }
  const held = await sink.open(context)
  const known = store.header?.outputs[name]
  const rows = log === null ? (known?.rows ?? null) : log.rows
  if (held > (rows ?? (store.header === null ? 0 : held))) {
    throw new MillraceError(
      'DATA_DIR_MISMATCH',
      `${name} holds ${held} rows of ${context.consumer}, and the journal in ${dataDirectory} knows of ${rows ?? 0}.`,
      { next: 'Put back copies of both that belong together, or begin with an empty sink and a fresh --data-dir.' },
    )
  }
  const delivery = new Delivery({ name, stream, sink }, held, { clock, commitEvery_ms, onRows })
  const committed = known?.committed ?? { rows: 0, at: null }
  return { delivery, log, topic: readOf(stream).topic, committed }
}

function hasSource(sources: Sources, topic: TopicNode): boolean {
  return [...sources.keys()].some(({ name }) => name === topic.name)
}

/** Whether the rows of a stream are a function of one record each. */
function isStateless(stream: StreamNode): boolean {
  if (stream.kind === 'read') return true
  return stream.kind !== 'window' && stream.kind !== 'dedupe' && stream.kind !== 'finals' && isStateless(stream.input)
}
