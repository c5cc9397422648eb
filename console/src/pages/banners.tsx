/** What stands in the way just now, and what to do. */
import { useEffect, useState } from 'preact/hooks'
import { Icon } from '../icons.tsx'
import { retryNow } from '../live/connection.ts'
import { hello, link, status } from '../live/model.ts'

/** All of them are on the terminal. */
const WARNINGS_SHOWN = 2

export function Banners() {
  const held = status.value?.held ?? null
  const warnings = status.value?.warnings ?? []
  const now = link.value
  return (
    <div class="banners">
      {now.state === 'lost' && <Lost again_ms={now.again_ms} />}
      {now.state !== 'lost' && held !== null && (
        <div class="banner banner-bad" role="alert" data-banner="held">
          <Icon name="warning" />
          <p>
            <strong>{sentence(held.message)}</strong> {held.next} <span class="code">{held.code}</span>
          </p>
        </div>
      )}
      {warnings.slice(0, WARNINGS_SHOWN).map(({ code, message, next }) => (
        <div class="banner banner-warn" role="status" data-banner="warning" key={message}>
          <Icon name="warning" />
          <p>
            <strong>{sentence(message)}</strong> {next} <span class="code">{code}</span>
          </p>
        </div>
      ))}
    </div>
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

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
