/** A day of event time in minutes: what grows with the hours is found, whatever the rate. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Figure, Lane } from '../lanes.ts'
import { median } from '../measure.ts'
import type { Hour } from './one-day.ts'
import { withFolder } from './server.ts'

const HOURS = 24
/** Logs have come to their retention by then, and buffers to their size. */
const FIRST_HOURS = 4

export const steady: Lane = async ({ checkout, rounds, say }) => {
  const hours = rounds === 1 ? HOURS / 2 : HOURS
  const script = join(checkout, 'bench/live/one-day.ts')
  const { stdout } = await withFolder(folder =>
    promisify(execFile)(process.execPath, ['--expose-gc', script, folder, String(hours)]),
  )
  const samples = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Hour)
  for (const sample of samples) say(`steady: ${JSON.stringify(sample)}`)
  const middle = Math.ceil((FIRST_HOURS + hours) / 2)
  const growth = (value: (hour: Hour) => number) => {
    const usual = (from: number, to: number) => median(samples.slice(from, to).map(value))
    return usual(middle, hours) / usual(FIRST_HOURS, middle)
  }
  const largest = (value: (hour: Hour) => number) => Math.max(...samples.map(value))
  const figure = (what: string, measured: number, unit: string, most: number): Figure => {
    return { lane: 'steady', what: `${what}, ${hours} h of event time`, measured, unit, target: { most } }
  }
  return {
    figures: [
      figure(
        'growth of resident memory',
        growth(hour => hour.resident_mb),
        '×',
        1.1,
      ),
      figure(
        'growth of memory in use',
        growth(hour => hour.used_mb),
        '×',
        1.1,
      ),
      // Files go up and down by whole segments.
      figure(
        'largest journal',
        largest(hour => hour.journal_mb),
        'MB',
        32,
      ),
      figure(
        'largest logs',
        largest(hour => hour.logs_mb),
        'MB',
        256,
      ),
    ],
    runs: { steady: samples },
  }
}
