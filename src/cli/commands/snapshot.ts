/** `millrace snapshot`: a copy of the warehouse that other programs can open, whether a run has it open or not. */
import { resolve } from 'node:path'
import { ownerOf } from '../../control/client.ts'
import { MillraceError } from '../../system/errors.ts'
import { remove, replaceFile, shareAsUserWants, statusOf } from '../../system/files.ts'
import { ownProcessId } from '../../system/process.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory, warehouseOf } from '../data-directory.ts'
import { EXIT } from '../exit-codes.ts'
import { shortest } from '../paths.ts'
import { bytesText, jsonText, processTerminal } from '../terminal.ts'

export async function run(values: Arguments): Promise<number> {
  const path = resolve(values.required('FILE'))
  const present = statusOf(path)
  if (present !== null && (present.kind !== 'file' || !values.flag('force'))) {
    const isFile = present.kind === 'file'
    throw new MillraceError('OPTION_INVALID', `${path} is there already${isFile ? '' : ', and is no file'}.`, {
      next: isFile ? 'Give another name, or --force to put the copy in its place.' : 'Give the name of a file.',
    })
  }
  const directory = storedDataDirectory(values.text('data-dir'))
  const warehouse = warehouseOf(directory)
  if (statusOf(warehouse)?.identity === present?.identity) {
    throw new MillraceError('OPTION_INVALID', `${path} is the warehouse itself.`, { next: 'Give another name.' })
  }
  // Under its own name there is never a part of a copy.
  const part = `${path}.part-${ownProcessId()}`
  const owner = await ownerOf(directory)
  try {
    if (owner !== null) await owner.snapshot(part)
    else {
      const { copyWarehouseFile } = await import('../../connectors/duckdb/query.ts')
      await copyWarehouseFile(warehouse, part)
    }
    // The run makes its files for its user alone; this one is made for others to open.
    shareAsUserWants(part)
    replaceFile(part, path)
  } catch (error) {
    remove(part)
    throw error
  }
  const bytes = statusOf(path)?.bytes ?? 0
  const terminal = processTerminal()
  await terminal.print(values.flag('json') ? jsonText({ path, bytes }) : `${shortest(path)}  ${bytesText(bytes)}`)
  return EXIT.ok
}
