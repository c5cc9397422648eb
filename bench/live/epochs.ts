/** What epochs cost: the file workloads as they run, and the same records, operators and sink without epochs. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { input } from '../generate.ts'
import type { Figure, Lane } from '../lanes.ts'
import { type Cost, measure, median } from '../measure.ts'

const OUT = join(import.meta.dirname, '../out')
/** As the command keeps its compiled modules: else compiling would be the larger part of what is compared. */
const cacheOf = (checkout: string) => `NODE_COMPILE_CACHE=${join(checkout, 'node_modules/.cache/millrace')}`
const MODES = ['without', 'bounded', 'followed'] as const

export const epochs: Lane = async ({ checkout, answers, lines, rounds, say }) => {
  const figures: Figure[] = []
  const runs: Record<string, Cost[]> = {}
  for (const lane of ['activity', 'temperature']) {
    const path = input(lane, lines)
    for (const mode of MODES) runs[`${lane}, ${mode}`] = []
    for (let round = 0; round < rounds; round++) {
      for (const mode of MODES) {
        const folder = join(OUT, `${lane}, ${mode}`)
        rmSync(folder, { recursive: true, force: true })
        const script = join(checkout, 'bench/live/one-run.ts')
        const cost = await measure(['env', cacheOf(checkout), process.execPath, script, mode, lane, path, folder])
        // One that follows its input never closes its last windows.
        if (mode !== 'followed') await answers.check(lane, path, join(folder, 'results.ndjson'))
        rmSync(folder, { recursive: true, force: true })
        runs[`${lane}, ${mode}`]!.push(cost)
        say(`epochs, ${lane}, ${mode}: ${cost.cpu_s.toFixed(2)} CPU s`)
      }
    }
    const cpu = (mode: string) => median(runs[`${lane}, ${mode}`]!.map(cost => cost.cpu_s))
    const times = (mode: string) => cpu(mode) / cpu('without')
    figures.push(
      {
        lane: 'epochs',
        what: `CPU to without epochs, ${lane}`,
        measured: times('bounded'),
        unit: '×',
        target: { most: 1.1 },
      },
      {
        lane: 'epochs',
        what: `the same, input followed, ${lane}`,
        measured: times('followed'),
        unit: '×',
        target: null,
      },
    )
  }
  return { figures, runs }
}
