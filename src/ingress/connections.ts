/**
 * Bounds the connections of a server. When there are too many, the one that has been idle for the longest makes room, so
 * that thousands of silent ones never keep out a client that has something to say.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Connections that may be in their TLS handshake beside those that count. */
const HANDSHAKES_MAX = 256

export function boundConnections(server: Server, maximum: number, isSecure: boolean): void {
  /** In the order in which they fell silent. */
  const idle = new Set<Socket>()
  /** Requests under way: HTTP/1.1 lets a client send the next one before the answer. */
  const busy = new Map<Socket, number>()

  server.on(isSecure ? 'secureConnection' : 'connection', (socket: Socket) => {
    if (idle.size + busy.size >= maximum) {
      const [oldest] = idle
      if (oldest === undefined) return socket.destroy()
      idle.delete(oldest)
      oldest.destroy()
    }
    idle.add(socket)
    socket.once('close', () => {
      idle.delete(socket)
      busy.delete(socket)
    })
  })
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    idle.delete(socket)
    busy.set(socket, (busy.get(socket) ?? 0) + 1)
    response.once('close', () => {
      const left = (busy.get(socket) ?? 1) - 1
      if (left > 0) busy.set(socket, left)
      else {
        busy.delete(socket)
        if (!socket.destroyed) idle.add(socket)
      }
    })
  })
  server.maxConnections = maximum + HANDSHAKES_MAX
}
