/**
 * A controller that is aborted with `parent` too. `AbortSignal.any` does the same with a signal that looks at all it
 * follows each time it is asked, which is felt where it is asked for each piece of a file.
 */
export function abortedWith(parent: AbortSignal): AbortController {
  const own = new AbortController()
  if (parent.aborted) own.abort()
  // The signal of its own takes the listener away with it.
  else parent.addEventListener('abort', () => own.abort(), { once: true, signal: own.signal })
  return own
}
