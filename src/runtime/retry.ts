/** How long the runtime waits before it tries again what an error that may pass has ended. */
export const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 30_000

/** After one try more that failed. */
export function longerWait_ms(wait_ms: number): number {
  return Math.min(wait_ms * 2, LONGEST_WAIT_MS)
}
