/** The lanes of the live run: pushed over HTTP, kept, computed, shown. What they measure: docs/benchmark.md. */
import type { Lane } from './lanes.ts'
import { epochs } from './live/epochs.ts'
import { page } from './live/page.ts'
import { ready } from './live/ready.ts'
import { steady } from './live/steadiness.ts'
import { ingest, live } from './live/traffic.ts'

export const LIVE_LANES: Readonly<Record<string, Lane>> = { ingest, live, epochs, ready, steady, page }
