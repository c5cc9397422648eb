/** The plan as it runs: sources, topics, steps and sinks along the flow, with what passes through each. */

import { useMemo, useState } from 'preact/hooks'
import type { Graph } from '../../../src/dashboard/protocol.ts'
import { bytesText, countText, durationText } from '../format.ts'
import { useDrawing } from '../live/frames.ts'
import { status } from '../live/model.ts'
import { Facts } from './facts.tsx'
import { layout, measured, type Place } from './layout.ts'
import { NodeBox, NodeDetail } from './node.tsx'

const HEIGHT = 98
const WIDTH_MIN = 132
const WIDTH_MAX = 210
const GAP_MIN = 26
const GAP_DOWN = 12

export function PlanGraph({ graph }: { readonly graph: Graph }) {
  const [width, setWidth] = useState(0)
  const [chosen, setChosen] = useState<string | null>(null)
  const host = useDrawing<HTMLElement>(element => ({
    version: () => element.clientWidth,
    draw: () => setWidth(element.clientWidth),
  }))
  const drawn = useMemo(() => (width === 0 ? null : placed(graph, width)), [graph, width])
  const node = graph.nodes.find(({ id }) => id === chosen)
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <section class="graph-host" ref={host} tabIndex={0} aria-label="The pipeline as a graph">
        {drawn !== null && (
          <div class="graph" style={{ width: `${drawn.width}px`, height: `${drawn.height}px` }}>
            <svg width={drawn.width} height={drawn.height} aria-hidden="true">
              {drawn.paths.map(({ path, from, to }) => (
                <Edge key={`${from} ${to}`} path={path} from={from} to={to} />
              ))}
            </svg>
            {drawn.nodes.map(({ node, x, y, width, height }) => (
              <NodeBox
                key={node.id}
                node={node}
                style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` }}
                isChosen={chosen === node.id}
                choose={() => setChosen(chosen === node.id ? null : node.id)}
              />
            ))}
          </div>
        )}
      </section>
      {node !== undefined && <NodeDetail node={node} close={() => setChosen(null)} />}
    </>
  )
}

/** As wide as what flows, roughly; it moves while something does. */
function Edge({ path, from, to }: { readonly path: string; readonly from: string; readonly to: string }) {
  const nodes = status.value?.nodes
  const rate = nodes?.[to]?.perSecond ?? nodes?.[from]?.perSecond ?? 0
  const strength = rate <= 0 ? 0 : rate < 100 ? 1 : rate < 10_000 ? 2 : 3
  return (
    <>
      <path class={`edge edge-${strength}`} d={path} />
      {strength > 0 && <path class={`edge-flow edge-flow-${strength}`} d={path} />}
    </>
  )
}

/** The machine's side of it. */
export function Vitals() {
  const now = status.value
  if (now === null) return null
  const facts: [string, string][] = [
    ['Commits', countText(now.epoch)],
    ['Running for', durationText(now.uptime_ms)],
    ['Memory', bytesText(now.memory_bytes)],
    ['Stored', bytesText(now.logBytes)],
    ['Disk free', bytesText(now.diskFree_bytes)],
  ]
  return <Facts facts={facts} />
}

/** From left to right where there is room, from top to bottom on a phone. */
function placed(graph: Graph, room: number) {
  const { layers, widest } = measured(graph)
  const fitAlong = (room - 2 - (layers - 1) * GAP_MIN) / layers
  const fitAcross = (room - 2 - (widest - 1) * GAP_DOWN) / widest
  const down = fitAlong < WIDTH_MIN && fitAcross > fitAlong
  const gap = down ? GAP_DOWN : GAP_MIN
  const fit = down ? fitAcross : fitAlong
  const width = Math.floor(Math.min(WIDTH_MAX + (down ? 40 : 0), Math.max(WIDTH_MIN, fit)))
  const size = down
    ? { length: HEIGHT, breadth: width, gapAlong: 28, gapAcross: gap, centred: true }
    : {
        length: width,
        breadth: HEIGHT,
        gapAlong: Math.max(gap, Math.min(64, (room - layers * width) / layers)),
        gapAcross: 22,
        centred: false,
      }
  const { places, routes, length, breadth } = layout(graph, size)
  const at = ({ along, across }: Place) => (down ? { x: across, y: along } : { x: along, y: across })
  return {
    width: down ? breadth : length,
    height: down ? length : breadth,
    nodes: graph.nodes.map(node => {
      const { x, y } = at(places.get(node.id)!)
      return { node, x: x - width / 2, y: y - HEIGHT / 2, width, height: HEIGHT }
    }),
    paths: graph.edges.map(({ from, to }, index) => ({ from, to, path: pathOf(routes[index]!, size.length, down) })),
  }
}

/** Curves that leave and reach nodes along the flow, and are straight beside the nodes that they pass. */
function pathOf(route: readonly Place[], nodeLength: number, down: boolean): string {
  const point = (along: number, across: number) => (down ? `${across} ${along}` : `${along} ${across}`)
  const half = nodeLength / 2
  let path = ''
  for (let at = 1; at < route.length; at++) {
    const [from, to] = [route[at - 1]!, route[at]!]
    const [begin, end] = [from.along + half, to.along - half]
    const middle = (begin + end) / 2
    path += at === 1 ? `M ${point(begin, from.across)}` : ` L ${point(begin, from.across)}`
    path += ` C ${point(middle, from.across)}, ${point(middle, to.across)}, ${point(end, to.across)}`
  }
  return path
}
