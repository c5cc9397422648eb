/**
 * The benchmark: every answer is checked against the batch answer before its time counts.
 *
 *   npm run bench [-- --quick] [--only activity,temperature | files | pushed] [--rounds 5] [--lines 4000000] [--readme]
 *   npm run bench -- --against COMMIT [--pairs 9] [--only LANE]
 *
 * Prints a table and writes bench/out/results.json (`--json FILE`: there); `--readme` puts the tables of whole groups into
 * README.md. Exit code 1 when a lane failed or a target was missed. `--against`: see bench/against.ts.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { against } from './against.ts'
import { openAnswers } from './answers.ts'
import { LINES } from './generate.ts'
import { LANES as FILE_LANES, type Figure, type Lane, type LaneResult } from './lanes.ts'
import { LIVE_LANES } from './live.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    lines: { type: 'string' },
    readme: { type: 'boolean', default: false },
    json: { type: 'string' },
    against: { type: 'string' },
    pairs: { type: 'string', default: '9' },
  },
})
const lines = Number(values.lines ?? (values.quick ? LINES / 10 : LINES))
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))
const LANES: Readonly<Record<string, Lane>> = { ...FILE_LANES, ...LIVE_LANES }
/** Words that stand for several lanes. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  all: Object.keys(LANES),
  files: Object.keys(FILE_LANES),
  pushed: Object.keys(LIVE_LANES),
}
const chosen = (values.only ?? 'all').split(',').flatMap(word => GROUPS[word] ?? word)
const unknown = chosen.filter(lane => LANES[lane] === undefined)
if (unknown.length > 0) throw new Error(`no lane ${unknown.join(', ')}: choose among ${Object.keys(LANES).join(', ')}`)

const answers = await openAnswers()
const checkout = join(import.meta.dirname, '..')
const say = (text: string) => console.error(`  ${text}`)
if (values.against !== undefined) {
  const pairs = Number(values.pairs)
  const { table, ratios } = await against({
    checkout,
    commit: values.against,
    pairs,
    lanes: chosen.map(lane => [lane, LANES[lane]!]),
    setting: { answers, lines, say },
  })
  console.log(table)
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ against: values.against, pairs, ratios }, null, 2)}\n`)
  answers.close()
  process.exit()
}
const results: Record<string, LaneResult> = {}
const failures: Record<string, string> = {}
for (const lane of chosen) {
  try {
    results[lane] = await LANES[lane]!({ checkout, alone: false, answers, lines, rounds, say })
  } catch (error) {
    failures[lane] = (error as Error).message
    console.error(`  ${lane} failed: ${failures[lane]}`)
  }
}
answers.close()

const figures = Object.values(results).flatMap(result => result.figures)
const met = ({ measured, target }: Figure) =>
  target === null ? null : 'least' in target ? measured >= target.least : measured <= target.most
const number = (value: number) =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toLocaleString('en-US', { maximumFractionDigits: 2 })
const wanted = ({ target, unit }: Figure) => {
  if (target === null) return ''
  return 'least' in target ? `≥ ${number(target.least)} ${unit}` : `≤ ${number(target.most)} ${unit}`
}
/** The figures of some lanes as a table. */
function tableOf(lanes: readonly string[]): string {
  const ofLanes = lanes.flatMap(lane => results[lane]?.figures ?? [])
  const table = [
    ['lane', 'figure', 'measured', 'target', 'met'],
    ...ofLanes.map(figure => {
      const verdict = met(figure)
      const word = verdict === null ? '' : verdict ? 'yes' : 'no'
      return [figure.lane, figure.what, `${number(figure.measured)} ${figure.unit}`, wanted(figure), word]
    }),
    ...lanes.filter(lane => failures[lane] !== undefined).map(lane => [lane, 'failed', '', '', 'no']),
  ]
  const widths = table[0]!.map((_, column) => Math.max(...table.map(row => row[column]!.length)))
  const rowText = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  const rule = `|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`
  return [rowText(table[0]!), rule, ...table.slice(1).map(rowText)].join('\n')
}
const machine = {
  processor: cpus()[0]?.model ?? '',
  processors: cpus().length,
  memory_gb: Math.round(totalmem() / 2 ** 30),
}
const conditions = `${lines.toLocaleString('en-US')} events, medians of ${rounds} interleaved runs, Node ${process.versions.node}, ${machine.processors} × ${machine.processor}.`
console.log(`${tableOf(chosen)}\n\n${conditions}`)

const out = join(import.meta.dirname, 'out')
mkdirSync(out, { recursive: true })
writeFileSync(
  values.json ?? join(out, 'results.json'),
  `${JSON.stringify({ machine, node: process.versions.node, lines, rounds, figures: figures.map(figure => ({ ...figure, met: met(figure) })), failures, runs: Object.assign({}, ...Object.values(results).map(result => result.runs)) }, null, 2)}\n`,
)

if (values.readme) {
  const path = join(import.meta.dirname, '..', 'README.md')
  for (const group of ['files', 'pushed']) {
    if (!GROUPS[group]!.every(lane => chosen.includes(lane))) continue
    const text = readFileSync(path, 'utf8')
    const [begin, end] = [`<!-- benchmark ${group} -->`, `<!-- /benchmark ${group} -->`]
    const [from, to] = [text.indexOf(begin), text.indexOf(end)]
    if (from < 0 || to < from) throw new Error(`README.md has no ${begin} ... ${end}`)
    const table = `${tableOf(GROUPS[group]!)}\n\n${conditions}`
    writeFileSync(path, `${text.slice(0, from + begin.length)}\n${table}\n${text.slice(to)}`)
  }
}
process.exitCode = Object.keys(failures).length > 0 || figures.some(figure => met(figure) === false) ? 1 : 0
