/** A text to take along: an address, a command. */
import { useState } from 'preact/hooks'
import { Icon } from '../icons.tsx'

const SAID_MS = 1_500

export function Copy({ text, name }: { readonly text: string; readonly name: string }) {
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      setCopied(true)
      setTimeout(() => setCopied(false), SAID_MS)
    } catch {
      // Without leave, or not over https: the text stands there to be selected.
    }
  }
  return (
    <span class="copy">
      <code>{text}</code>
      <button type="button" class="quiet" aria-label={`Copy ${name}`} onClick={copy}>
        <Icon name={copied ? 'done' : 'copy'} />
      </button>
      <span class="unseen" role="status">
        {copied ? 'Copied' : ''}
      </span>
    </span>
  )
}
