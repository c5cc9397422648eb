/** How long a source's idempotency keys are remembered, as its options say it. */
import { microsecondsOf } from '../../plan/duration.ts'
import { KEY_MEMORY, type KeyMemory } from '../contract.ts'

/** Throws DURATION_INVALID. */
export function keyMemoryOf(options: {
  readonly keysKeptFor?: string | undefined
  readonly keyMemoryBytes?: number | undefined
}): KeyMemory {
  const { keysKeptFor, keyMemoryBytes = KEY_MEMORY.bytes } = options
  const duration_us = keysKeptFor === undefined ? KEY_MEMORY.duration_us : microsecondsOf(keysKeptFor, 'keysKeptFor')
  return { duration_us, bytes: keyMemoryBytes }
}
