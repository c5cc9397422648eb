/**
 * `millrace verify`: the batch answer beside the stream's, row by row. Exit code 0: every column of every output was
 * compared and is equal; 1: something differs; 5: nothing differs, and not everything was compared.
 */
import { join } from 'node:path'
import { ownerOf } from '../../control/client.ts'
import type { Plan } from '../../plan/nodes.ts'
import { remove } from '../../system/files.ts'
import { keepFilesPrivate, ownProcessId } from '../../system/process.ts'
import type { VerifyReport } from '../../verify/verify.ts'
import { disagrees, verifyPipeline } from '../../verify/verify.ts'
import type { Arguments } from '../arguments.ts'
import { EXIT } from '../exit-codes.ts'
import { loadPipeline } from '../load-pipeline.ts'
import { grouped, jsonText, processTerminal, type Terminal, tableLines } from '../terminal.ts'

/** Differences of each kind that are shown of each output; the JSON form has more. */
const SHOWN = 5

export async function run(values: Arguments): Promise<number> {
  const { plan, dataDirectory } = await loadPipeline(values.required('FILE'))
  // It keeps what it compares in the data directory meanwhile.
  keepFilesPrivate()
  const terminal = processTerminal()
  const say = (step: string) => terminal.live([terminal.remarkStyle.dim(step)])
  const report = await verify(plan, dataDirectory(values.text('data-dir')), say).finally(() => terminal.live([]))
  const { sql, json } = { sql: values.flag('sql'), json: values.flag('json') }
  if (json) await terminal.print(jsonText(answerOf(report, sql)))
  else await printReport(report, sql, terminal)
  if (report.outputs.some(disagrees)) return EXIT.no
  return report.outputs.length > 0 && report.notCompared.length === 0 ? EXIT.ok : EXIT.incomplete
}

/** What scripts read. `column` is null for whole rows that are missing or too many. */
function answerOf({ outputs, notCompared }: VerifyReport, sql: boolean): object {
  const differing = outputs.flatMap(({ output, differing: columns, missingCount, unexpectedCount }) => {
    const rows = missingCount + unexpectedCount
    const cells = [...columns].map(([column, wrong]): object => ({ output, column, rows: wrong }))
    return rows === 0 ? cells : [...cells, { output, column: null, rows }]
  })
  return {
    agreed_rows: total(outputs.map(({ agreed }) => agreed)),
    differing,
    not_compared: notCompared,
    open_windows: total(outputs.map(({ open }) => open)),
    outputs: outputs.map(output => ({
      output: output.output,
      rows: output.rows,
      columns: output.columns,
      agreed: output.agreed,
      missing: output.missingCount,
      unexpected: output.unexpectedCount,
      different: output.differentCount,
      open_windows: output.open,
      examples: { missing: output.missing, unexpected: output.unexpected, different: output.different },
      ...(sql ? { sql: output.sql } : {}),
    })),
  }
}

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)

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

async function printReport(report: VerifyReport, sql: boolean, terminal: Terminal): Promise<void> {
  const { style } = terminal
  const { outputs, notCompared } = report
  const wrong = (count: number) => (count > 0 ? style.red(grouped(count)) : '0')
  const lines =
    outputs.length === 0
      ? []
      : tableLines(
          [
            { title: 'output' },
            { title: 'columns', align: 'right' },
            { title: 'rows', align: 'right' },
            { title: 'agreed', align: 'right' },
            { title: 'missing', align: 'right' },
            { title: 'unexpected', align: 'right' },
            { title: 'different', align: 'right' },
          ],
          outputs.map(output => [
            output.output,
            grouped(output.columns),
            grouped(output.rows),
            grouped(output.agreed),
            wrong(output.missingCount),
            wrong(output.unexpectedCount),
            wrong(output.differentCount),
          ]),
          style,
        )
  for (const output of outputs) {
    if (sql) lines.push('', style.dim(`-- ${output.output}`), output.sql)
    const list = (title: string, count: number, items: readonly object[]) => {
      if (items.length === 0) return
      lines.push('', `${output.output}: ${title}`, ...items.slice(0, SHOWN).map(item => `  ${jsonText(item)}`))
      const rest = count - Math.min(count, SHOWN)
      if (rest > 0) lines.push(style.dim(`  and ${grouped(rest)} more; --json shows up to a hundred`))
    }
    list('the batch answer has these rows, the run did not deliver them', output.missingCount, output.missing)
    list('the run delivered these rows, the batch answer does not have them', output.unexpectedCount, output.unexpected)
    list('these rows differ', output.differentCount, output.different)
    for (const [column, rows] of output.differing) {
      lines.push(`${output.output}: ${style.red(`column ${column} differs in ${rowsText(rows)}`)}`)
    }
    if (output.open > 0) {
      lines.push(
        style.dim(`${output.output}: ${grouped(output.open)} windows are still open, or were when the run stopped`),
      )
    }
  }
  for (const { output, columns, reason } of notCompared) {
    lines.push(`${style.yellow('not compared')} ${output} (${columns.join(', ')}): ${reason}`)
  }
  if (lines.length > 0) lines.push('')
  lines.push(verdictOf(report, style))
  for (const line of lines) await terminal.print(line)
}

/** The last line claims what was compared, and no more. */
function verdictOf({ outputs, notCompared }: VerifyReport, style: Terminal['style']): string {
  if (outputs.some(disagrees)) return style.red('the run and the batch answer differ')
  if (outputs.length === 0) return style.yellow('no output could be compared')
  const compared = `${rowsText(total(outputs.map(({ agreed }) => agreed)))} of ${grouped(outputs.length)} ${outputs.length === 1 ? 'output' : 'outputs'}`
  if (notCompared.length === 0) return style.green(`the run and the batch answer agree in every column: ${compared}`)
  return style.yellow(`the run and the batch answer agree in what was compared: ${compared}; not everything was`)
}

const rowsText = (rows: number) => `${grouped(rows)} ${rows === 1 ? 'row' : 'rows'}`
