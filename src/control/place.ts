/**
 * Where the owner of a data directory listens: DATA_DIR/owner.sock, for its user alone.
 *
 * The name of a socket may not be long. Where the data directory's is, the socket lies in a private folder among the
 * temporary files, and DATA_DIR/owner.address says where. Windows has named pipes instead.
 */
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import {
  keepPrivate,
  listFolder,
  makePrivateFolder,
  readText,
  remove,
  replaceFile,
  replaceText,
  statusOf,
} from '../system/files.ts'
import { ownProcessId } from '../system/process.ts'

/** macOS takes 103 bytes, Linux 107. */
const SOCKET_NAME_BYTES_MAX = 100
const UNPUBLISHED = /^owner\.\d+\.sock$/
const FOLDER = 'millrace-owner-'

const socketIn = (dataDirectory: string) => join(dataDirectory, 'owner.sock')
const addressIn = (dataDirectory: string) => join(dataDirectory, 'owner.address')

export interface Place {
  /** What the server listens on at first; nobody knows the name yet. */
  readonly listenOn: string
  /** Makes it the owner's, in place of what a killed process left. */
  publish(): void
  /** Takes it away, unless another owner has put its own there. */
  remove(): void
}

/** A place for the socket of a process that owns the data directory. */
export function newPlace(dataDirectory: string): Place {
  if (process.platform === 'win32') return { listenOn: pipeName(dataDirectory), publish() {}, remove() {} }
  const own = join(dataDirectory, `owner.${ownProcessId()}.sock`)
  return Buffer.byteLength(own) <= SOCKET_NAME_BYTES_MAX
    ? besideData(dataDirectory, own)
    : amongTemporary(dataDirectory)
}

function besideData(dataDirectory: string, own: string): Place {
  const socket = socketIn(dataDirectory)
  let identity: string | null = null
  // A process that was killed while it opened its socket left it under its own name.
  for (const name of listFolder(dataDirectory)) if (UNPUBLISHED.test(name)) remove(join(dataDirectory, name))
  return {
    listenOn: own,
    publish() {
      // Nobody else may connect at any moment: the rights are set before the name is known.
      keepPrivate(own)
      identity = statusOf(own)?.identity ?? null
      replaceFile(own, socket)
      forgetAddress(dataDirectory)
    },
    remove() {
      if (identity !== null && statusOf(socket)?.identity === identity) remove(socket)
    },
  }
}

function amongTemporary(dataDirectory: string): Place {
  const folder = makePrivateFolder(join(tmpdir(), FOLDER))
  const socket = join(folder, 'owner.sock')
  return {
    listenOn: socket,
    publish() {
      keepPrivate(socket)
      forgetAddress(dataDirectory)
      replaceText(addressIn(dataDirectory), `${socket}\n`)
    },
    remove() {
      if (addressOf(dataDirectory) === socket) remove(addressIn(dataDirectory))
      remove(folder)
    },
  }
}

/** Takes away the address of an earlier owner, with its folder. */
function forgetAddress(dataDirectory: string): void {
  const earlier = addressOf(dataDirectory)
  if (earlier === null) return
  remove(addressIn(dataDirectory))
  const folder = dirname(earlier)
  // Only what was made here: a file's text must not name what is removed.
  if (dirname(folder) === resolve(tmpdir()) && /^millrace-owner-\w{6}$/.test(basename(folder))) remove(folder)
}

function addressOf(dataDirectory: string): string | null {
  return readText(addressIn(dataDirectory))?.trim() || null
}

/** What to connect to, whether somebody listens there or not; null: no owner has left anything. */
export function placeOf(dataDirectory: string): string | null {
  if (process.platform === 'win32') return pipeName(dataDirectory)
  const address = addressOf(dataDirectory)
  if (address !== null) return address
  const socket = socketIn(dataDirectory)
  return statusOf(socket) === null ? null : socket
}

function pipeName(dataDirectory: string): string {
  const digest = createHash('sha256').update(resolve(dataDirectory).toLowerCase()).digest('hex').slice(0, 32)
  return `\\\\.\\pipe\\millrace-${digest}`
}
