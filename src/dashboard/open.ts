/**
 * The console's server: the page's files, and one WebSocket for all that it shows (src/dashboard/protocol.ts).
 *
 * It reads what the run offers and changes nothing. Everything that clients can make it hold is bounded: connections,
 * sizes, times, and what is on its way to them.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { isForwarded } from '../ingress/access.ts'
import { boundConnections } from '../ingress/connections.ts'
import { withoutSchemas } from '../ingress/without-schemas.ts'
import { panelStreamsOf } from '../plan/walk.ts'
import type { RunHandle } from '../runtime/options.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { isLoopback } from './address.ts'
import { Assets } from './assets.ts'
import { graphOf } from './graph.ts'
import { Guard, PROTOCOL, protocolsOf } from './guard.ts'
import { CLIENTS_MAX, CONNECTIONS_MAX, MESSAGE_BYTES_MAX, REQUEST_MS } from './limits.ts'
import { dashboardsOf } from './panels.ts'
import type { Hello } from './protocol.ts'
import { type Client, Publisher } from './publisher.ts'
import { StatusReporter } from './status.ts'

const STATUS_MS = 500
const PING_MS = 20_000
const GOODBYE_MS = 200
const KEY_CHARACTERS_MIN = 16
const HISTORY_ROWS_MAX = 20_000

const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const

export interface ConsoleOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** What a client must know to get data; null: nothing, which is for loopback alone. */
  readonly key: string | null
  /** The folder of the built page. */
  readonly assets: string
  /** Whether one who pushes records to the run's addresses must give a key. Default false. */
  readonly keysNeeded?: boolean
}

export interface Console {
  /** `http://127.0.0.1:4400`; the page takes the key from what stands behind `#key=`. */
  readonly address: string
  close(): Promise<void>
}

/**
 * Opens the console of a run at work. Throws OPTION_INVALID for one without a key that others than this machine could
 * reach, LISTEN_FAILED when the address is taken or is none of this machine's.
 */
export async function openConsole(run: RunHandle, options: ConsoleOptions, clock = systemClock): Promise<Console> {
  const { host, port, key } = options
  if (key === null && !isLoopback(host)) {
    throw new MillraceError('OPTION_INVALID', `The console at ${host} would be open to others without a key.`, {
      next: 'Give it a key, or let it listen at 127.0.0.1.',
    })
  }
  if (key !== null && key.length < KEY_CHARACTERS_MIN) {
    throw new MillraceError('OPTION_INVALID', 'The key of the console is too short.', {
      next: `Use at least ${KEY_CHARACTERS_MIN} characters that nobody can guess.`,
    })
  }
  const closing = new AbortController()
  const reporter = new StatusReporter(run, clock)
  const publisher = new Publisher(run.plan, clock, error => reporter.missed(error))
  const started_ms = clock.now() / 1000
  const helloOf = (): Hello => ({
    kind: 'hello',
    protocol: 1,
    pipeline: run.plan.name,
    namespace: run.plan.namespace,
    dataDirectory: run.dataDirectory,
    addresses: run.addresses,
    keysNeeded: options.keysNeeded ?? false,
    dashboards: dashboardsOf(run.plan),
    graph: graphOf(run.plan),
    started_ms,
    now_ms: clock.now() / 1000,
  })
  const welcome = (client: Client) => {
    publisher.add(client, helloOf())
    const status = reporter.status()
    if (status !== null) client.send(JSON.stringify(status))
  }
  const visits = { welcome, leave: (client: Client) => publisher.remove(client), notReady: () => run.notReady() }
  const app = await serverOf(options, visits, clock)
  const unwatch = panelStreamsOf(run.plan).map(stream => {
    // What an earlier run has made is on the page from the start.
    for (const batch of run.history(stream.identity, HISTORY_ROWS_MAX)) publisher.rows(stream, batch)
    return run.watch(stream.identity, batch => publisher.rows(stream, batch))
  })
  const close = async () => {
    closing.abort()
    for (const end of unwatch) end()
    publisher.close()
    await app.close()
  }
  try {
    await app.listen({ host, port })
  } catch (cause) {
    await close()
    throw new MillraceError('LISTEN_FAILED', `The console cannot listen at ${host}:${port}: ${reasonOf(cause)}.`, {
      cause,
    })
  }
  void repeat(STATUS_MS, clock, closing.signal, () => {
    const status = reporter.status()
    if (status !== null) publisher.broadcast(status)
  })
  return { address: addressOf(app, host), close }
}

interface Visits {
  welcome(client: Client): void
  leave(client: Client): void
  /** Why the run is not ready; null: it is. */
  notReady(): string | null
}

async function serverOf(options: ConsoleOptions, visits: Visits, clock: Clock): Promise<FastifyInstance> {
  const [{ fastify }, { default: websocket }] = await Promise.all([import('fastify'), import('@fastify/websocket')])
  const guard = new Guard(options.host, options.key)
  const assets = new Assets(options.assets)
  const app: FastifyInstance = fastify({
    ...withoutSchemas,
    bodyLimit: MESSAGE_BYTES_MAX,
    connectionTimeout: 30_000,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: REQUEST_MS,
    forceCloseConnections: true,
    http: { headersTimeout: 5_000, connectionsCheckingInterval: 2_000, maxHeaderSize: 8_192 },
  })
  boundConnections(app.server, { maximum: CONNECTIONS_MAX, isSecure: false, hasUpgrades: true })
  const sockets = new Map<WebSocket, { isAlive: boolean }>()
  await app.register(websocket, {
    errorHandler: (_error, socket) => socket.terminate(),
    preClose: done => void goodbye(sockets.keys(), clock).then(() => done()),
    options: {
      maxPayload: MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
      handleProtocols: offered => (offered.has(PROTOCOL) ? PROTOCOL : false),
    },
  })

  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS)
    if (!guard.acceptsHost(request.headers)) return refuse(reply, 421, 'This name is not one of the console.')
    if (options.key === null && isForwarded(request.headers)) {
      return refuse(reply, 403, 'The request came through a proxy, and the console has no key: it is for this machine.')
    }
    if (request.ws && pathOf(request) !== '/live') return refuse(reply, 404, 'There is no such socket.')
  })
  app.get('/healthz', async (_request, reply) => reply.type('text/plain').send('ok\n'))
  app.get('/readyz', async (_request, reply) => {
    const reason = visits.notReady()
    return reason === null ? reply.type('text/plain').send('ready\n') : refuse(reply, 503, reason)
  })
  app.get('/session', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    return guard.acceptsKey(request.headers) ? reply.code(204).send() : refuseKey(reply)
  })
  app.get('/*', async (request, reply) => {
    if (assets.isEmpty) return refuse(reply, 503, 'The page has not been built: npm start, in the checkout, builds it.')
    const found = await assets.find(pathOf(request), String(request.headers['accept-encoding'] ?? ''))
    if (found === null) return refuse(reply, 404, 'There is no such file.')
    reply.headers(found.headers)
    if (request.headers['if-none-match'] === found.headers.etag) return reply.code(304).send()
    return reply.send(found.bytes)
  })

  const preValidation = async (request: FastifyRequest, reply: FastifyReply) => {
    const { headers } = request
    if (!guard.acceptsOrigin(headers)) return refuse(reply, 403, 'A page of another origin may not connect.')
    if (!protocolsOf(headers).includes(PROTOCOL)) return refuse(reply, 400, `The subprotocol is ${PROTOCOL}.`)
    if (!guard.acceptsKey(headers)) return refuseKey(reply)
    if (sockets.size >= CLIENTS_MAX) return refuse(reply, 503, 'Too many pages are open.')
  }
  app.get('/live', { websocket: true, preValidation }, (socket: WebSocket) => {
    const state = { isAlive: true }
    const client = clientOf(socket)
    sockets.set(socket, state)
    socket.on('pong', () => {
      state.isAlive = true
    })
    // The page says nothing: whoever does is no page.
    socket.on('message', () => socket.close(1008, 'nothing is expected'))
    socket.on('close', () => {
      sockets.delete(socket)
      visits.leave(client)
    })
    visits.welcome(client)
  })
  const closing = new AbortController()
  app.addHook('onClose', async () => closing.abort())
  void repeat(PING_MS, clock, closing.signal, () => {
    for (const [socket, state] of sockets) {
      if (!state.isAlive) socket.terminate()
      state.isAlive = false
      socket.ping()
    }
  })
  return app
}

function clientOf(socket: WebSocket): Client {
  return {
    get waitingBytes() {
      return socket.bufferedAmount
    },
    send: text => {
      if (socket.readyState === socket.OPEN) socket.send(text)
    },
  }
}

/** Says that the server goes, and waits a moment for those who hear it. */
async function goodbye(sockets: Iterable<WebSocket>, clock: Clock): Promise<void> {
  const open = [...sockets]
  if (open.length === 0) return
  const gone = open.map(socket => new Promise(resolve => socket.once('close', resolve)))
  for (const socket of open) socket.close(1001, 'stopping')
  await Promise.race([Promise.all(gone), clock.sleep(GOODBYE_MS)])
  for (const socket of open) socket.terminate()
}

async function repeat(every_ms: number, clock: Clock, signal: AbortSignal, work: () => void): Promise<void> {
  for (;;) {
    await clock.sleep(every_ms, signal)
    if (signal.aborted) return
    work()
  }
}

/** The path without the query, as it stands in the request: names of files need no escapes. */
function pathOf(request: FastifyRequest): string {
  return request.raw.url?.split('?')[0] ?? '/'
}

function refuse(reply: FastifyReply, code: number, text: string): FastifyReply {
  return reply.code(code).type('text/plain').send(`${text}\n`)
}

function refuseKey(reply: FastifyReply): FastifyReply {
  reply.header('www-authenticate', 'Bearer')
  return refuse(reply, 401, 'The key is missing or wrong: it is printed when the console starts.')
}

function addressOf(app: FastifyInstance, host: string): string {
  const bound = app.server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return 'something listens there already'
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return 'it is no address of this machine'
  if (code === 'EACCES') return 'this user may not listen there'
  return message
}
