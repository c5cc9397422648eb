/** A data directory has one owner at a time: a lock file that holds the owner's process id and when it began. */
import { join } from 'node:path'
import { MillraceError } from '../system/errors.ts'
import { createText, makeFolder, readText, remove } from '../system/files.ts'
import { ownProcessId, processIsAlive, processStart } from '../system/process.ts'

export interface Owner {
  release(): void
}

/** Takes the directory, made when missing. Throws DATA_DIR_BUSY while another process that is alive has it. */
export function takeOwnership(dataDirectory: string): Owner {
  makeFolder(dataDirectory)
  const path = join(dataDirectory, 'owner.lock')
  for (let attempt = 0; attempt < 2; attempt++) {
    const own = ownProcessId()
    if (createText(path, `${own} ${processStart(own)}\n`)) return { release: () => remove(path) }
    const [id = '', start = ''] = (readText(path) ?? '').trim().split(' ')
    const owner = Number(id)
    const isSame = start === '' || start === processStart(owner)
    if (Number.isInteger(owner) && owner > 0 && isSame && processIsAlive(owner)) {
      throw new MillraceError('DATA_DIR_BUSY', `${dataDirectory} is in use by process ${owner}.`)
    }
    // Its owner was killed and could not clean up.
    remove(path)
  }
  throw new MillraceError('DATA_DIR_BUSY', `${dataDirectory} was taken by another process just now.`)
}
