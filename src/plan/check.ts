/** What can be said about a plan before it runs: `error` keeps it from running, `warning` and `note` do not. */
import { formatDuration } from './duration.ts'
import { timeColumnOf } from './event-time.ts'
import { DOUBLE_DIGITS, EXACT_DIGITS_MAX } from './exact.ts'
import { inexact } from './expression/duckdb.ts'
import { opaqueLambdas } from './fingerprint.ts'
import { outputName } from './identity.ts'
import { formatLocation } from './location.ts'
import type {
  DedupeNode,
  DeliverNode,
  EventTime,
  Plan,
  ProduceNode,
  StreamNode,
  TopicNode,
  WindowNode,
} from './nodes.ts'
import type { Location } from './schema.ts'
import { hasState } from './traits.ts'
import { chainOf, lambdasOf, readOf, stepsOf } from './walk.ts'
import { slowReason } from './wire.ts'
import { readSchema } from './zod.ts'

type FindingCode =
  | 'EVENT_TIME_MISSING'
  | 'EVENT_TIME_HIDDEN'
  | 'LAMBDA_OPAQUE'
  | 'FUNCTION_INEXACT'
  | 'TOPIC_UNBOUND'
  | 'TOPIC_FED_TWICE'
  | 'RETENTION_SHORT'
  | 'WINDOW_TWICE'
  | 'DECODE_SLOW'
  | 'DECIMAL_LONG'
  | 'COLUMNS_ALIKE'
  | 'KEY_NULLABLE'

export interface Finding {
  readonly severity: 'error' | 'warning' | 'note'
  readonly code: FindingCode
  readonly message: string
  readonly location: Location | null
  readonly wayOut: string
}

const RANK = { error: 0, warning: 1, note: 2 } as const

/** All findings, errors first. */
export function checkPlan(plan: Plan): readonly Finding[] {
  const steps = stepsOf(plan)
  const findings = [
    ...steps.flatMap(node => [...timeFindings(node), ...lambdaFindings(node, steps)]),
    ...plan.topics.flatMap(topic => topicFindings(plan, topic)),
    ...plan.produces.flatMap(produce => repeatFindings(produce, steps)),
    ...plan.delivers.flatMap(tableFindings),
  ]
  return findings.sort((a, b) => RANK[a.severity] - RANK[b.severity])
}

/** One finding as the command line prints it. */
export function formatFinding({ severity, code, message, location, wayOut }: Finding): string {
  const place = location === null ? '' : `${formatLocation(location)}: `
  return `${place}${severity} ${code}: ${message}\n  ${wayOut}`
}

function timeFindings(node: StreamNode): readonly Finding[] {
  if (node.kind !== 'window' && node.kind !== 'dedupe') return []
  const { topic } = readOf(node)
  const { location } = node
  if (topic.eventTime === null) {
    return [
      {
        severity: 'error',
        code: 'EVENT_TIME_MISSING',
        message: `${node.identity} goes by event time, and topic '${topic.name}' has none`,
        location,
        wayOut:
          "Say which field it is: { eventTime: { field: 'time', disorder: '5 s' } }; an untyped topic needs a schema for it.",
      },
    ]
  }
  return [...hiddenTimeFindings(node, topic), ...retentionFindings(node, topic, topic.eventTime)]
}

/** A window over the elements of an array, say, goes by the time of the record that holds it: never without a word. */
function hiddenTimeFindings(
  { identity, input, location }: WindowNode | DedupeNode,
  topic: TopicNode,
): readonly Finding[] {
  if (timeColumnOf(input) !== null || chainOf(input).some(({ kind }) => kind === 'window')) return []
  return [
    {
      severity: 'note',
      code: 'EVENT_TIME_HIDDEN',
      message: `${identity} goes by '${topic.eventTime!.column}' of topic '${topic.name}', which is no column of its rows any more`,
      location,
      wayOut:
        "To go by another time, send the rows to a topic that declares it, and go on with what that gives: .to(topic('parts', schema, { eventTime: { field: 'at' } })).",
    },
  ]
}

function retentionFindings(node: WindowNode | DedupeNode, topic: TopicNode, eventTime: EventTime): readonly Finding[] {
  const { location } = node
  const needed =
    (node.kind === 'window' ? node.size_us + node.allowedLateness_us : node.within_us) + eventTime.disorder_us
  if (topic.retention.time_us === null || topic.retention.time_us >= needed) return []
  const kept = formatDuration(topic.retention.time_us)
  return [
    {
      severity: 'warning',
      code: 'RETENTION_SHORT',
      message: `${node.identity} spans ${formatDuration(needed)}, but topic '${topic.name}' keeps ${kept}: it cannot be rebuilt from the log`,
      location,
      wayOut: `Keep the topic for at least ${formatDuration(needed)}.`,
    },
  ]
}

/** What reads a topic of results counts each row: a window that came out by silence, and once more, counts twice. */
function repeatFindings({ stream, topic, location }: ProduceNode, steps: readonly StreamNode[]): readonly Finding[] {
  const window = chainOf(stream).find(({ kind }) => kind === 'window')
  if (window === undefined || window.stream.kind !== 'append') return []
  const reader = steps.find(step => hasState(step) && readOf(step).topic.name === topic.name)
  if (reader === undefined) return []
  return [
    {
      severity: 'warning',
      code: 'WINDOW_TWICE',
      message: `${reader.identity} reads the results of ${window.identity} from topic '${topic.name}': in a run without an end, a window that came out because its input fell silent comes out again when a record in time follows, and both rows are read`,
      location,
      wayOut:
        "Only last words: give the window { late: 'restate', allowedLateness: '0 s' } and put .finals() before .to(); then silence lets none out.",
    },
  ]
}

function lambdaFindings(node: StreamNode, steps: readonly StreamNode[]): readonly Finding[] {
  return lambdasOf(node).flatMap(({ column, lambda }): Finding[] => {
    const location = lambda.location ?? node.location
    const what = column === null ? `the predicate of ${node.identity}` : `'${column}' of ${node.identity}`
    if (lambda.expression === null) {
      const stateful = steps.find(
        step => hasState(step) && chainOf(step).includes(node) && opaqueLambdas(step).includes(lambda),
      )
      const state =
        stateful === undefined ? '' : `; the state of ${stateful.identity} cannot be verified after a change`
      return [
        {
          severity: 'warning',
          code: 'LAMBDA_OPAQUE',
          message: `${what} is called once a row: ${lambda.opaque?.reason ?? 'it could not be read'}${state}`,
          location,
          wayOut: lambda.opaque?.wayOut ?? 'Write it as one expression of the row.',
        },
      ]
    }
    const names = inexact(lambda.expression)
    if (names.length === 0) return []
    return [
      {
        severity: 'note',
        code: 'FUNCTION_INEXACT',
        message: `${what} uses ${names.join(', ')}: other engines may differ in the last bits (a relative 5e-16), so a threshold on it may flip`,
        location,
        wayOut:
          'Compare with a tolerance, or use + - * / % Math.sqrt Math.floor and x ** 2, which are exact everywhere.',
      },
    ]
  })
}

function topicFindings(plan: Plan, topic: TopicNode): readonly Finding[] {
  const { location, name } = topic
  const ingested = plan.ingests.some(ingest => ingest.topic.name === name)
  const produced = plan.produces.some(produce => produce.topic.name === name)
  const findings: Finding[] = []
  if (!ingested && !produced) {
    findings.push({
      severity: 'warning',
      code: 'TOPIC_UNBOUND',
      message: `nothing feeds topic '${name}'`,
      location,
      wayOut: `Bind a source in the pipeline, ingest(source, topic), or give a file: --input ${name}=FILE.`,
    })
  }
  if (ingested && produced) {
    findings.push({
      severity: 'error',
      code: 'TOPIC_FED_TWICE',
      message: `topic '${name}' gets records from a source and from a stream`,
      location,
      wayOut: 'Use a topic for each.',
    })
  }
  for (const { name: column, decimal } of topic.columns) {
    if (decimal === undefined || decimal.precision <= DOUBLE_DIGITS) continue
    const isExact = decimal.precision <= EXACT_DIGITS_MAX
    findings.push({
      severity: 'warning',
      code: 'DECIMAL_LONG',
      message: `'${column}' of topic '${name}' has ${decimal.precision} digits: ${isExact ? 'a lambda sees' : 'it is kept as'} the nearest double, which has ${DOUBLE_DIGITS}`,
      location,
      wayOut: isExact
        ? 'Keys, comparisons, sums and outputs are exact; calculate in lambdas only where 15 digits are enough.'
        : `Use at most ${EXACT_DIGITS_MAX} digits, which are kept exactly.`,
    })
  }
  const slow = topic.schema === null || !ingested ? null : slowReason(readSchema(topic.schema).wire)
  if (slow !== null) {
    findings.push({
      severity: 'note',
      code: 'DECODE_SLOW',
      message: `every record of topic '${name}' goes through JSON and zod one by one: ${slow}`,
      location,
      wayOut: 'Objects, numbers, texts, booleans, enums and timestamps decode several times faster.',
    })
  }
  return findings
}

function tableFindings(deliver: DeliverNode): readonly Finding[] {
  const { target, stream, location } = deliver
  if (target.kind !== 'table') return []
  const findings: Finding[] = []
  const seen = new Map<string, string>()
  for (const { name } of stream.columns) {
    const other = seen.get(name.toLowerCase())
    seen.set(name.toLowerCase(), name)
    if (other === undefined) continue
    findings.push({
      severity: 'error',
      code: 'COLUMNS_ALIKE',
      message: `columns '${other}' and '${name}' of ${outputName(deliver)} differ only in case, which SQL does not tell apart`,
      location,
      wayOut: `Rename one: .rename({ '${name}': 'other_name' }).`,
    })
  }
  if (target.mode === 'append') return findings
  for (const name of target.key) {
    if (stream.columns.find(column => column.name === name)?.nullable !== true) continue
    findings.push({
      severity: 'warning',
      code: 'KEY_NULLABLE',
      message: `'${name}' in the key of ${outputName(deliver)} can be null`,
      location,
      wayOut: `Put .require('${name}') before it.`,
    })
  }
  return findings
}
