/**
 * A server that plays its part of the protocol for tests of the page alone: it serves console/dist under the strictest
 * policy and says what the test tells it to. Behind the page of a real run stands src/dashboard.
 */
import { readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import websocket from '@fastify/websocket'
import fastify from 'fastify'
import type { WebSocket } from 'ws'
import { pageFolder } from '../../console/build.ts'
import type { ServerMessage } from '../../src/dashboard/protocol.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

export interface PageServer {
  address: string
  /** The key that is wanted; null: none. */
  key: string | null
  /** What a new connection hears first. */
  greeting: () => readonly ServerMessage[]
  say(...messages: readonly ServerMessage[]): void
  /** Subprotocols that the last connection asked for. */
  readonly protocols: readonly string[]
  readonly connections: number
  /** Cuts all connections with this code, and answers 503 while `down`. */
  cut(code?: number): void
  down: boolean
  close(): Promise<void>
}

export async function openPageServer(greeting: () => readonly ServerMessage[]): Promise<PageServer> {
  const app = fastify({ forceCloseConnections: true })
  await app.register(websocket, { options: { handleProtocols: () => 'millrace.v1' } })
  const sockets = new Set<WebSocket>()
  let protocols: string[] = []

  app.addHook('onRequest', async (request, reply) => {
    // `default-src 'self'` alone allows no inline style or script, no eval and no data: address.
    reply.header('content-security-policy', "default-src 'self'")
    const isPage = !['/session', '/live'].includes(request.url)
    if (server.down && !isPage) return reply.code(503).send()
  })
  app.get('/session', (request, reply) => {
    const allowed = server.key === null || request.headers.authorization === `Bearer ${server.key}`
    return reply.code(allowed ? 204 : 401).send()
  })
  app.get('/live', { websocket: true }, (socket, request) => {
    protocols = String(request.headers['sec-websocket-protocol'] ?? '').split(/, */)
    if (server.key !== null && !protocols.includes(`millrace.key.${server.key}`)) return socket.close(4401)
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    for (const message of server.greeting()) socket.send(JSON.stringify(message))
  })
  app.get('/*', (request, reply) => {
    const name = request.url === '/' ? 'index.html' : request.url.slice(1).replace(/[?#].*$/, '')
    return reply.type(TYPES[extname(name)] ?? 'application/octet-stream').send(readFileSync(join(pageFolder, name)))
  })

  const server: PageServer = {
    address: '',
    key: null,
    greeting,
    down: false,
    say: (...messages) => {
      const texts = messages.map(message => JSON.stringify(message))
      for (const socket of sockets) for (const text of texts) socket.send(text)
    },
    get protocols() {
      return protocols
    },
    get connections() {
      return sockets.size
    },
    cut: (code = 1012) => {
      for (const socket of sockets) socket.close(code)
    },
    close: () => {
      for (const socket of sockets) socket.terminate()
      return app.close()
    },
  }
  server.address = await app.listen({ host: '127.0.0.1', port: 0 })
  return server
}
