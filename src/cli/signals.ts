/** Ctrl-C: the first asks for a clean stop, the second ends the process at once. */
import { systemClock } from '../system/clock.ts'

/** Signals that come together are one: a terminal, npm and a parent process each pass the same one on. */
const TOGETHER_MS = 400

/** Aborted by the first SIGINT, SIGTERM or SIGHUP, and when the parent that holds our IPC channel goes away. */
export function stopOnSignals(): AbortController {
  const controller = new AbortController()
  let first_ms: number | null = null
  const stop = () => {
    const now_ms = systemClock.monotonic_ms()
    if (first_ms !== null && now_ms - first_ms > TOGETHER_MS) process.exit(130)
    first_ms ??= now_ms
    controller.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  if (process.channel) {
    process.once('disconnect', () => controller.abort())
    process.channel.unref()
  }
  return controller
}
