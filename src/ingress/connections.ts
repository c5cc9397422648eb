/**
 * Bounds the connections of a server. When there are too many, the one that has been idle for the longest makes room, so
 * that thousands of silent ones never keep out a client that has something to say.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Connections that may be in their TLS handshake beside those that count. */
const HANDSHAKES_MAX = 256

export interface ConnectionsOptions {
  readonly maximum: number
  readonly isSecure: boolean
  /** Whether requests become WebSockets, which are never idle. Default false. */
  readonly hasUpgrades?: boolean
  /** Ends a request that is still coming in, where no connection is idle; false: there is none that may be ended. */
  readonly makeRoom?: () => boolean
}

export function boundConnections(server: Server, options: ConnectionsOptions): void {
  const { maximum, isSecure, hasUpgrades = false, makeRoom = () => false } = options
  /** In the order in which they fell silent. */
  const idle = new Set<Socket>()
  /** Requests under way: HTTP/1.1 lets a client send the next one before the answer. */
  const busy = new Map<Socket, number>()
  const begin = (socket: Socket) => {
    idle.delete(socket)
    busy.set(socket, (busy.get(socket) ?? 0) + 1)
  }

  server.on(isSecure ? 'secureConnection' : 'connection', (socket: Socket) => {
    if (idle.size + busy.size >= maximum) {
      const [oldest] = idle
      if (oldest !== undefined) {
        idle.delete(oldest)
        oldest.destroy()
      } else if (!makeRoom()) return socket.destroy()
    }
    idle.add(socket)
    socket.once('close', () => {
      idle.delete(socket)
      busy.delete(socket)
    })
  })
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    begin(socket)
    response.once('close', () => {
      const left = (busy.get(socket) ?? 1) - 1
      if (left > 0) busy.set(socket, left)
      else {
        busy.delete(socket)
        if (!socket.destroyed) idle.add(socket)
      }
    })
  })
  if (hasUpgrades) server.on('upgrade', ({ socket }: IncomingMessage) => begin(socket))
  server.maxConnections = maximum + HANDSHAKES_MAX
}
