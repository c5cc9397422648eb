/** A plan as a tree that people read: topics, the steps below them, outputs as the leaves. */
import { formatBytes, formatDuration } from './duration.ts'
import { hasOwnTime, timeColumnOf } from './event-time.ts'
import type { Lambda } from './expression/lambda.ts'
import { normalise } from './expression/normalise.ts'
import { fingerprint, opaqueLambdas } from './fingerprint.ts'
import type {
  AggregateNode,
  DeliverNode,
  PanelNode,
  Plan,
  ReadNode,
  StreamNode,
  TopicNode,
  WindowNode,
} from './nodes.ts'
import { type Column, formatUnit } from './schema.ts'
import { type Output, outputsOf, panelStreamsOf, readOf, stepsOf } from './walk.ts'
import { slowReason } from './wire.ts'
import { readSchema } from './zod.ts'

export interface ExplainOptions {
  /** What each sink guarantees, in its own sentence, where it is known. */
  readonly guarantees?: ReadonlyMap<DeliverNode, string>
}

interface Entry {
  readonly title: string
  readonly details: readonly string[]
  readonly children: readonly Entry[]
}

/** The plan as text: what is read, each step with its identity, meaning and columns, where it all goes. */
export function explain(plan: Plan, options: ExplainOptions = {}): string {
  const steps = stepsOf(plan)
  const outputs = outputsOf(plan)
  const read = new Set([...outputs.map(({ stream }) => stream), ...panelStreamsOf(plan)].map(readOf))
  const entryOf = (node: StreamNode): Entry => ({
    ...stepEntry(node),
    children: [
      ...steps.filter(step => step.kind !== 'read' && step.input === node).map(entryOf),
      ...outputs.filter(({ stream }) => stream === node).map(output => outputEntry(output, options)),
      ...panelEntries(plan, node),
    ],
  })
  const topics = [...read].map(node => {
    const { children } = entryOf(node)
    return { ...topicEntry(plan, node), children }
  })
  const unread = plan.topics.filter(topic => ![...read].some(node => node.topic.name === topic.name))
  const kept = unread.filter(topic => plan.ingests.some(ingest => ingest.topic.name === topic.name))
  const entries = [...topics, ...kept.map(topic => ({ ...topicLines(plan, topic), children: [] }))]
  const head = `pipeline ${plan.name}, namespace ${plan.namespace}, warehouse ${plan.warehouseFile}`
  return [head, ...entries.flatMap(entry => ['', ...render(entry, '', '')])].join('\n')
}

function render({ title, details, children }: Entry, first: string, rest: string): readonly string[] {
  const bar = children.length > 0 ? '│  ' : '   '
  return [
    `${first}${title}`,
    ...details.map(detail => `${rest}${bar}${detail}`),
    ...children.flatMap((child, index) => {
      const last = index === children.length - 1
      return render(child, `${rest}${last ? '└─ ' : '├─ '}`, `${rest}${last ? '   ' : '│  '}`)
    }),
  ]
}

function topicEntry(plan: Plan, node: ReadNode): Omit<Entry, 'children'> {
  const lines = topicLines(plan, node.topic)
  return node.stream.kind === 'append' ? lines : { ...lines, details: [...lines.details, streamLine(node)] }
}

function topicLines(plan: Plan, topic: TopicNode): Omit<Entry, 'children'> {
  const sources = plan.ingests.filter(ingest => ingest.topic.name === topic.name)
  const streams = plan.produces.filter(produce => produce.topic.name === topic.name)
  const from = [...sources.map(({ source }) => source.connector), ...streams.map(({ stream }) => stream.identity)]
  const { eventTime, retention } = topic
  const time = eventTime && [
    `${eventTime.column} (${formatUnit(eventTime.unit)})`,
    `disorder ${formatDuration(eventTime.disorder_us)}`,
    `progress by ${eventTime.progress}`,
    ...(eventTime.maxAhead_us === null ? [] : [`at most ${formatDuration(eventTime.maxAhead_us)} ahead`]),
    `idle after ${formatDuration(eventTime.idleAfter_us)}`,
  ]
  const facts = [
    ...(topic.key.length > 0 ? [`key: ${topic.key.join(', ')}`] : []),
    `${topic.partitions} ${topic.partitions === 1 ? 'partition' : 'partitions'}`,
    ...(retention.time_us === null ? [] : [`kept ${formatDuration(retention.time_us)}`]),
    ...(retention.bytes === null ? [] : [`kept up to ${formatBytes(retention.bytes)}`]),
  ]
  const slow = topic.schema === null ? null : slowReason(readSchema(topic.schema).wire)
  return {
    title: `topic ${topic.name} <- ${from.length === 0 ? '--input' : from.join(', ')}`,
    details: [
      facts.join('; '),
      time === null ? 'no event time' : `event time: ${time.join('; ')}`,
      ...(slow === null ? [] : [`every record takes the slow path: ${slow}`]),
      columnsLine(topic.columns),
    ],
  }
}

/** A step in two short texts for a picture: what it is, and what it does, without its columns and fingerprint. */
export function labelOf(node: StreamNode): { readonly title: string; readonly detail: string } {
  const [first = '', ...rest] = stepEntry(node).details.filter(
    line => !/^(?:columns|fingerprint): |^rows (?:are only|replace)|^goes by /.test(line),
  )
  // Of a window what it makes comes first: its size is in the title.
  const lines = node.kind === 'window' ? [...rest, first] : [first, ...rest]
  return { title: shortTitle(node), detail: lines.join('; ') }
}

function shortTitle(node: StreamNode): string {
  if (node.kind === 'derive') return `derive ${node.derived.map(({ name }) => name).join(', ')}`
  if (node.kind !== 'window') return node.kind
  const size = formatDuration(node.size_us)
  return node.every_us === node.size_us ? `window ${size}` : `window ${size} every ${formatDuration(node.every_us)}`
}

function stepEntry(node: StreamNode): Omit<Entry, 'children'> {
  const title = `${node.kind} ${node.identity}`
  switch (node.kind) {
    case 'read':
      return { title, details: [] }
    case 'filter':
      return { title, details: [lambdaText(node.predicate)] }
    case 'require':
      return { title, details: [`not null: ${node.required.join(', ')}`] }
    case 'derive':
      return { title, details: node.derived.map(({ name, lambda }) => `${name} = ${lambdaText(lambda)}`) }
    case 'project':
      return {
        title,
        details: [node.projected.map(({ name, from }) => (name === from ? name : `${from} as ${name}`)).join(', ')],
      }
    case 'explode':
      return { title, details: [`a row of each element of ${node.array}`, columnsLine(node.columns)] }
    case 'dedupe':
      return {
        title,
        details: [
          `by ${node.key.join(', ')} within ${formatDuration(node.within_us)}`,
          timeLine(node.input, node.key),
          fingerprintLine(node),
        ],
      }
    case 'window':
      return { title, details: windowLines(node) }
    case 'finals':
      return { title, details: ['only the last word on each window', columnsLine(node.columns), fingerprintLine(node)] }
  }
}

function windowLines(node: WindowNode): readonly string[] {
  const size = formatDuration(node.size_us)
  const shape =
    node.every_us === node.size_us ? `tumbling ${size}` : `hopping ${size} every ${formatDuration(node.every_us)}`
  const late = node.late === 'restate' ? `restate for ${formatDuration(node.allowedLateness_us)}` : node.late
  const early = node.early_us === null ? [] : [`early results every ${formatDuration(node.early_us)}`]
  const by = node.keys.length === 0 ? [] : [`by ${node.keys.join(', ')}`]
  return [
    [shape, ...by, `late rows: ${late}`, ...early].join('; '),
    ...node.aggregates.map(aggregate => `${aggregate.name} = ${aggregateText(aggregate)}`),
    timeLine(node.input, node.keys),
    streamLine(node),
    columnsLine(node.columns),
    fingerprintLine(node),
  ]
}

/** Whose time a step with state goes by. */
function timeLine(input: StreamNode, keys: readonly string[]): string {
  const { name, eventTime } = readOf(input).topic
  if (eventTime === null) return 'goes by no event time'
  const column = timeColumnOf(input)
  const hidden =
    column === null ? ', which is no column of its rows' : column === eventTime.column ? '' : ` (here ${column})`
  const progress =
    eventTime.progress === 'partition' ? 'partition' : hasOwnTime(input, keys) ? 'key' : 'key, the slowest for all'
  const disorder = formatDuration(eventTime.disorder_us)
  return `goes by ${eventTime.column} of topic ${name}${hidden}; disorder ${disorder}; progress by ${progress}`
}

function aggregateText({ function: name, column, fraction }: AggregateNode): string {
  return `${name}(${[column ?? [], fraction ?? []].flat().join(', ')})`
}

function outputEntry(output: Output, options: ExplainOptions): Entry {
  if (output.kind === 'produce')
    return { title: `-> topic ${output.topic.name}`, details: [columnsLine(output.stream.columns)], children: [] }
  const { target } = output
  const guarantee = options.guarantees?.get(output)
  const details = [...(guarantee === undefined ? [] : [guarantee])]
  if (target.kind === 'sink') return { title: `-> ${target.sink.connector}`, details, children: [] }
  const how = target.mode === 'append' ? 'appends' : `upserts by ${target.key.join(', ')}`
  return { title: `-> table ${target.table}, ${how}`, details, children: [] }
}

function panelEntries(plan: Plan, node: StreamNode): readonly Entry[] {
  return plan.dashboards.flatMap(({ title, panels }) =>
    panels
      .filter(({ stream }) => stream === node)
      .map(panel => ({
        title: `-> page ${title}, ${panel.title}: ${panelText(panel)}`,
        details: [],
        children: [],
      })),
  )
}

function panelText(panel: PanelNode): string {
  const by = 'by' in panel && panel.by !== null ? ` by ${panel.by}` : ''
  const over = 'span_us' in panel ? ` over ${formatDuration(panel.span_us)} of ${panel.time}` : ''
  switch (panel.kind) {
    case 'time-series':
      return `lines of ${panel.value}${by}${over}`
    case 'state-timeline':
      return `states of ${panel.state}${by}${over}`
    case 'stat':
      return `${panel.aggregate}(${panel.value ?? ''})${over}`
    case 'bars':
      return `${panel.value === null ? 'rows' : `sum of ${panel.value}`} by ${panel.category}${over}`
    case 'map':
      return `places of ${panel.latitude}, ${panel.longitude}${by}${over}`
    case 'table': {
      const latest = panel.latestBy.length === 0 ? 'latest rows' : `latest row by ${panel.latestBy.join(', ')}`
      return `${latest}, at most ${panel.limit}: ${panel.shown.join(', ')}`
    }
  }
}

function lambdaText(lambda: Lambda): string {
  if (lambda.expression !== null) return normalise(lambda.expression)
  return `${lambda.text.replaceAll(/\s+/g, ' ')}  [opaque: ${lambda.opaque?.reason ?? 'not read'}]`
}

function columnsLine(columns: readonly Column[]): string {
  return `columns: ${columns.map(columnText).join(', ')}`
}

function columnText({ name, type, nullable, decimal }: Column): string {
  const shown = decimal === undefined ? type : `decimal(${decimal.precision}, ${decimal.scale})`
  return `${name} ${shown}${nullable ? '?' : ''}`
}

function streamLine({ stream }: StreamNode): string {
  return stream.kind === 'append' ? 'rows are only added' : `rows replace earlier ones by ${stream.key.join(', ')}`
}

function fingerprintLine(node: StreamNode): string {
  const isWhole = opaqueLambdas(node).length === 0
  return `fingerprint: ${fingerprint(node).slice(0, 12)}${isWhole ? '' : ' (not of what its lambdas capture)'}`
}
