/**
 * The stable name of each step: what the user named it, or its output, kind and ordinal: `activity/window-1`.
 *
 * The output is the first topic, then the first table or sink, then the first panel, that the step leads to; ordinals
 * count each kind from the topic towards the output. So a step keeps its name when others of another kind come and go
 * around it, and when a panel shows it.
 */
import { MillraceError } from '../system/errors.ts'
import { formatLocation } from './location.ts'
import type { DashboardNode, DeliverNode, PanelNode, ProduceNode, StreamNode } from './nodes.ts'
import { chainOf } from './walk.ts'

export function outputName(output: ProduceNode | DeliverNode, ordinal = 1): string {
  if (output.kind === 'produce') return output.topic.name
  const { target } = output
  return target.kind === 'table' ? target.table : `${target.sink.connector}-${ordinal}`
}

/** The same outputs over the same steps, each with its identity. Two steps of one name are refused. */
export function assignIdentities(
  produces: readonly ProduceNode[],
  delivers: readonly Omit<DeliverNode, 'name'>[],
  dashboards: readonly DashboardNode[],
): {
  readonly produces: readonly ProduceNode[]
  readonly delivers: readonly DeliverNode[]
  readonly dashboards: readonly DashboardNode[]
} {
  const given = namesIn([...produces, ...delivers, ...dashboards.flatMap(({ panels }) => panels)])
  const done = new Map<StreamNode, StreamNode>()
  const taken = new Map<string, StreamNode>()
  const sinks = new Map<string, number>()

  const identified = (node: StreamNode, output: string, ordinals: Map<string, number>): StreamNode => {
    const known = done.get(node)
    if (known !== undefined || node.kind === 'read') {
      done.set(node, known ?? node)
      return known ?? node
    }
    const input = identified(node.input, output, ordinals)
    let identity = node.identity
    while (identity === '') {
      const ordinal = (ordinals.get(node.kind) ?? 0) + 1
      ordinals.set(node.kind, ordinal)
      const candidate = `${output}/${node.kind}-${ordinal}`
      if (!taken.has(candidate) && !given.has(candidate)) identity = candidate
    }
    const other = taken.get(identity)
    if (other !== undefined) {
      throw new MillraceError(
        'PIPELINE_INVALID',
        `Two steps are named '${identity}': at ${formatLocation(other.location)} and at ${formatLocation(node.location)}`,
        { next: 'Give each its own name with .named().' },
      )
    }
    taken.set(identity, node)
    const copy = Object.freeze({ ...node, input, identity }) as StreamNode
    done.set(node, copy)
    return copy
  }

  const withIdentities = <O extends ProduceNode | DeliverNode>(output: O): O => {
    const ordinal = output.kind === 'deliver' && output.target.kind === 'sink' ? sinkOrdinal(sinks, output) : 1
    const stream = identified(output.stream, outputName(output, ordinal), new Map())
    return Object.freeze<O>({ ...output, stream })
  }
  const panels = new Set<string>()
  const withPanels = (dashboard: DashboardNode): DashboardNode => {
    const shown = dashboard.panels.map((panel): PanelNode => {
      const identity = panelName(dashboard.title, panel.title, panels)
      return Object.freeze({ ...panel, identity, stream: identified(panel.stream, identity, new Map()) })
    })
    return Object.freeze({ ...dashboard, panels: Object.freeze(shown) })
  }
  return {
    produces: Object.freeze(produces.map(withIdentities)),
    delivers: Object.freeze(named(delivers).map(withIdentities)),
    dashboards: Object.freeze(dashboards.map(withPanels)),
  }
}

/** What steps are called by the user, who may give a step the name that it had by itself before. */
function namesIn(outputs: readonly { readonly stream: StreamNode }[]): ReadonlySet<string> {
  return new Set(outputs.flatMap(({ stream }) => chainOf(stream).map(({ identity }) => identity)))
}

/** Two outputs never have one name: the second sink of a connector has a number. */
function named(delivers: readonly Omit<DeliverNode, 'name'>[]): readonly DeliverNode[] {
  const taken = new Set<string>()
  return delivers.map(deliver => {
    const plain = targetName(deliver.target)
    let name = plain
    for (let number = 2; taken.has(name); number++) name = `${plain}-${number}`
    taken.add(name)
    return Object.freeze({ ...deliver, name })
  })
}

function targetName(target: DeliverNode['target']): string {
  if (target.kind === 'table') return target.table
  const { connector, options } = target.sink
  return typeof options.path === 'string' && options.path !== '' ? options.path : connector
}

/** The two titles in the form of a name; those that look alike in it are told apart by a number. */
function panelName(dashboard: string, panel: string, taken: Set<string>): string {
  const plain = `${nameOf(dashboard)}/${nameOf(panel)}`
  let name = plain
  for (let number = 2; taken.has(name); number++) name = `${plain}-${number}`
  taken.add(name)
  return name
}

function nameOf(title: string): string {
  const words = title.toLowerCase().match(/[\p{L}\p{N}]+/gu)
  return words === null ? 'untitled' : words.join('-')
}

function sinkOrdinal(sinks: Map<string, number>, output: DeliverNode): number {
  const connector = output.target.kind === 'sink' ? output.target.sink.connector : ''
  const ordinal = (sinks.get(connector) ?? 0) + 1
  sinks.set(connector, ordinal)
  return ordinal
}
