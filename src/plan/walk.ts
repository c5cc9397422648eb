/** Ways through a plan. */
import type { Lambda } from './expression/lambda.ts'
import type { DeliverNode, PanelNode, Plan, ProduceNode, ReadNode, StreamNode } from './nodes.ts'

export type Output = ProduceNode | DeliverNode

/** What leaves the pipeline for good: what panels show is not among it. */
export function outputsOf(plan: Plan): readonly Output[] {
  return [...plan.produces, ...plan.delivers]
}

export function panelsOf(plan: Plan): readonly PanelNode[] {
  return plan.dashboards.flatMap(({ panels }) => panels)
}

/** The streams that panels show, each once. */
export function panelStreamsOf(plan: Plan): readonly StreamNode[] {
  return [...new Set(panelsOf(plan).map(({ stream }) => stream))]
}

/** The steps from the topic to this one, in order, both included. */
export function chainOf(stream: StreamNode): readonly StreamNode[] {
  const chain: StreamNode[] = [stream]
  for (let node = stream; node.kind !== 'read'; ) {
    node = node.input
    chain.unshift(node)
  }
  return chain
}

/** The topic at which a stream begins. */
export function readOf(stream: StreamNode): ReadNode {
  let node = stream
  while (node.kind !== 'read') node = node.input
  return node
}

/** Every step of the plan, each once, inputs before what uses them; those that only panels show too. */
export function stepsOf(plan: Plan): readonly StreamNode[] {
  const streams = [...outputsOf(plan).map(({ stream }) => stream), ...panelStreamsOf(plan)]
  return [...new Set(streams.flatMap(chainOf))]
}

/** The user's functions in a step, each with the column that it makes; a filter's makes none. */
export function lambdasOf(node: StreamNode): readonly { readonly column: string | null; readonly lambda: Lambda }[] {
  if (node.kind === 'filter') return [{ column: null, lambda: node.predicate }]
  return node.kind === 'derive' ? node.derived.map(({ name, lambda }) => ({ column: name, lambda })) : []
}
