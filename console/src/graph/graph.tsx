/** The plan as it runs: sources, topics, steps and sinks along the flow, with what passes through each. */
import { useMemo, useState } from 'preact/hooks'
import type { Graph, GraphNode, NodeStatus } from '../../../src/serve/protocol.ts'
import { bytesText, countText, durationText, NOTHING, rateText, timeText } from '../format.ts'
import { Icon } from '../icons.tsx'
import { useDrawing } from '../live/frames.ts'
import { serverNow_ms, status } from '../live/model.ts'
import { layout, measured, type Place } from './layout.ts'

const HEIGHT = 98
const WIDTH_MIN = 132
const WIDTH_MAX = 210
const GAP_MIN = 26
const GAP_DOWN = 12
const LAG_MS = 5_000

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
              <button
                type="button"
                key={node.id}
                class={`node node-${node.kind}`}
                style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` }}
                aria-pressed={chosen === node.id}
                title={`${node.title}\n${node.detail}`.trim()}
                onClick={() => setChosen(chosen === node.id ? null : node.id)}
              >
                <NodeFace node={node} />
              </button>
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

function NodeFace({ node }: { readonly node: GraphNode }) {
  const known = status.value?.nodes[node.id]
  return (
    <>
      <span class="node-head">
        <Icon name={node.kind} />
        <span class="node-title">{breakable(node.title)}</span>
      </span>
      <span class="node-detail">{node.detail}</span>
      <span class="node-rate">
        {known === undefined ? '' : rateText(known.perSecond)}
        <span class="node-total">{known === undefined ? '' : countText(known.records)}</span>
      </span>
      {known !== undefined && <Badges known={known} />}
    </>
  )
}

/** Names break after their underscores, dots and slashes first. */
const breakable = (name: string) => name.split(/(?<=[_./])/).flatMap(part => [part, <wbr key={part} />])

function Badges({ known }: { readonly known: NodeStatus }) {
  const { late = 0, deadLetters = 0, lag_ms = null } = known
  return (
    <span class="badges">
      {lag_ms !== null && lag_ms > LAG_MS && <span class="badge badge-warn">{durationText(lag_ms)} behind</span>}
      {late > 0 && <span class="badge badge-warn">{countText(late)} late</span>}
      {deadLetters > 0 && <span class="badge badge-bad">{countText(deadLetters)} refused</span>}
    </span>
  )
}

function NodeDetail({ node, close }: { readonly node: GraphNode; readonly close: () => void }) {
  const known = status.value?.nodes[node.id]
  const now = serverNow_ms()
  const facts: [string, string][] = []
  if (known !== undefined) {
    const { records, perSecond, late, deadLetters, watermark_ms, lag_ms } = known
    facts.push(['Records', countText(records)], ['Rate', rateText(perSecond)])
    if (watermark_ms !== undefined) {
      facts.push(['Watermark', watermark_ms === null ? NOTHING : timeText(watermark_ms, now)])
    }
    if (lag_ms !== undefined) facts.push(['Behind', lag_ms === null ? NOTHING : durationText(lag_ms)])
    if (late !== undefined) facts.push(['Late', countText(late)])
    if (deadLetters !== undefined) facts.push(['Refused', countText(deadLetters)])
  }
  return (
    <section class="node-facts" aria-label={node.title}>
      <header>
        <h3>{node.title}</h3>
        <button type="button" class="quiet" aria-label="Close" onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      {node.detail !== '' && <p>{node.detail}</p>}
      <dl class="facts">
        {facts.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </section>
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
  return (
    <dl class="facts">
      {facts.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  )
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
