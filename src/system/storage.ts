/**
 * What the log asks of a disk, and the disk itself. `MemoryStorage` (src/testing) is the form that loses power on demand.
 *
 * What survives a loss of power: the bytes of a file up to the `sync` that came after they were written, and the names in
 * a folder up to its `syncFolder`. Anything later may be there, in part, in another order, or not at all. Reading throws
 * FILE_UNREADABLE, all else FILE_UNWRITABLE; the operating system's error is its `cause`.
 */
import * as fs from 'node:fs'
import { dirname } from 'node:path'
import {
  closeFile,
  listFolder,
  openForReading,
  openForWriting,
  readBytes,
  syncFile,
  truncateFile,
  unreadable,
  unwritable,
  writeBytes,
} from './files.ts'

export interface StorageFile {
  readonly path: string
  length(): number
  /** Reads from `position` until the target is full or the file ends; returns how many bytes. */
  read(target: Uint8Array, position: number): number
  /** Writes all the bytes, or throws; a part of them may then stand in the file. */
  write(bytes: Uint8Array, position: number): void
  truncate(length: number): void
  /** Resolves when all that was written before the call is safe; later writes may go on meanwhile. */
  sync(): Promise<void>
  /** The same, for the few places that cannot wait: opening and retention. */
  syncNow(): void
  close(): void
}

export interface Storage {
  /** For reading and writing, made when missing; the name of a new file is safe after `syncFolder`. */
  open(path: string): StorageFile
  /** For reading; the file must be there. */
  openForReading(path: string): StorageFile
  /** Length of the file, or null when there is none. */
  lengthOf(path: string): number | null
  /** Names in order of their characters; empty when there is no such folder. */
  list(folder: string): readonly string[]
  /** Makes the folder and those above it, durably. */
  makeFolder(path: string): void
  /** Makes the names in the folder safe. */
  syncFolder(path: string): void
  rename(from: string, to: string): void
  /** Removes a file; nothing happens when it is missing. */
  remove(path: string): void
}

/** The disk of this machine. */
export const diskStorage: Storage = {
  open: path => new DiskFile(path, openForWriting(path)),
  openForReading: path => new DiskFile(path, openForReading(path)),
  lengthOf(path) {
    const status = fs.statSync(path, { throwIfNoEntry: false })
    return status?.isFile() ? status.size : null
  },
  list: listFolder,
  makeFolder(path) {
    changing(path, () => {
      const first = fs.mkdirSync(path, { recursive: true })
      if (first === undefined) return
      for (let made = path; made.length >= first.length; made = dirname(made)) syncNames(dirname(made))
    })
  },
  syncFolder: path => changing(path, () => syncNames(path)),
  rename: (from, to) => changing(to, () => fs.renameSync(from, to)),
  remove: path => changing(path, () => fs.rmSync(path, { force: true })),
}

class DiskFile implements StorageFile {
  readonly path: string
  #descriptor: number

  constructor(path: string, descriptor: number) {
    this.path = path
    this.#descriptor = descriptor
  }

  length(): number {
    return fs.fstatSync(this.#descriptor).size
  }

  read(target: Uint8Array, position: number): number {
    try {
      let filled = 0
      while (filled < target.length) {
        const read = readBytes(this.#descriptor, target, filled, target.length - filled, position + filled)
        if (read === 0) break
        filled += read
      }
      return filled
    } catch (cause) {
      throw unreadable(this.path, cause)
    }
  }

  write(bytes: Uint8Array, position: number): void {
    writeBytes(this.#descriptor, bytes, position, this.path)
  }

  truncate(length: number): void {
    truncateFile(this.#descriptor, length, this.path)
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#descriptor, cause => (cause === null ? resolve() : reject(unwritable(this.path, cause))))
    })
  }

  syncNow(): void {
    syncFile(this.#descriptor, this.path)
  }

  close(): void {
    if (this.#descriptor < 0) return
    closeFile(this.#descriptor)
    this.#descriptor = -1
  }
}

/** Some file systems refuse to sync a folder (EINVAL) or to open one (EISDIR, EPERM): there it is as safe as it gets. */
function syncNames(path: string): void {
  let descriptor: number
  try {
    descriptor = fs.openSync(path, 'r')
  } catch (cause) {
    if (['EISDIR', 'EPERM', 'EACCES'].includes((cause as NodeJS.ErrnoException).code ?? '')) return
    throw cause
  }
  try {
    fs.fsyncSync(descriptor)
  } catch (cause) {
    if (!['EINVAL', 'EPERM', 'EISDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause
  } finally {
    fs.closeSync(descriptor)
  }
}

function changing<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    throw unwritable(path, cause)
  }
}
