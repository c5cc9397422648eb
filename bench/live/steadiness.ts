/** A day of event time in minutes: what grows with the hours is found, whatever the rate. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Figure, Lane } from '../lanes.ts'
import type { Hour } from './one-day.ts'
import { withFolder } from './server.ts'

const HOURS = 24
/** Logs have come to their retention by then, and buffers to their size. */
const FIRST_HOURS = 4

export const steady: Lane = async ({ rounds, say }) => {
  const hours = rounds === 1 ? HOURS / 2 : HOURS
  const script = join(import.meta.dirname, 'one-day.ts')
  const { stdout } = await withFolder(folder =>
    promisify(execFile)(process.execPath, ['--expose-gc', script, folder, String(hours)]),
  )
  const samples = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Hour)
  for (const sample of samples) say(`steady: ${JSON.stringify(sample)}`)
  // Segments and journals go up and down with the hours: the largest of each half is held against the other's.
  const middle = Math.ceil((FIRST_HOURS + hours) / 2)
  const growth = (value: (hour: Hour) => number) => {
    const largest = (from: number, to: number) => Math.max(...samples.slice(from, to).map(value))
    return largest(middle, hours) / largest(FIRST_HOURS, middle)
  }
  const figure = (what: string, value: (hour: Hour) => number): Figure => {
    return {
      lane: 'steady',
      what: `${what}, ${hours} h of event time`,
      measured: growth(value),
      unit: '×',
      target: { most: 1.1 },
    }
  }
  return {
    figures: [
      figure('growth of memory', hour => hour.resident_mb),
      figure('growth of the heap', hour => hour.heap_mb),
      figure('growth of the journal', hour => hour.journal_mb),
      figure('growth of the logs', hour => hour.logs_mb),
    ],
    runs: { steady: samples },
  }
}
