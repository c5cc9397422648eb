/** `millrace verify`: the batch answer beside the stream's, row by row; exit code 1 when they differ. */
import { join } from 'node:path'
import { ownerOf } from '../../control/client.ts'
import type { Plan } from '../../plan/nodes.ts'
import { remove } from '../../system/files.ts'
import { ownProcessId } from '../../system/process.ts'
import type { VerifyReport } from '../../verify/verify.ts'
import { verifyPipeline } from '../../verify/verify.ts'
import type { Arguments } from '../arguments.ts'
import { EXIT } from '../exit-codes.ts'
import { loadPipeline } from '../load-pipeline.ts'
import { grouped, jsonText, processTerminal, type Terminal, tableLines } from '../terminal.ts'

/** Differences of each kind that are shown of each output; the JSON form has more. */
const SHOWN = 5

export async function run(values: Arguments): Promise<number> {
  const { plan, dataDirectory } = await loadPipeline(values.required('FILE'))
  const terminal = processTerminal()
  const say = (step: string) => terminal.live([terminal.remarkStyle.dim(step)])
  const report = await verify(plan, dataDirectory(values.text('data-dir')), say).finally(() => terminal.live([]))
  // That nothing could be compared proves nothing.
  const agrees =
    report.outputs.length > 0 &&
    report.outputs.every(output => output.missingCount + output.unexpectedCount + output.differentCount === 0)
  if (values.flag('json')) await terminal.print(jsonText({ agrees, ...report }))
  else await printReport(report, agrees, values.flag('sql'), terminal)
  return agrees ? EXIT.ok : EXIT.no
}

/** Beside a run at work the copy of one moment is verified: the run has the warehouse, and goes on. */
async function verify(plan: Plan, dataDirectory: string, onProgress: (step: string) => void): Promise<VerifyReport> {
  const owner = await ownerOf(dataDirectory)
  const hasTables = plan.delivers.some(({ target }) => target.kind === 'table')
  if (owner === null || !hasTables) return verifyPipeline(plan, { dataDirectory, onProgress })
  const path = join(dataDirectory, `verified-${ownProcessId()}.duckdb`)
  onProgress('copying the warehouse of the run at work')
  try {
    const { positions } = await owner.snapshot(path)
    return await verifyPipeline(plan, { dataDirectory, onProgress, snapshot: { path, positions } })
  } finally {
    remove(path)
  }
}

async function printReport(report: VerifyReport, agrees: boolean, sql: boolean, terminal: Terminal): Promise<void> {
  const { style } = terminal
  const wrong = (count: number) => (count > 0 ? style.red(grouped(count)) : '0')
  const lines =
    report.outputs.length === 0
      ? []
      : tableLines(
          [
            { title: 'output' },
            { title: 'rows', align: 'right' },
            { title: 'agreed', align: 'right' },
            { title: 'missing', align: 'right' },
            { title: 'unexpected', align: 'right' },
            { title: 'different', align: 'right' },
          ],
          report.outputs.map(output => [
            output.output,
            grouped(output.windows),
            grouped(output.agreed),
            wrong(output.missingCount),
            wrong(output.unexpectedCount),
            wrong(output.differentCount),
          ]),
          style,
        )
  for (const output of report.outputs) {
    if (sql) lines.push('', style.dim(`-- ${output.output}`), output.sql)
    const list = (title: string, count: number, items: readonly object[]) => {
      if (items.length === 0) return
      lines.push('', `${output.output}: ${title}`, ...items.slice(0, SHOWN).map(item => `  ${jsonText(item)}`))
      const rest = count - Math.min(count, SHOWN)
      if (rest > 0) lines.push(style.dim(`  and ${grouped(rest)} more; --json shows up to a hundred`))
    }
    list('the batch answer has these, the stream did not deliver them', output.missingCount, output.missing)
    list('the stream delivered these, the batch answer does not have them', output.unexpectedCount, output.unexpected)
    list('these differ', output.differentCount, output.different)
    if (output.pending > 0) {
      lines.push(style.dim(`${output.output}: ${grouped(output.pending)} windows were still open when the run stopped`))
    }
  }
  for (const { output, reason } of report.skipped) lines.push(`${style.yellow('skipped')} ${output}: ${reason}`)
  const rows = report.outputs.reduce((sum, output) => sum + output.windows, 0)
  const all = report.outputs.length + report.skipped.length
  const part = report.skipped.length === 0 ? '' : ` of ${report.outputs.length} of ${all} outputs`
  if (lines.length > 0) lines.push('')
  lines.push(
    report.outputs.length === 0
      ? style.yellow('no output could be compared')
      : !agrees
        ? style.red('the stream and the batch answer differ')
        : style.green(`the stream and the batch answer agree on all ${grouped(rows)} rows${part}`),
  )
  for (const line of lines) await terminal.print(line)
}
