/** `millrace check`: findings with place and way out; exit code 1 when one is an error. */
import { checkPlan, formatFinding } from '../../plan/check.ts'
import { makeSinks } from '../../runtime/consumers/sinks.ts'
import { refuseSharedFiles } from '../../runtime/output-files.ts'
import type { Arguments } from '../arguments.ts'
import { EXIT } from '../exit-codes.ts'
import { loadPipeline } from '../load-pipeline.ts'
import { jsonText, processTerminal } from '../terminal.ts'

export async function run(values: Arguments): Promise<number> {
  const { plan, dataDirectory } = await loadPipeline(values.required('FILE'))
  refuseSharedFiles(plan, dataDirectory(null))
  await makeSinks(plan)
  const findings = checkPlan(plan)
  const terminal = processTerminal()
  const { style } = terminal
  const errors = findings.filter(finding => finding.severity === 'error').length
  if (values.flag('json')) {
    await terminal.print(jsonText({ pipeline: plan.name, errors, findings }))
    return errors > 0 ? EXIT.no : EXIT.ok
  }
  for (const finding of findings) await terminal.print(formatFinding(finding))
  const others = findings.length - errors
  await terminal.print(
    findings.length === 0
      ? `${style.green('nothing found')}: ${plan.name} is as it should be`
      : `${errors} ${errors === 1 ? 'error' : 'errors'}, ${others} other ${others === 1 ? 'finding' : 'findings'}`,
  )
  return errors > 0 ? EXIT.no : EXIT.ok
}
