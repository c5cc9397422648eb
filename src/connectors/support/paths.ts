/** Questions about paths. */
import { isAbsolute, relative } from 'node:path'
import { MillraceError } from '../../system/errors.ts'
import { filesMatching, statusOf } from '../../system/files.ts'

/**
 * A path that exists stands for itself, whatever characters are in it; a pattern for the files that match, in the order of
 * their names. Throws FILE_UNREADABLE for a pattern that matches none; a missing file is left to whoever opens it.
 */
export function pathsOf(path: string): string[] {
  if (!isPattern(path)) return [path]
  const found = filesMatching(path)
  if (found.length === 0) throw new MillraceError('FILE_UNREADABLE', `No file matches ${path}.`)
  return found
}

/** Whether more files than one may match it, now or later. */
export function isPattern(path: string): boolean {
  return /[*?[\]{}]/.test(path) && statusOf(path) === null
}

/** Whether an absolute path lies in the folder, or below it. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way !== '' && !isAbsolute(way) && way.split(/[\\/]/)[0] !== '..'
}
