/** The data directory of commands that look at an earlier run. */
import { join, resolve } from 'node:path'
import { MillraceError } from '../system/errors.ts'
import { listFolder, readText, statusOf } from '../system/files.ts'

const DEFAULT_ROOT = '.millrace'

/**
 * The data directory given, or the only one in `.millrace`.
 *
 * Errors: OPTION_INVALID when it is not there or when there are several to choose from.
 */
export function storedDataDirectory(given: string | null): string {
  if (given !== null) {
    if (statusOf(given)?.kind === 'folder') return resolve(given)
    throw new MillraceError('OPTION_INVALID', `There is no data directory ${given}.`, {
      next: 'Give the --data-dir of a run; its summary names it.',
    })
  }
  const found = listFolder(DEFAULT_ROOT).filter(name => statusOf(join(DEFAULT_ROOT, name))?.kind === 'folder')
  if (found.length === 1) return resolve(DEFAULT_ROOT, found[0]!)
  const list = found.map(name => join(DEFAULT_ROOT, name)).join(', ')
  throw new MillraceError(
    'OPTION_INVALID',
    found.length === 0 ? 'Nothing has run here yet: there is no folder .millrace.' : `Which data directory: ${list}?`,
    { next: 'Name it: --data-dir DIR' },
  )
}

/** What the run that made a data directory says about itself; every field may be missing. */
interface RunRecord {
  readonly pipeline?: string
  readonly plan?: string
  readonly warehouseFile?: string
}

/** The file `run.json` of a data directory; empty when there is none. */
function runRecordOf(dataDirectory: string): RunRecord {
  const text = readText(join(dataDirectory, 'run.json'))
  if (text === null) return {}
  try {
    return JSON.parse(text) as RunRecord
  } catch {
    return {}
  }
}

/** Path of the warehouse of a data directory. */
export function warehouseOf(dataDirectory: string): string {
  const path = resolve(dataDirectory, runRecordOf(dataDirectory).warehouseFile ?? 'warehouse.duckdb')
  if (statusOf(path) !== null) return path
  throw new MillraceError('OPTION_INVALID', `There is no warehouse in ${dataDirectory} (${path} is missing).`, {
    next: "Run a pipeline that writes a table first; 'millrace topics list' shows what is there.",
  })
}
