/**
 * Places for the nodes of the plan: in layers along the flow, each node one layer past the last that it reads from,
 * ordered so that few edges cross. Edges that pass layers are led between the nodes there.
 */
import type { Graph } from '../../../src/dashboard/protocol.ts'

export interface Size {
  /** Along the flow. */
  readonly length: number
  /** Across it. */
  readonly breadth: number
  readonly gapAlong: number
  readonly gapAcross: number
  /** Each layer around the middle: where there is little room across. */
  readonly centred: boolean
}

export interface Place {
  readonly along: number
  readonly across: number
}

export interface Layout {
  readonly places: ReadonlyMap<string, Place>
  /** Centres of what each edge passes, its ends included, in the order of `graph.edges`. */
  readonly routes: readonly (readonly Place[])[]
  readonly length: number
  readonly breadth: number
}

/** An edge that passes a layer has a place there that is as narrow as this. */
const PASSING = 14
const SWEEPS = 6

interface Spot {
  readonly id: string
  readonly layer: number
  readonly breadth: number
  readonly before: Spot[]
  readonly after: Spot[]
  across: number
}

/** How many layers there are, and how many nodes the fullest one has. */
export function measured(graph: Graph): { readonly layers: number; readonly widest: number } {
  const counts: number[] = []
  for (const layer of layersOf(graph).values()) counts[layer] = (counts[layer] ?? 0) + 1
  return { layers: counts.length, widest: Math.max(1, ...counts) }
}

export function layout(graph: Graph, size: Size): Layout {
  const depths = layersOf(graph)
  const layers: Spot[][] = []
  const spotAt = (id: string, layer: number, breadth: number): Spot => {
    const spot: Spot = { id, layer, breadth, before: [], after: [], across: 0 }
    layers[layer] ??= []
    layers[layer].push(spot)
    return spot
  }
  const spots = new Map(graph.nodes.map(({ id }) => [id, spotAt(id, depths.get(id)!, size.breadth)]))
  const chains = graph.edges.map(({ from, to }) => {
    const chain = [spots.get(from)!]
    const target = spots.get(to)!
    for (let layer = chain[0]!.layer + 1; layer < target.layer; layer++) chain.push(spotAt('', layer, PASSING))
    chain.push(target)
    for (let at = 1; at < chain.length; at++) {
      chain[at - 1]!.after.push(chain[at]!)
      chain[at]!.before.push(chain[at - 1]!)
    }
    return chain
  })
  arrange(layers, size.gapAcross)
  if (size.centred) for (const layer of layers) centre(layer)
  const least = Math.min(...layers.flat().map(spot => spot.across - spot.breadth / 2))
  const most = Math.max(...layers.flat().map(spot => spot.across + spot.breadth / 2))
  const place = (spot: Spot): Place => ({
    along: spot.layer * (size.length + size.gapAlong) + size.length / 2,
    across: spot.across - least,
  })
  return {
    places: new Map([...spots].map(([id, spot]) => [id, place(spot)])),
    routes: chains.map(chain => chain.map(place)),
    length: layers.length * (size.length + size.gapAlong) - size.gapAlong,
    breadth: most - least,
  }
}

/** Longest way from a beginning. A cycle, which no plan has, is cut where it is met. */
function layersOf({ nodes, edges }: Graph): Map<string, number> {
  const depths = new Map<string, number>()
  const known = new Set(nodes.map(({ id }) => id))
  const open = new Set<string>()
  const depthOf = (id: string): number => {
    const found = depths.get(id)
    if (found !== undefined) return found
    if (open.has(id)) return 0
    open.add(id)
    const before = edges.filter(edge => edge.to === id && known.has(edge.from))
    const depth = Math.max(-1, ...before.map(edge => depthOf(edge.from))) + 1
    open.delete(id)
    depths.set(id, depth)
    return depth
  }
  for (const { id } of nodes) depthOf(id)
  return depths
}

/** Each node goes where its neighbours are on average, in the order of these averages, forth and back a few times. */
function arrange(layers: Spot[][], gap: number): void {
  for (const layer of layers) spread(layer, gap)
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forth = sweep % 2 === 0
    for (const layer of forth ? layers : [...layers].reverse()) {
      for (const spot of layer) {
        const neighbours = forth ? spot.before : spot.after
        if (neighbours.length > 0) spot.across = mean(neighbours.map(({ across }) => across))
      }
      layer.sort((a, b) => a.across - b.across)
      spread(layer, gap)
    }
  }
}

/** Moves neighbours apart that overlap, and all of them back to where they wanted to be on average. */
function spread(layer: Spot[], gap: number): void {
  const wanted = mean(layer.map(({ across }) => across))
  for (let at = 1; at < layer.length; at++) {
    const [before, spot] = [layer[at - 1]!, layer[at]!]
    spot.across = Math.max(spot.across, before.across + (before.breadth + spot.breadth) / 2 + gap)
  }
  const moved = mean(layer.map(({ across }) => across)) - wanted
  for (const spot of layer) spot.across -= moved
}

/** As much room on the left of a layer as on its right. */
function centre(layer: Spot[]): void {
  const [first, last] = [layer[0]!, layer.at(-1)!]
  const middle = (first.across - first.breadth / 2 + last.across + last.breadth / 2) / 2
  for (const spot of layer) spot.across -= middle
}

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0) / numbers.length
