/** Collects what a pipeline's function declares, and makes the frozen plan of it. */
import { assignIdentities } from '../plan/identity.ts'
import type {
  DashboardNode,
  DeliverNode,
  IngestNode,
  Plan,
  ProduceNode,
  ReadNode,
  SourceReference,
  StreamNode,
  TopicNode,
} from '../plan/nodes.ts'
import type { Location } from '../plan/schema.ts'
import { readOf } from '../plan/walk.ts'
import { refuseWithoutRevision } from './changelog.ts'
import { columnNamed, refusal } from './refuse.ts'
import { COMPARABLE } from './step.ts'
import { conform } from './steps.ts'
import type { Topic, UntypedTopic } from './topic.ts'

type AnyTopic = Topic<unknown> | UntypedTopic

/** The topic that every run has. */
const REJECTED_RECORDS = 'dead_letters'

export class Builder {
  readonly #topics = new Map<string, { readonly declared: TopicNode; node: TopicNode }>()
  readonly #reads = new Map<string, ReadNode>()
  readonly #ingests: IngestNode[] = []
  readonly #produces: ProduceNode[] = []
  readonly #delivers: Omit<DeliverNode, 'name'>[] = []
  readonly #dashboards: DashboardNode[] = []
  #done = false

  ingest(source: SourceReference, topic: AnyTopic, location: Location | null): void {
    this.#refuseLate('ingest', location)
    if (source?.kind !== 'source' && source?.kind !== 'source-and-sink') {
      throw refusal(
        'PIPELINE_INVALID',
        'ingest: the first argument is no source',
        location,
        "Write ingest(file({ path: 'readings.ndjson' }), topic).",
      )
    }
    if (topic.kind === 'untyped topic') {
      const next = `Give it one: topic('${topic.name}', z.object({ ... })).`
      throw refusal('PIPELINE_INVALID', `ingest: topic '${topic.name}' has no schema`, location, next)
    }
    this.#ingests.push(Object.freeze({ kind: 'ingest', source, topic: this.#register(topic, location), location }))
  }

  read(topic: AnyTopic, location: Location | null): ReadNode {
    this.#refuseLate('from', location)
    const node = this.#register(topic, location)
    if (node.columns.length === 0) {
      const message = `from: nothing was sent to topic '${topic.name}' yet, so it has no columns`
      throw refusal('PIPELINE_INVALID', message, location, 'Give it a schema, or write .to(topic) before from(topic).')
    }
    const known = this.#reads.get(topic.name)
    if (known !== undefined) return known
    const revised = this.#produces.find(({ topic: { name } }) => name === node.name)?.stream.stream
    const read: ReadNode = {
      kind: 'read',
      topic: node,
      columns: node.columns,
      stream: revised ?? Object.freeze({ kind: 'append' }),
      identity: node.name,
      location,
    }
    this.#reads.set(topic.name, Object.freeze(read))
    return read
  }

  produce(stream: StreamNode, topic: AnyTopic, location: Location | null): void {
    this.#refuseLate('to', location)
    this.#refuseForeign(stream, location)
    refuseWithoutRevision(stream, `.to('${topic.name}')`, location)
    const declared = this.#register(topic, location)
    if (this.#feeds(topic.name).has(readOf(stream).topic.name)) {
      const next = 'Send the stream to another topic.'
      throw refusal('PIPELINE_INVALID', `to: topic '${topic.name}' would be fed from itself`, location, next)
    }
    if (this.#produces.some(({ topic: { name } }) => name === topic.name)) {
      const next = 'Send each stream to a topic of its own.'
      throw refusal('PIPELINE_INVALID', `to: topic '${topic.name}' already takes another stream`, location, next)
    }
    if (topic.kind === 'untyped topic') {
      const node = Object.freeze({ ...declared, columns: stream.columns })
      this.#topics.get(topic.name)!.node = node
      this.#produces.push(Object.freeze({ kind: 'produce', stream, topic: node, location }))
      return
    }
    const early = this.#reads.get(topic.name)
    if (early !== undefined && early.stream.kind !== stream.stream.kind) {
      const message = `to: topic '${topic.name}' is read before this stream, which revises its windows, is sent to it`
      throw refusal('PIPELINE_INVALID', message, location, 'Put .finals() before .to(), or write .to() before from().')
    }
    const fitting = Object.freeze(conform(stream, declared, location))
    this.#produces.push(Object.freeze({ kind: 'produce', stream: fitting, topic: declared, location }))
  }

  deliver(stream: StreamNode, target: DeliverNode['target'], location: Location | null): void {
    this.#refuseLate('deliver', location)
    this.#refuseForeign(stream, location)
    if (target.kind === 'table') this.#checkTable(stream, target, location)
    else {
      if (target.sink?.kind !== 'sink' && target.sink?.kind !== 'source-and-sink') {
        throw refusal(
          'PIPELINE_INVALID',
          'deliver: the second argument is no sink',
          location,
          "Write deliver(stream, file({ path: 'results.ndjson' })).",
        )
      }
      refuseWithoutRevision(stream, 'deliver', location)
    }
    this.#delivers.push(Object.freeze({ kind: 'deliver', stream, target: Object.freeze(target), location }))
  }

  show(dashboard: DashboardNode): void {
    const { title, panels, location } = dashboard
    this.#refuseLate('dashboard', location)
    if (this.#dashboards.some(other => other.title === title)) {
      const message = `two dashboards are titled ${JSON.stringify(title)}`
      throw refusal('PIPELINE_INVALID', message, location, 'Give each its own title.')
    }
    for (const { stream, location: place } of panels) this.#refuseForeign(stream, place)
    this.#dashboards.push(dashboard)
  }

  #checkTable(stream: StreamNode, target: DeliverNode['target'] & { kind: 'table' }, location: Location | null): void {
    const step = `table '${target.table}'`
    if (this.#delivers.some(other => other.target.kind === 'table' && same(other.target.table, target.table))) {
      throw refusal('PIPELINE_INVALID', `${step} already gets a stream`, location, 'Use one table a stream.')
    }
    if (target.mode === 'append') {
      refuseWithoutRevision(stream, `.appends() to ${step}`, location)
      return
    }
    if (target.key.length === 0) {
      const next = `Say which columns identify a row: { key: '${stream.columns[0]?.name ?? 'column'}' }.`
      throw refusal('PIPELINE_INVALID', `${step}: the key names no column`, location, next)
    }
    for (const name of target.key) columnNamed(stream.columns, name, `${step}, key`, location, COMPARABLE)
    if (stream.stream.kind === 'append') return
    const { key } = stream.stream
    const missing = key.find(name => !target.key.includes(name))
    const extra = target.key.find(name => !key.includes(name) && name !== 'window_end')
    if (missing === undefined && extra === undefined) return
    const message = `${step}: this stream revises its windows by ${key.join(', ')}, the table's key is ${target.key.join(', ')}`
    throw refusal(
      'PIPELINE_INVALID',
      message,
      location,
      `Use the stream's key: { key: [${key.map(name => `'${name}'`).join(', ')}] }, or put .finals() before.`,
    )
  }

  plan(
    name: string,
    options: { readonly namespace: string; readonly warehouse: string },
    location: Location | null,
  ): Plan {
    this.#done = true
    const parts = [this.#ingests, this.#produces, this.#delivers, this.#dashboards]
    if (parts.every(list => list.length === 0)) {
      const next = 'Deliver a stream: warehouse.table(name).appends(stream), stream.to(topic) or deliver(stream, sink).'
      throw refusal('PIPELINE_INVALID', `pipeline '${name}' does nothing`, location, next)
    }
    const outputs = assignIdentities(this.#produces, this.#delivers, this.#dashboards)
    return Object.freeze({
      kind: 'plan',
      name,
      namespace: options.namespace,
      warehouseFile: options.warehouse,
      topics: Object.freeze([...this.#topics.values()].map(({ node }) => node)),
      ingests: Object.freeze([...this.#ingests]),
      produces: outputs.produces,
      delivers: outputs.delivers,
      dashboards: outputs.dashboards,
      location,
    })
  }

  #refuseForeign(stream: StreamNode, location: Location | null): void {
    const read = readOf(stream)
    if (this.#reads.get(read.topic.name) === read) return
    const message = `this stream, of topic '${read.topic.name}', belongs to another pipeline`
    throw refusal('PIPELINE_INVALID', message, location, 'Begin it with the from() that this pipeline is given.')
  }

  #register(topic: AnyTopic, location: Location | null): TopicNode {
    if (topic?.kind !== 'topic' && topic?.kind !== 'untyped topic') {
      throw refusal('PIPELINE_INVALID', 'expected a topic', location, "Make one: topic('readings', z.object({ ... })).")
    }
    const known = this.#topics.get(topic.name)
    if (known === undefined) {
      this.#refuseName(topic.name, location)
      this.#topics.set(topic.name, { declared: topic.node, node: topic.node })
      return topic.node
    }
    if (known.declared !== topic.node) {
      const next = 'Declare the topic once, as a const, and use that.'
      throw refusal('PIPELINE_INVALID', `two topics are named '${topic.name}'`, location, next)
    }
    return known.node
  }

  /** A topic is a folder of its name, and some file systems do not tell upper from lower case. */
  #refuseName(name: string, location: Location | null): void {
    if (same(name, REJECTED_RECORDS)) {
      const message = `the topic '${name}' cannot be declared: ${REJECTED_RECORDS} keeps the records that were rejected`
      throw refusal('PIPELINE_INVALID', message, location, 'Give the topic another name.')
    }
    const alike = [...this.#topics.keys()].find(other => same(other, name))
    if (alike === undefined) return
    const message = `the topics '${alike}' and '${name}' differ only in case, which not every file system tells apart`
    throw refusal('PIPELINE_INVALID', message, location, 'Give one of them another name.')
  }

  /** The topic, and all topics that get records made of its own. */
  #feeds(name: string): ReadonlySet<string> {
    const fed = new Set([name])
    for (const topic of fed) {
      for (const produce of this.#produces) if (readOf(produce.stream).topic.name === topic) fed.add(produce.topic.name)
    }
    return fed
  }

  #refuseLate(step: string, location: Location | null): void {
    if (this.#done)
      throw refusal(
        'PIPELINE_INVALID',
        `${step}: the pipeline is already complete`,
        location,
        'Declare everything inside its function, without await.',
      )
  }
}

/** SQL does not tell upper from lower case in names, nor do some file systems. */
function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
