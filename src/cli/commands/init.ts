/** `millrace init`: a folder with a pipeline that works at once. */
import { join, resolve } from 'node:path'
import { MillraceError } from '../../system/errors.ts'
import { listFolder, makeFolder, replaceText, statusOf } from '../../system/files.ts'
import type { Arguments } from '../arguments.ts'
import { EXIT } from '../exit-codes.ts'
import { startingFiles } from '../init-files.ts'
import { shortest } from '../paths.ts'
import { processTerminal } from '../terminal.ts'

export async function run(values: Arguments): Promise<number> {
  const folder = resolve(values.optional('DIR') ?? '.')
  const status = statusOf(folder)
  if (status !== null && status.kind !== 'folder') throw new MillraceError('OPTION_INVALID', `${folder} is no folder.`)
  const present = listFolder(folder).filter(name => name !== '.git')
  const files = Object.entries(startingFiles())
  const taken = takenNames(
    present,
    files.map(([name]) => name),
  )
  if (taken.length > 0) {
    throw new MillraceError('OPTION_INVALID', `${folder} is not empty: it holds ${taken.slice(0, 5).join(', ')}.`, {
      next: 'Give an empty or a new folder: millrace init DIR',
    })
  }
  const terminal = processTerminal()
  const { style } = terminal
  makeFolder(folder)
  const width = Math.max(...files.map(([name]) => name.length))
  for (const [name, { text, help }] of files) {
    const kept = present.includes(name)
    if (!kept) replaceText(join(folder, name), text)
    await terminal.print(`${name.padEnd(width)}  ${style.dim(kept ? 'yours, left as it is' : help)}`)
  }
  const way = shortest(folder)
  await terminal.print('')
  if (way !== '.') await terminal.print(`next  cd ${way}`)
  await terminal.print(`${way === '.' ? 'next' : '    '}  millrace run pipeline.ts --until-end`)
  return EXIT.ok
}

/** What of a folder's content stands in the way: all, unless it is a project into which millrace was installed. */
function takenNames(present: readonly string[], written: readonly string[]): readonly string[] {
  if (!present.includes('package.json')) return present
  return present.filter(name => written.includes(name) && name !== 'package.json' && name !== '.gitignore')
}
