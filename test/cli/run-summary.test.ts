/** What a person reads when a run is over. */
import { expect, test } from 'vitest'
import { summaryLines } from '../../src/cli/run-summary.ts'
import { styleFor } from '../../src/cli/terminal.ts'
import type { OutputProgress, RunSummary } from '../../src/runtime/options.ts'
import { roomPlan } from '../dashboard/fake-run.ts'

const summaryOf = (outputs: readonly OutputProgress[]): RunSummary => ({
  dataDirectory: '/data/room',
  reason: 'stopped',
  elapsed_ms: 2000,
  epoch: 3,
  held: null,
  warnings: [],
  newRecords: 0,
  steps: [],
  topics: [
    {
      topic: 'readings',
      records: 9,
      bytes: 1,
      bytesTotal: null,
      deadLetters: 0,
      rejected: 0,
      duplicates: 0,
      late: 0,
      partly_late: 0,
      repeats: 0,
      undeclared_fields: [],
      watermark: null,
    },
  ],
  outputs,
})
const COUNTED: OutputProgress = { output: 'counted', rows: 5000, behind: null }
const linesOf = (...outputs: readonly OutputProgress[]) =>
  summaryLines(roomPlan, 'room.ts', summaryOf(outputs), styleFor({}, {}))

test('what every sink holds, and the proof of it as the next thing to do', () => {
  const lines = linesOf(COUNTED, { output: 'ROOM.COUNTS', rows: 4, behind: null })
  expect(lines.slice(-6)).toEqual([
    'output        rows',
    'counted      5,000',
    'ROOM.COUNTS      4',
    '',
    'data      /data/room',
    'next      millrace verify room.ts --data-dir /data/room',
  ])
})

test('what a sink lacks at the end, why, and that the next start delivers it', () => {
  const error = { code: 'WAREHOUSE_FAILED', message: 'No room is left.', next: 'Make room.' }
  const lines = linesOf(
    COUNTED,
    { output: 'ROOM.COUNTS', rows: 4000, behind: { rows: 1234, error } },
    { output: 'slow.ndjson', rows: 4000, behind: { rows: 1, error: null } },
  )
  expect(lines.slice(-10)).toEqual([
    'output        rows  lacks',
    'counted      5,000      0',
    'ROOM.COUNTS  4,000  1,234',
    'slow.ndjson  4,000      1',
    '',
    'data      /data/room',
    'kept      1,234 rows for ROOM.COUNTS, which the next start delivers',
    '          WAREHOUSE_FAILED: No room is left. Make room.',
    'kept      1 row for slow.ndjson, which the next start delivers',
    'next      the same run again, then millrace verify room.ts --data-dir /data/room',
  ])
})
