/** What stands in the way just now, and what to do. */
import { useEffect, useState } from 'preact/hooks'
import type { NodeStatus } from '../../../src/dashboard/protocol.ts'
import { rowsText, sentence } from '../format.ts'
import { Icon } from '../icons.tsx'
import { retryNow } from '../live/connection.ts'
import { hello, link, status } from '../live/model.ts'

/** All of them are on the terminal. */
const WARNINGS_SHOWN = 2
/** All of them are in the graph. */
const SINKS_SHOWN = 3

export function Banners() {
  const held = status.value?.held ?? null
  const warnings = status.value?.warnings ?? []
  const now = link.value
  return (
    <>
      <div class="banners-stay">
        {now.state === 'lost' && <Lost again_ms={now.again_ms} />}
        {now.state !== 'lost' && held !== null && (
          <div class="banner banner-bad" role="alert" data-banner="held">
            <Icon name="warning" />
            <p>
              <strong>{sentence(held.message)}</strong> {held.next} <span class="code">{held.code}</span>
            </p>
          </div>
        )}
      </div>
      <div>
        {now.state !== 'lost' && <FailingSinks />}
        {warnings.slice(0, WARNINGS_SHOWN).map(({ code, message, next }) => (
          <div class="banner banner-warn" role="status" data-banner="warning" key={message}>
            <Icon name="warning" />
            <p>
              <strong>{sentence(message)}</strong> {next} <span class="code">{code}</span>
            </p>
          </div>
        ))}
      </div>
    </>
  )
}

type Failing = NonNullable<NodeStatus['behind']> & { readonly name: string }

/** Sinks that fail; one that is only slow is seen in the graph. */
export function failingSinks(): readonly Failing[] {
  const nodes = status.value?.nodes ?? {}
  return (hello.value?.graph.nodes ?? []).flatMap(({ id, title }) => {
    const behind = nodes[id]?.behind
    return behind == null || behind.error === null ? [] : [{ ...behind, name: title }]
  })
}

function FailingSinks() {
  const failing = failingSinks()
  const more = failing.slice(SINKS_SHOWN)
  return (
    <>
      {failing.slice(0, SINKS_SHOWN).map(({ name, rows, error }) => (
        <div class="banner banner-warn" data-banner="sink" key={name}>
          <Icon name="warning" />
          <p>
            {/* The count changes all the time: it is not read out again and again. */}
            <span role="status">
              <strong>{name} does not take rows just now:</strong> {sentence(error!.message)} {error!.next}
            </span>{' '}
            Nothing is lost: what it lacks is kept for it ({rowsText(rows)}), and everything else goes on.{' '}
            <span class="code">{error!.code}</span>
          </p>
        </div>
      ))}
      {more.length > 0 && (
        <div class="banner banner-warn" data-banner="sinks" key="more">
          <Icon name="warning" />
          <p>
            <span role="status">
              <strong>
                {more.length === 1 ? '1 more sink does' : `${more.length} more sinks do`} not take rows just now.
              </strong>
            </span>{' '}
            What they lack is kept for them; they are red in the graph of the pipeline.
          </p>
        </div>
      )}
    </>
  )
}

function Lost({ again_ms }: { readonly again_ms: number }) {
  const [left_s, setLeft] = useState(0)
  useEffect(() => {
    const count = () => setLeft(Math.max(0, Math.ceil((again_ms - Date.now()) / 1_000)))
    count()
    const timer = setInterval(count, 250)
    return () => clearInterval(timer)
  }, [again_ms])
  const before = hello.value !== null
  return (
    <div class="banner banner-warn" role="alert" data-banner="lost">
      <Icon name="offline" />
      <p>
        <strong>{before ? 'Connection lost.' : 'No answer from the pipeline.'}</strong>{' '}
        {before ? 'What you see is from before.' : ''} Is it still running? Start it again with <code>npm start</code>{' '}
        or <code>millrace run</code>; this page goes on by itself.
      </p>
      <button type="button" onClick={retryNow}>
        Try now
        {left_s > 0 && (
          <span class="countdown" aria-hidden="true">
            {left_s} s
          </span>
        )}
      </button>
    </div>
  )
}
