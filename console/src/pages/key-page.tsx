/** The server wants to know who looks. */
import { useRef } from 'preact/hooks'
import { Icon } from '../icons.tsx'
import { useKey } from '../live/connection.ts'

export function KeyPage({ wrong }: { readonly wrong: boolean }) {
  const field = useRef<HTMLInputElement>(null)
  const submit = (event: Event) => {
    event.preventDefault()
    const key = field.current?.value.trim() ?? ''
    if (key === '') field.current?.focus()
    else useKey(key)
  }
  return (
    <main class="key-page">
      <form class="key-card" onSubmit={submit}>
        <span class="key-icon">
          <Icon name="key" />
        </span>
        <h1>This page needs its key</h1>
        <p>
          It was printed when the pipeline started, in the line that begins with “page”. The address there has it
          already.
        </p>
        <label for="key">Key</label>
        <input
          id="key"
          ref={field}
          type="password"
          autocomplete="current-password"
          spellcheck={false}
          autofocus
          required
          aria-invalid={wrong}
          aria-describedby={wrong ? 'key-wrong' : undefined}
        />
        {wrong && (
          <p class="key-wrong" id="key-wrong" role="alert">
            The server does not know this key. It may be of an earlier start.
          </p>
        )}
        <button type="submit" class="primary">
          Open
        </button>
      </form>
    </main>
  )
}
