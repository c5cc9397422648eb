/**
 * The only callers of the real file system: thin wrappers that name the path in every error.
 *
 * Reading throws FILE_UNREADABLE, writing FILE_UNWRITABLE; a missing file's message names the nearest one beside it.
 */
import * as fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { MillraceError, nearest } from './errors.ts'
import { userFileMode } from './process.ts'

/** What a path is now. `identity` changes when another file takes its place. */
export interface FileStatus {
  readonly kind: 'file' | 'folder' | 'other'
  readonly bytes: number
  readonly identity: string
}

/** What the path is, or null when there is nothing. Throws FILE_UNREADABLE when that cannot be told. */
export function statusOf(path: string): FileStatus | null {
  try {
    const status = fs.statSync(path, { throwIfNoEntry: false })
    return status === undefined ? null : statusFrom(status)
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** What an open file is now, whatever has happened to its name since. */
export function statusOfOpen(descriptor: number): FileStatus {
  return statusFrom(fs.fstatSync(descriptor))
}

function statusFrom(status: fs.Stats): FileStatus {
  return {
    kind: status.isFile() ? 'file' : status.isDirectory() ? 'folder' : 'other',
    bytes: status.size,
    identity: `${status.dev}:${status.ino}`,
  }
}

/** Opens a file for reading; the caller closes the descriptor. */
export function openForReading(path: string): number {
  try {
    return fs.openSync(path, 'r')
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** Opens a file for reading and writing at any place, made when missing; the caller closes the descriptor. */
export function openForWriting(path: string): number {
  return writing(path, () => {
    fs.mkdirSync(dirname(path), { recursive: true })
    return fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT)
  })
}

export function closeFile(descriptor: number): void {
  fs.closeSync(descriptor)
}

/**
 * Reads up to `length` bytes at `position` into the buffer at `offset`; returns how many, 0 at the end.
 * `position` null reads on from where the descriptor stands (for pipes).
 */
export function readBytes(
  descriptor: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number | null,
): number {
  return fs.readSync(descriptor, buffer, offset, length, position)
}

/** Writes all the bytes at `position`. */
export function writeBytes(descriptor: number, bytes: Uint8Array, position: number, path: string): void {
  writing(path, () => {
    let written = 0
    while (written < bytes.length) {
      written += fs.writeSync(descriptor, bytes, written, bytes.length - written, position + written)
    }
  })
}

/** Makes what was written survive a loss of power. */
export function syncFile(descriptor: number, path: string): void {
  writing(path, () => fs.fdatasyncSync(descriptor))
}

/** Cuts the file to a length. */
export function truncateFile(descriptor: number, bytes: number, path: string): void {
  writing(path, () => fs.ftruncateSync(descriptor, bytes))
}

/** The whole file as text, or null when it is missing. */
export function readText(path: string): string | null {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unreadable(path, cause)
  }
}

/** The whole file; for small ones. */
export function readWhole(path: string): Uint8Array {
  try {
    return fs.readFileSync(path)
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** Bytes that this user can still write where the path is; null when the system does not say. */
export function freeBytes(path: string): number | null {
  try {
    const { bavail, bsize } = fs.statfsSync(path)
    return bavail * bsize
  } catch {
    return null
  }
}

/**
 * Puts a small file in place at once and durably: a reader sees the old text or the new one, never a part. `isPrivate`
 * (default false): only its owner may read it, mode 0600 from the first byte on.
 */
export function replaceText(path: string, text: string, { isPrivate = false } = {}): void {
  writing(path, () => {
    fs.mkdirSync(dirname(path), { recursive: true })
    const temporary = `${path}.tmp`
    // One that was left behind could have another mode.
    if (isPrivate) fs.rmSync(temporary, { force: true })
    writeDurably(isPrivate ? fs.openSync(temporary, 'wx', 0o600) : fs.openSync(temporary, 'w'), text)
    fs.renameSync(temporary, path)
    syncFolder(dirname(path))
  })
}

/** Writes where the descriptor stands, and closes it. */
function writeDurably(descriptor: number, text: string): void {
  try {
    fs.writeFileSync(descriptor, text)
    fs.fdatasyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

/** Changes whenever the file is written or replaced; null when there is none. Throws FILE_UNREADABLE. */
export function versionOf(path: string): string | null {
  try {
    const status = fs.statSync(path, { throwIfNoEntry: false, bigint: true })
    return status === undefined ? null : `${status.ino}:${status.size}:${status.mtimeNs}`
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** Gives a file the rights that the user wants for theirs. */
export function shareAsUserWants(path: string): void {
  writing(path, () => fs.chmodSync(path, userFileMode()))
}

/** Lets only its owner read and write it. */
export function keepPrivate(path: string): void {
  writing(path, () => fs.chmodSync(path, 0o600))
}

/** Adds text at the end of a small file, made when missing, durably; whoever else does so at the same time keeps theirs. */
export function appendText(path: string, text: string): void {
  writing(path, () => {
    writeDurably(fs.openSync(path, 'a'), text)
    syncFolder(dirname(path))
  })
}

/** Makes a file of the pieces, one after the other; nothing is synced. */
export function writePieces(path: string, pieces: Iterable<Uint8Array>): void {
  const descriptor = openForWriting(path)
  try {
    let position = 0
    for (const piece of pieces) {
      writeBytes(descriptor, piece, position, path)
      position += piece.length
    }
    truncateFile(descriptor, position, path)
  } finally {
    closeFile(descriptor)
  }
}

/** Moves a finished file to its place, durably. */
export function replaceFile(from: string, to: string): void {
  writing(to, () => {
    fs.renameSync(from, to)
    syncFolder(dirname(to))
  })
}

/** Makes the names in a folder durable: a file that was just made or renamed is found after a loss of power. */
export function syncFolder(path: string): void {
  // Some file systems refuse to open or sync a folder; their renames are as durable as they get.
  try {
    const descriptor = fs.openSync(path, 'r')
    try {
      fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
  } catch {}
}

/** Makes the folder and those above it, one by one: below /proc a recursive mkdir of Node never returns. */
export function makeFolder(path: string): void {
  const kind = statusOf(path)?.kind
  if (kind === 'folder') return
  if (kind !== undefined) {
    throw new MillraceError('FILE_UNWRITABLE', `Cannot make the folder ${path}: there is a file of that name.`, {
      next: 'Name a folder, or a place that is free.',
    })
  }
  makeFolder(dirname(path))
  writing(path, () => {
    try {
      fs.mkdirSync(path)
    } catch (error) {
      // Another process may just have made it.
      if (statusOf(path)?.kind !== 'folder') throw error
    }
  })
}

/** Names in a folder in the order of their characters; empty when there is no such folder. */
export function listFolder(path: string): string[] {
  try {
    return fs.readdirSync(path).sort()
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw unreadable(path, cause)
  }
}

/** Removes a file or a folder with all in it; nothing happens when it is missing. */
export function remove(path: string): void {
  writing(path, () => fs.rmSync(path, { recursive: true, force: true }))
}

/** Files that match a pattern with `*`, `?`, `**` and `{a,b}`, in the order of their characters. */
export function filesMatching(pattern: string): string[] {
  return fs
    .globSync(pattern)
    .filter(path => statusOf(path)?.kind === 'file')
    .sort()
}

const TOO_MANY_OPEN = 'this process has too many files open (ulimit -n says how many it may)'

/** FILE_UNREADABLE for a path, naming the nearest existing name when the file is missing. */
export function unreadable(path: string, cause: unknown): MillraceError {
  const code = (cause as NodeJS.ErrnoException | null)?.code
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const folder = dirname(path)
    if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
      return new MillraceError('FILE_UNREADABLE', `There is no folder ${folder} (for the file ${path}).`, { cause })
    }
    const names = listFolder(folder)
    if (names.includes(basename(path))) {
      return new MillraceError('FILE_UNREADABLE', `${path} is a link to something that is not there.`, { cause })
    }
    const near = nearest(basename(path), names)
    const hint = near === null ? '' : ` Did you mean ${join(folder, near)}?`
    return new MillraceError('FILE_UNREADABLE', `There is no file ${path}.${hint}`, { cause })
  }
  const reason =
    code === 'EACCES' || code === 'EPERM'
      ? 'this user may not read it'
      : code === 'EISDIR'
        ? 'it is a folder'
        : code === 'EMFILE'
          ? TOO_MANY_OPEN
          : String((cause as Error | null)?.message ?? cause)
  return new MillraceError('FILE_UNREADABLE', `Cannot read ${path}: ${reason}.`, { cause })
}

/** Does what writes to the path; what goes wrong is FILE_UNWRITABLE. */
export function writing<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

/** FILE_UNWRITABLE for a path, with the reason in words. */
export function unwritable(path: string, cause: unknown): MillraceError {
  const code = (cause as NodeJS.ErrnoException | null)?.code
  const reason =
    code === 'ENOSPC'
      ? 'the disk is full'
      : code === 'EACCES' || code === 'EPERM'
        ? 'this user may not write there'
        : code === 'EROFS'
          ? 'the file system is read-only'
          : code === 'EMFILE'
            ? TOO_MANY_OPEN
            : String((cause as Error | null)?.message ?? cause)
  return new MillraceError('FILE_UNWRITABLE', `Cannot write ${path}: ${reason}.`, { cause })
}
