/**
 * Where the owner of a data directory listens: DATA_DIR/owner.sock, for its user alone. Windows has a named pipe instead.
 */
import { join } from 'node:path'
import { keepPrivate, listFolder, remove, replaceFile, statusOf } from '../system/files.ts'
import { SOCKETS_ARE_FILES } from '../system/local-socket.ts'
import { ownProcessId } from '../system/process.ts'

/** What commands connect to. */
export const SOCKET = 'owner.sock'

const UNPUBLISHED = /^owner\.\d+\.sock$/

export interface Place {
  /** What the server listens on at first, in the data directory; nobody knows the name yet. */
  readonly listenOn: string
  /** Makes it the owner's, in place of what a killed process left. */
  publish(): void
  /** Takes it away, unless another owner has put its own there. */
  remove(): void
}

/** A place for the socket of a process that owns the data directory. */
export function newPlace(dataDirectory: string): Place {
  if (!SOCKETS_ARE_FILES) return { listenOn: SOCKET, publish() {}, remove() {} }
  const listenOn = `owner.${ownProcessId()}.sock`
  const socket = join(dataDirectory, SOCKET)
  let identity: string | null = null
  // A process that was killed while it opened its socket left it under its own name. The version before noted in
  // owner.address where else it lay.
  for (const name of listFolder(dataDirectory)) {
    if (UNPUBLISHED.test(name) || name === 'owner.address') remove(join(dataDirectory, name))
  }
  return {
    listenOn,
    publish() {
      const own = join(dataDirectory, listenOn)
      // Nobody else may connect at any moment: the rights are set before the name is known.
      keepPrivate(own)
      identity = statusOf(own)?.identity ?? null
      replaceFile(own, socket)
    },
    remove() {
      if (identity !== null && statusOf(socket)?.identity === identity) remove(socket)
    },
  }
}
