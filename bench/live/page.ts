/** The page: what its first view weighs, and how smooth it is; bench/page.ts measures it in a process of its own. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Figure, Lane } from '../lanes.ts'
import { median } from '../measure.ts'

interface Smoothness {
  readonly framesPerSecond: number
  readonly frame_ms: { readonly p99: number }
  readonly gzip_bytes: number
}

export const page: Lane = async ({ checkout, rounds, say }) => {
  const runs: Smoothness[] = []
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    const { stdout } = await promisify(execFile)(process.execPath, [join(checkout, 'bench/page.ts')])
    const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as Smoothness
    runs.push(result)
    say(`page: ${result.framesPerSecond} frames/s, ${(result.gzip_bytes / 1000).toFixed(0)} kB`)
  }
  const figure = (what: string, value: (run: Smoothness) => number, unit: string, target: Figure['target']): Figure => {
    return { lane: 'page', what, measured: median(runs.map(value)), unit, target }
  }
  return {
    figures: [
      figure('first view, compressed', result => result.gzip_bytes / 1000, 'kB', { most: 150 }),
      // A screen of 60 Hz shows a little less or more, as the clock counts.
      figure('200 series, 10 updates a second', result => result.framesPerSecond, 'frames/s', { least: 59.5 }),
      figure('frame to frame, p99', result => result.frame_ms.p99, 'ms', null),
    ],
    runs: { page: runs },
  }
}
