/** What the runtime tries again, and how long it waits before. */
import { ERRORS, type MillraceError } from '../system/errors.ts'

export const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 30_000

/** After one try more that failed. */
export function longerWait_ms(wait_ms: number): number {
  return Math.min(wait_ms * 2, LONGEST_WAIT_MS)
}

/**
 * Whether waiting may help against an error. The data directory is a run's own by the time it works: what DATA_DIR_BUSY
 * names then is its warehouse, which another process has open for a while.
 */
export function mayPass({ code }: MillraceError): boolean {
  return ERRORS[code].retried || code === 'DATA_DIR_BUSY'
}
