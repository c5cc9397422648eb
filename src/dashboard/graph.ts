/** The plan as the page draws it: sources, topics, steps and sinks, with what flows from where to where. */
import { labelOf } from '../plan/explain.ts'
import type { DeliverNode, IngestNode, Plan, StreamNode } from '../plan/nodes.ts'
import { readOf, stepsOf } from '../plan/walk.ts'
import type { Graph, GraphNode } from './protocol.ts'

const DETAIL_CHARACTERS_MAX = 300

/** Ids are made of names, so that they are the same after a restart. */
export const topicId = (topic: string): string => `topic/${topic}`
export const sinkId = (output: string): string => `sink/${output}`

export const stepOf = (identity: string): string => `step/${identity}`

export function sourceId(plan: Plan, ingest: IngestNode): string {
  const alike = plan.ingests.filter(
    ({ topic, source }) => topic.name === ingest.topic.name && source.connector === ingest.source.connector,
  )
  return `source/${ingest.topic.name}/${ingest.source.connector}-${alike.indexOf(ingest) + 1}`
}

export function graphOf(plan: Plan): Graph {
  const steps = stepsOf(plan).filter(step => step.kind !== 'read')
  const sinks = namedSinks(plan)
  const nodes: GraphNode[] = [
    ...plan.ingests.map(ingest => node(sourceId(plan, ingest), 'source', ingest.source.connector, placeOf(ingest))),
    ...plan.topics.map(({ name, key }) =>
      node(topicId(name), 'topic', name, key.length === 0 ? '' : `by ${key.join(', ')}`),
    ),
    ...steps.map(step => {
      const { title, detail } = labelOf(step)
      return node(stepId(step), 'step', title, detail)
    }),
    ...sinks.map(({ name, deliver }) => node(sinkId(name), 'sink', name, deliveryText(deliver))),
  ]
  const edges = [
    ...plan.ingests.map(ingest => ({ from: sourceId(plan, ingest), to: topicId(ingest.topic.name) })),
    ...steps.map(step => ({ from: stepId(step.input), to: stepId(step) })),
    ...plan.produces.map(({ stream, topic }) => ({ from: stepId(stream), to: topicId(topic.name) })),
    ...sinks.map(({ name, deliver }) => ({ from: stepId(deliver.stream), to: sinkId(name) })),
  ]
  return { nodes, edges }
}

/** Where a source reads or listens, as the pipeline says it. */
function placeOf({ source: { options } }: IngestNode): string {
  const place = options.path ?? options.export
  return typeof place === 'string' ? place : ''
}

/** A stream's first step is the topic itself. */
function stepId(step: StreamNode): string {
  return step.kind === 'read' ? topicId(readOf(step).topic.name) : stepOf(step.identity)
}

function node(id: string, kind: GraphNode['kind'], title: string, detail: string): GraphNode {
  return { id, kind, title, detail: detail.slice(0, DETAIL_CHARACTERS_MAX) }
}

/** Each delivery with the name that its progress goes by; the second one of a name is numbered. */
function namedSinks(plan: Plan): readonly { readonly name: string; readonly deliver: DeliverNode }[] {
  const taken = new Map<string, number>()
  return plan.delivers.map(deliver => {
    const name = deliver.name
    const count = (taken.get(name) ?? 0) + 1
    taken.set(name, count)
    return { name: count === 1 ? name : `${name} (${count})`, deliver }
  })
}

function deliveryText({ target }: DeliverNode): string {
  if (target.kind === 'sink') return target.sink.connector
  return target.mode === 'append' ? 'table, appended' : `table, upserted by ${target.key.join(', ')}`
}
