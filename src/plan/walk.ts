/** Ways through a plan. */
import type { Lambda } from './expression/lambda.ts'
import type { DeliverNode, Plan, ProduceNode, ReadNode, StreamNode } from './nodes.ts'

export type Output = ProduceNode | DeliverNode

export function outputsOf(plan: Plan): readonly Output[] {
  return [...plan.produces, ...plan.delivers]
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

/** Every step of the plan, each once, inputs before what uses them. */
export function stepsOf(plan: Plan): readonly StreamNode[] {
  return [...new Set(outputsOf(plan).flatMap(({ stream }) => chainOf(stream)))]
}

/** The user's functions in a step, each with the column that it makes; a filter's makes none. */
export function lambdasOf(node: StreamNode): readonly { readonly column: string | null; readonly lambda: Lambda }[] {
  if (node.kind === 'filter') return [{ column: null, lambda: node.predicate }]
  return node.kind === 'derive' ? node.derived.map(({ name, lambda }) => ({ column: name, lambda })) : []
}
