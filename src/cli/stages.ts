/** The steps of a plan by name, and the part of a plan that computes one of them. */
import type { Plan, ProduceNode, StreamNode, TopicNode } from '../plan/nodes.ts'
import { readOf, stepsOf } from '../plan/walk.ts'

/** Every step by its identity, inputs before what reads them. */
export function stagesOf(plan: Plan): Map<string, StreamNode> {
  return new Map(stepsOf(plan).map(node => [node.identity, node]))
}

/** A plan that computes this step and what it needs, and delivers nothing to the outside. */
export function planUpTo(plan: Plan, stage: StreamNode): Plan {
  const produces: ProduceNode[] = []
  const topics = new Set<string>()
  const need = (node: StreamNode) => {
    const { name } = readOf(node).topic
    if (topics.has(name)) return
    topics.add(name)
    for (const produce of plan.produces.filter(({ topic }) => topic.name === name)) {
      need(produce.stream)
      produces.push(produce)
    }
  }
  need(stage)
  const tapped: TopicNode = {
    kind: 'topic',
    name: freeName(plan),
    schema: null,
    columns: stage.columns,
    key: [],
    eventTime: null,
    partitions: 1,
    retention: { time_us: null, bytes: null },
    location: null,
  }
  return {
    ...plan,
    topics: [...plan.topics.filter(topic => topics.has(topic.name)), tapped],
    ingests: plan.ingests.filter(ingest => topics.has(ingest.topic.name)),
    produces: [...produces, { kind: 'produce', stream: stage, topic: tapped, location: null }],
    delivers: [],
    dashboards: [],
  }
}

function freeName(plan: Plan): string {
  let name = 'tap'
  while (plan.topics.some(topic => topic.name === name)) name += '_'
  return name
}
