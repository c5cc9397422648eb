/** The only reader of the wall clock and the only maker of timers, so that a test can put its own in their place. */
export interface Clock {
  /** Microseconds since the Unix epoch, UTC. */
  now(): number
  /** Milliseconds of a clock that never goes back, for measuring how long something took. */
  monotonic_ms(): number
  /** Resolves after `duration_ms`, or at once when the signal is aborted. */
  sleep(duration_ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now() * 1000,
  monotonic_ms: () => performance.now(),
  sleep: (duration_ms, signal) =>
    new Promise(resolve => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, duration_ms)
      signal?.addEventListener('abort', done, { once: true })
    }),
}
