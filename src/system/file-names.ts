/** Files that get their name at once, with all that is in them. Errors are those of files.ts. */
import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { syncFolder, writing } from './files.ts'
import { newIncarnation } from './random.ts'

/**
 * Makes a small file that must not exist yet, which its owner alone may read; false when it does. Nobody ever sees it
 * without its content.
 */
export function createText(path: string, text: string): boolean {
  return writing(path, () => {
    // Process ids are not enough: containers that share a folder have the same ones.
    const own = `${path}.${newIncarnation()}`
    fs.writeFileSync(own, text, { flag: 'wx', mode: 0o600 })
    try {
      fs.linkSync(own, path)
      return true
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw cause
    } finally {
      fs.rmSync(own, { force: true })
    }
  })
}

/** Gives a file another time of change; it must be there. */
export function touch(path: string): void {
  writing(path, () => {
    const now = new Date(Date.now())
    fs.utimesSync(path, now, now)
  })
}

/** Makes a symbolic link to a folder. */
export function linkFolder(folder: string, path: string): void {
  writing(path, () => fs.symlinkSync(folder, path))
}

/** Moves a finished file to its place, durably, also to another file system: there it is copied under another name first. */
export function moveFile(from: string, to: string): void {
  writing(to, () => {
    try {
      fs.renameSync(from, to)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EXDEV') throw cause
      const part = `${to}.part`
      try {
        fs.copyFileSync(from, part)
        const descriptor = fs.openSync(part, 'r+')
        try {
          fs.fsyncSync(descriptor)
        } finally {
          fs.closeSync(descriptor)
        }
        fs.renameSync(part, to)
      } finally {
        fs.rmSync(part, { force: true })
      }
      fs.rmSync(from)
    }
    syncFolder(dirname(to))
  })
}
