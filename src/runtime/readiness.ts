/** Whether a run does all of its work just now, in words that may be told to anybody. */
import type { DeliverNode, Plan } from '../plan/nodes.ts'
import type { RunProgress } from './options.ts'

/** Why a run at work is not ready, without names of this machine; null: it is. */
export function reasonNotReady(plan: Plan, { held, outputs }: RunProgress): string | null {
  if (held !== null) return `Nothing is taken in: ${held.code}.`
  const tables = new Set(plan.delivers.flatMap(tableOf))
  // One that is only slow catches up by itself.
  const failing = outputs.find(({ output, behind }) => tables.has(output) && behind !== null && behind.error !== null)
  return failing === undefined ? null : `The warehouse takes no rows: ${failing.behind!.error!.code}.`
}

function tableOf({ target }: DeliverNode): string[] {
  return target.kind === 'table' ? [target.table] : []
}
