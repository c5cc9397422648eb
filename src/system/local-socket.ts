/**
 * Sockets that are files of a folder, reached whatever the folder is called.
 *
 * The name of a socket may not be long. Where the folder's is, a link among the temporary files stands for it while the
 * socket is opened or connected to; the socket itself always lies in the folder. Windows has named pipes instead.
 */
import { createHash } from 'node:crypto'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { linkFolder } from './file-names.ts'
import { keepPrivate, remove } from './files.ts'
import { newIncarnation } from './random.ts'

/** macOS takes 103 bytes, Linux 107. */
const SOCKET_NAME_BYTES_MAX = 100

/** node:net; an import would read each of its exports. */
const nodeNet = (): typeof import('node:net') => process.getBuiltinModule('node:net')

/** Whether sockets are files here, which can be seen and moved. */
export const SOCKETS_ARE_FILES = process.platform !== 'win32'

/** Calls with a path by which the socket can be opened or connected to until what is answered resolves. */
export async function withSocketPath<T>(folder: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = resolve(folder, name)
  if (!SOCKETS_ARE_FILES) {
    return await use(
      `\\\\.\\pipe\\millrace-${createHash('sha256').update(path.toLowerCase()).digest('hex').slice(0, 32)}`,
    )
  }
  if (Buffer.byteLength(path) <= SOCKET_NAME_BYTES_MAX) return await use(path)
  const link = join(tmpdir(), `millrace-${newIncarnation().slice(0, 12)}`)
  linkFolder(resolve(folder), link)
  try {
    return await use(join(link, name))
  } finally {
    remove(link)
  }
}

/** A server that listens on a socket of the folder, for this user alone. Throws what listening failed with. */
export async function listenIn(folder: string, name: string): Promise<Server> {
  const server = nodeNet().createServer(socket => socket.destroy())
  await withSocketPath(folder, name, path => listen(server, path))
  if (SOCKETS_ARE_FILES) keepPrivate(join(folder, name))
  // A connection that breaks is the other side's loss alone.
  server.on('error', () => {})
  return server.unref()
}

/** Resolves when the server listens. Throws what it failed with. */
export function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Whether somebody listens on a socket of the folder: `yes`, or the code that connecting failed with. */
export async function answersIn(folder: string, name: string): Promise<string> {
  return await withSocketPath(
    folder,
    name,
    path =>
      new Promise(resolve => {
        const socket = nodeNet().connect(path)
        socket.once('connect', () => {
          socket.destroy()
          resolve('yes')
        })
        socket.once('error', (error: NodeJS.ErrnoException) => {
          // Its queue is full: somebody listens who is busy.
          resolve(error.code === 'EAGAIN' ? 'yes' : (error.code ?? error.message))
        })
      }),
  )
}
