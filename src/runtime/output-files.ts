/** The files that sinks write: each belongs to one sink, and none is one of the data directory's own. */
import { relative, resolve, sep } from 'node:path'
import { formatLocation } from '../plan/location.ts'
import type { DeliverNode, Plan } from '../plan/nodes.ts'
import { MillraceError } from '../system/errors.ts'

/** What the data directory keeps for itself: a file or folder of this name, and all that is in it. */
const OWN =
  /^(topics|journal|deliveries|quarantine|\.verify|run\.json|addresses\.json|keys[.-].*|owner\..*|console\.key|phone\.key|dead_letters\.resent|verified-.*)$/

/** Throws PIPELINE_INVALID for two sinks that write one file, and for a sink that writes among the data directory's own. */
export function refuseSharedFiles(plan: Plan, dataDirectory: string): void {
  const writers = new Map<string, DeliverNode>()
  for (const deliver of plan.delivers) {
    if (deliver.target.kind !== 'sink') continue
    for (const file of deliver.target.sink.files ?? []) {
      const path = resolve(dataDirectory, file)
      const other = writers.get(path)
      if (other !== undefined && other !== deliver) {
        const where = other.location === null ? '' : ` (${formatLocation(other.location)})`
        throw invalid(deliver, `${deliver.name} and ${other.name}${where} write the same file ${path}`)
      }
      writers.set(path, deliver)
      const [first = ''] = relative(dataDirectory, path).split(sep)
      if (OWN.test(first) || isWarehouse(plan, first)) {
        throw invalid(deliver, `${deliver.name} would write ${path}, where the data directory keeps what is its own`)
      }
    }
  }
}

function isWarehouse({ warehouseFile }: Plan, name: string): boolean {
  return name === warehouseFile || name.startsWith(`${warehouseFile}.`)
}

function invalid({ location }: DeliverNode, message: string): MillraceError {
  const place = location === null ? '' : `${formatLocation(location)}: `
  return new MillraceError('PIPELINE_INVALID', `${place}${message}.`, { next: 'Give the sink another path.' })
}
