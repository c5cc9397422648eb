/**
 * The same lanes with the program of another commit, pair by pair: what a change costs.
 *
 * Each pair runs both programs once, one behind the other, the first of them in turn; the ratio of a figure is that of the
 * two runs of a pair, so a slow minute of the machine meets both. Given are the median of the ratios and how far the
 * middle half of them lies apart.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Lane, Setting } from './lanes.ts'
import { median, quantile } from './measure.ts'

export interface AgainstOptions {
  readonly checkout: string
  readonly commit: string
  readonly pairs: number
  readonly lanes: readonly (readonly [name: string, lane: Lane])[]
  readonly setting: Pick<Setting, 'answers' | 'lines' | 'say'>
}

export interface Ratio {
  readonly lane: string
  readonly run: string
  readonly figure: string
  /** Medians. */
  readonly here: number
  readonly there: number
  /** Here to there, pair by pair. */
  readonly ratios: readonly number[]
}

/** What is compared of a run. */
const FIGURES = [
  'cpu_s',
  'wall_s',
  'peak_mb',
  'cpu_us',
  'acknowledged_readings_s',
  'resident_mb',
  'ready_ms',
  'readyCpu_ms',
]

export async function against(options: AgainstOptions): Promise<{ table: string; ratios: readonly Ratio[] }> {
  const { checkout, commit, pairs, lanes, setting } = options
  const other = otherCheckout(checkout, commit)
  try {
    const ratios: Ratio[] = []
    for (const [name, lane] of lanes) {
      const measured = { here: [] as Runs[], there: [] as Runs[] }
      for (let pair = 0; pair < pairs; pair++) {
        for (const side of pair % 2 === 0 ? (['here', 'there'] as const) : (['there', 'here'] as const)) {
          const folder = side === 'here' ? checkout : other.folder
          const { runs } = await lane({ ...setting, checkout: folder, alone: true, rounds: 1 })
          measured[side].push(runs as Runs)
        }
        setting.say(`${name}: pair ${pair + 1} of ${pairs}`)
      }
      ratios.push(...ratiosOf(name, measured.here, measured.there))
    }
    return { table: tableOf(ratios), ratios }
  } finally {
    other.remove()
  }
}

type Runs = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>

function ratiosOf(lane: string, here: readonly Runs[], there: readonly Runs[]): Ratio[] {
  return Object.keys(here[0]!).flatMap(run =>
    FIGURES.flatMap(figure => {
      const of = (runs: Runs) => median(runs[run]!.map(each => each[figure]).filter(value => typeof value === 'number'))
      const [ours, theirs] = [here.map(of), there.map(of)]
      if (ours.some(value => !(value > 0))) return []
      const ratios = ours.map((value, pair) => value / theirs[pair]!)
      return [{ lane, run, figure, here: median(ours), there: median(theirs), ratios }]
    }),
  )
}

function tableOf(ratios: readonly Ratio[]): string {
  const rows = ratios.map(({ run, figure, here, there, ratios }) => {
    const spread = (quantile(ratios, 0.75) - quantile(ratios, 0.25)) * 100
    const [least, most] = [Math.min(...ratios), Math.max(...ratios)]
    const range = `${least.toFixed(3)} .. ${most.toFixed(3)}`
    return [
      run,
      figure,
      here.toPrecision(4),
      there.toPrecision(4),
      median(ratios).toFixed(3),
      `${spread.toFixed(1)} %`,
      range,
    ]
  })
  const table = [['run', 'figure', 'here', 'there', 'here / there', 'middle half', 'all'], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(...table.map(row => row[column]!.length)))
  return table
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The other commit in a folder of its own, with what it needs to run. */
function otherCheckout(checkout: string, commit: string): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-against-'))
  const run = (command: string, ...words: string[]) =>
    execFileSync(command, words, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  const git = (...words: string[]) =>
    execFileSync('git', words, { cwd: checkout, stdio: ['ignore', 'ignore', 'inherit'] })
  const remove = () => {
    rmSync(folder, { recursive: true, force: true })
    git('worktree', 'prune')
  }
  try {
    git('worktree', 'add', '--detach', '--force', folder, commit)
    const lock = (root: string) => readFileSync(join(root, 'package-lock.json'), 'utf8')
    if (lock(folder) === lock(checkout)) symlinkSync(join(checkout, 'node_modules'), join(folder, 'node_modules'))
    else run('npm', 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error')
    run(process.execPath, 'console/build.ts')
    return { folder, remove }
  } catch (error) {
    remove()
    throw error
  }
}
