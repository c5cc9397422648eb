/** What a source that is pushed to takes and remembers, as its options say it. */
import { RECORDS_MAX, REJECTED_PER_MINUTE } from '../../ingress/limits.ts'
import { microsecondsOf } from '../../plan/duration.ts'
import { KEY_MEMORY, type KeyMemory } from '../contract.ts'
import type { PushOptions } from './options.ts'

export interface PushSettings {
  readonly keyMemory: KeyMemory
  /** Records of one request. */
  readonly recordsMax: number
  /** Rejected records of one client. */
  readonly rejectedPerMinute: number
}

/** Throws DURATION_INVALID. */
export function pushSettingsOf(options: PushOptions): PushSettings {
  const { keysKeptFor, keyMemoryBytes = KEY_MEMORY.bytes } = options
  const { maximumRecords = RECORDS_MAX, rejectedRecordsPerMinute = REJECTED_PER_MINUTE } = options
  const duration_us = keysKeptFor === undefined ? KEY_MEMORY.duration_us : microsecondsOf(keysKeptFor, 'keysKeptFor')
  return {
    keyMemory: { duration_us, bytes: keyMemoryBytes },
    recordsMax: maximumRecords,
    rejectedPerMinute: rejectedRecordsPerMinute,
  }
}
