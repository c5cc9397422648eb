/**
 * Writes recorded-session.json beside this folder: one message as the app Sensor Logger pushes it, with a whole recording
 * for its payload. Seeded: the same bytes each time.
 *
 *   node examples/activity-tracker/recorded-session/generate.ts [FILE]
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { simulateMessages } from '../../../src/simulate/messages.ts'

const SECONDS = 110

/** Somebody stands for a while, runs, sprints, and walks home. */
const messages = simulateMessages({
  people: 1,
  seed: 859,
  start_us: Date.UTC(2026, 10, 21, 16, 5) * 1000,
  duration_us: SECONDS * 1e6,
  readings_hz: 10,
  every_us: (SECONDS + 1) * 1e6,
})

const [message] = [...messages]
writeFileSync(process.argv[2] ?? join(import.meta.dirname, '../recorded-session.json'), message!.body)
