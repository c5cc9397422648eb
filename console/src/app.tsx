/** The page: who and how it goes above, then the chosen dashboard, and the plan beneath. */
import { useEffect, useState } from 'preact/hooks'
import type { Dashboard, Hello, NodeStatus } from '../../src/dashboard/protocol.ts'
import { countText, durationText, rateText, timeZone } from './format.ts'
import { PlanGraph, Vitals } from './graph/graph.tsx'
import { Icon, Mark } from './icons.tsx'
import { hello, link, rowsSeen, status } from './live/model.ts'
import { chooseSpan, span, spans } from './live/view.ts'
import { Banners, failingSinks } from './pages/banners.tsx'
import { FirstSteps } from './pages/first-steps.tsx'
import { KeyPage } from './pages/key-page.tsx'
import { PanelFrame, Skeleton, widths } from './panels/frame.tsx'
import { theme, toggleTheme } from './theme.ts'

const PIPELINE = 'Pipeline'

export function App() {
  const said = hello.value
  const [tab, setTab] = useState(0)
  useEffect(() => {
    document.title = said === null ? 'Millrace' : `${said.pipeline} · Millrace`
  }, [said])
  const now = link.value
  if (now.state === 'key') return <KeyPage wrong={now.wrong} />
  const titles = [...(said?.dashboards.map(({ title }) => title) ?? []), PIPELINE]
  const chosen = Math.min(tab, titles.length - 1)
  return (
    <>
      <a class="skip" href="#content">
        Skip to the panels
      </a>
      <header class="top">
        <div class="who">
          <Mark />
          <div>
            <h1>{said?.pipeline ?? 'Millrace'}</h1>
            <p>{said === null ? 'connecting' : said.namespace}</p>
          </div>
        </div>
        <Tabs titles={titles} chosen={chosen} choose={setTab} />
        <div class="controls">
          <LinkState />
          <button
            type="button"
            class="quiet"
            aria-label={theme.value === 'dark' ? 'Light theme' : 'Dark theme'}
            title={theme.value === 'dark' ? 'Light theme' : 'Dark theme'}
            onClick={toggleTheme}
          >
            <Icon name={theme.value === 'dark' ? 'sun' : 'moon'} />
          </button>
        </div>
      </header>
      <Banners />
      <main class={now.state === 'lost' ? 'stale' : ''}>
        <div id="content" role="tabpanel" aria-label={titles[chosen]} tabIndex={-1}>
          {said === null ? <Loading /> : <Content said={said} dashboard={said.dashboards[chosen] ?? null} />}
        </div>
      </main>
      <footer>
        <span>Times in {timeZone}</span>
        {said !== null && <span class="path">{said.dataDirectory}</span>}
      </footer>
    </>
  )
}

function Content({ said, dashboard }: { readonly said: Hello; readonly dashboard: Dashboard | null }) {
  const nothing = !rowsSeen.value && Object.values(status.value?.nodes ?? {}).every(({ records }) => records === 0)
  return (
    <>
      <Figures said={said} timed={dashboard?.panels.some(panel => 'span_ms' in panel) ?? false} />
      {nothing && status.value !== null && <FirstSteps hello={said} />}
      {dashboard !== null && <Panels key={dashboard.title} dashboard={dashboard} />}
      <section class="panel plan" aria-labelledby="title-plan">
        <h2 id="title-plan">
          {PIPELINE}
          <span class="unit">records a second, and in all; of steps, since the start of this run</span>
        </h2>
        <PlanGraph graph={said.graph} />
        {dashboard === null && <Vitals />}
      </section>
      {dashboard === null && said.addresses.length > 0 && !nothing && <Addresses said={said} />}
    </>
  )
}

function Panels({ dashboard }: { readonly dashboard: Dashboard }) {
  const columns = widths(dashboard.panels)
  return (
    <div class="grid">
      {dashboard.panels.map((panel, at) => (
        <PanelFrame key={panel.id} panel={panel} width={columns[at]!} />
      ))}
    </div>
  )
}

function Addresses({ said }: { readonly said: Hello }) {
  return (
    <section class="panel" aria-labelledby="title-addresses">
      <h2 id="title-addresses">Where records can be sent</h2>
      <dl class="facts">
        {said.addresses.map(({ topic, address }) => (
          <div key={address}>
            <dt>{topic}</dt>
            <dd class="address">{address}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

/** The few numbers that say whether all is well. */
function Figures({ said, timed }: { readonly said: Hello; readonly timed: boolean }) {
  const nodes = status.value?.nodes ?? {}
  const of = (kind: string) => said.graph.nodes.filter(node => node.kind === kind).flatMap(({ id }) => nodes[id] ?? [])
  const inflow = of('source').length > 0 ? of('source') : of('topic').slice(0, 1)
  const sum = (pick: (node: NodeStatus) => number | undefined, list: readonly NodeStatus[]) =>
    list.reduce((total, node) => total + (pick(node) ?? 0), 0)
  const lag = Math.max(0, ...Object.values(nodes).map(({ lag_ms }) => lag_ms ?? 0))
  // Steps say again what their topic has said.
  const [late, refused] = [sum(node => node.late, of('topic')), sum(node => node.deadLetters, of('topic'))]
  const figures: [string, string, string][] = [
    ['Coming in', rateText(sum(node => node.perSecond, inflow)), ''],
    ['Received', countText(sum(node => node.records, inflow)), ''],
    ['Behind', durationText(lag), lag > 10_000 ? 'warn' : ''],
    ['Late', countText(late), late > 0 ? 'warn' : ''],
    ['Refused', countText(refused), refused > 0 ? 'bad' : ''],
  ]
  return (
    <div class="figures">
      <dl>
        {figures.map(([name, text, mood]) => (
          <div key={name} class={mood === '' ? 'figure' : `figure figure-${mood}`}>
            <dt>{name}</dt>
            <dd>{status.value === null ? '–' : text}</dd>
          </div>
        ))}
      </dl>
      {timed && <Spans />}
    </div>
  )
}

function Spans() {
  return (
    <fieldset class="spans">
      <legend class="unseen">Time shown</legend>
      {spans.map(({ title, name }) => (
        <button
          type="button"
          key={title}
          aria-pressed={span.value.title === title}
          aria-label={name}
          onClick={() => chooseSpan(title)}
        >
          {title}
        </button>
      ))}
    </fieldset>
  )
}

interface TabsProps {
  readonly titles: readonly string[]
  readonly chosen: number
  readonly choose: (tab: number) => void
}

/** One stop of the Tab key; arrows go from tab to tab. */
function Tabs({ titles, chosen, choose }: TabsProps) {
  const move = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const next = (chosen + step + titles.length) % titles.length
    choose(next)
    const list = (event.currentTarget as HTMLElement).children
    ;(list[next] as HTMLElement | undefined)?.focus()
  }
  return (
    <div class="tabs" role="tablist" aria-label="Views" onKeyDown={move}>
      {titles.map((title, at) => (
        <button
          type="button"
          role="tab"
          key={title}
          aria-selected={at === chosen}
          aria-controls="content"
          tabIndex={at === chosen ? 0 : -1}
          onClick={() => choose(at)}
        >
          {title}
        </button>
      ))}
    </div>
  )
}

function LinkState() {
  const { state } = link.value
  const held = status.value?.held != null
  // A sink that fails holds up nothing else: what comes is taken in, and the banner says the rest.
  const [mood, words] =
    state === 'live'
      ? held
        ? ['bad', 'Held']
        : [failingSinks().length > 0 ? 'warn' : 'good', 'Live']
      : state === 'lost'
        ? ['warn', 'Lost']
        : ['idle', 'Connecting']
  return (
    <span class={`link link-${mood}`} role="status" data-link={state}>
      <span class="dot" />
      {words}
    </span>
  )
}

function Loading() {
  return (
    <div class="grid loading">
      {(['table', 'bars', 'state-timeline', 'time-series'] as const).map((kind, at) => (
        <section class={`panel w${[8, 4, 6, 6][at]}`} key={kind}>
          <Skeleton kind={kind} />
        </section>
      ))}
    </div>
  )
}
