/** One node of the plan: its box with what passes through it, and all that is known of it below. */

import type { GraphNode, NodeStatus } from '../../../src/dashboard/protocol.ts'
import { countText, durationText, NOTHING, rateText, rowsText, sentence, timeText } from '../format.ts'
import { Icon } from '../icons.tsx'
import { serverNow_ms, status } from '../live/model.ts'
import { Facts } from './facts.tsx'

const LAG_MS = 5_000

interface NodeBoxProps {
  readonly node: GraphNode
  readonly style: Readonly<Record<string, string>>
  readonly isChosen: boolean
  readonly choose: () => void
}

export function NodeBox({ node, style, isChosen, choose }: NodeBoxProps) {
  const behind = status.value?.nodes[node.id]?.behind ?? null
  const mood = behind === null ? '' : behind.error === null ? ' node-slow' : ' node-failing'
  const reason = behind === null ? '' : behindText(behind)
  return (
    <button
      type="button"
      class={`node node-${node.kind}${mood}`}
      style={style}
      aria-pressed={isChosen}
      title={[node.title, node.detail, reason].filter(text => text !== '').join('\n')}
      onClick={choose}
    >
      <NodeFace node={node} />
      {reason !== '' && <span class="unseen">{reason}</span>}
    </button>
  )
}

type Behind = NonNullable<NodeStatus['behind']>

/** Why a sink lacks rows, and that none of them is lost. */
function behindText({ rows, error }: Behind): string {
  if (error === null) return `It is ${rowsText(rows)} behind and is given them as fast as it takes them.`
  return `It takes no rows just now: ${sentence(error.message)} ${error.next} What it lacks is kept for it (${rowsText(rows)}).`
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
  const { late = 0, deadLetters = 0, lag_ms = null, behind = null } = known
  return (
    <span class="badges">
      {behind !== null && (
        <span class={`badge ${behind.error === null ? 'badge-warn' : 'badge-bad'}`}>
          {behind.error !== null && <Icon name="warning" />}
          {behind.error === null ? `${rowsText(behind.rows)} behind` : `lacks ${rowsText(behind.rows)}`}
        </span>
      )}
      {behind === null && lag_ms !== null && lag_ms > LAG_MS && (
        <span class="badge badge-warn">{durationText(lag_ms)} behind</span>
      )}
      {late > 0 && <span class="badge badge-warn">{countText(late)} late</span>}
      {deadLetters > 0 && <span class="badge badge-bad">{countText(deadLetters)} refused</span>}
    </span>
  )
}

export function NodeDetail({ node, close }: { readonly node: GraphNode; readonly close: () => void }) {
  const known = status.value?.nodes[node.id]
  const now = serverNow_ms()
  const facts: [string, string][] = []
  if (known !== undefined) {
    const { records, perSecond, late, deadLetters, watermark_ms, lag_ms, behind } = known
    facts.push(['Records', countText(records)], ['Rate', rateText(perSecond)])
    if (watermark_ms !== undefined) {
      facts.push(['Watermark', watermark_ms === null ? NOTHING : timeText(watermark_ms, now)])
    }
    if (lag_ms !== undefined) facts.push(['Behind', lag_ms === null ? NOTHING : durationText(lag_ms)])
    if (late !== undefined) facts.push(['Late', countText(late)])
    if (known.partly_late !== undefined) facts.push(['Partly late', countText(known.partly_late)])
    if (known.repeats !== undefined) facts.push(['Repeats dropped', countText(known.repeats)])
    if (behind != null) facts.push(['Lacks', rowsText(behind.rows)])
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
      {known?.behind != null && (
        <p>
          {behindText(known.behind)}{' '}
          {known.behind.error !== null && <span class="code">{known.behind.error.code}</span>}
        </p>
      )}
      <Facts facts={facts} />
    </section>
  )
}
