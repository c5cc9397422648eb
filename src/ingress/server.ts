/** Opens the HTTP server itself: time-outs, the parser's limits, and words for what never becomes a request. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Listen } from '../connectors/contract.ts'
import type { Clock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { cutOff } from './forget.ts'
import { HANDSHAKE_MS, HEADER_BYTES_MAX, type HostLimits, KEEP_ALIVE_MS } from './limits.ts'
import { Problem, problemAnswer } from './problem.ts'
import { withoutSchemas } from './without-schemas.ts'

export interface ServerHooks {
  readonly answer: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>
  /** Called before the first connection. */
  readonly prepare: (server: Server) => void
}

export async function openServer(
  listen: Listen,
  limits: HostLimits,
  clock: Clock,
  hooks: ServerHooks,
): Promise<{ server: FastifyInstance; address: string }> {
  const { fastify } = await import('fastify')
  const { fastifyRateLimit } = await import('@fastify/rate-limit')
  const { host, port, tls, trustedProxies } = listen
  const parser = {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: limits.headers_ms,
    requestTimeout: limits.request_ms,
    connectionsCheckingInterval: limits.check_ms,
  }
  const shared = {
    ...withoutSchemas,
    logger: false as const,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    requestTimeout: limits.request_ms,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle' as const,
    // One path for all: which source is meant is decided on what the client wrote.
    rewriteUrl: () => '/',
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) =>
      answerBroken(error, socket, clock, limits.lastWords_ms),
  }
  let server: FastifyInstance
  try {
    server =
      tls === null
        ? fastify({ ...shared, http: parser })
        : (fastify({
            ...shared,
            https: { ...parser, cert: tls.certificate, key: tls.key, handshakeTimeout: HANDSHAKE_MS },
          }) as unknown as FastifyInstance)
  } catch (cause) {
    throw new MillraceError('LISTEN_FAILED', `TLS cannot be set up: ${(cause as Error).message}.`, {
      cause,
      next: 'Give the certificate and its private key as PEM, the certificate first, its chain behind it.',
    })
  }
  await server.register(fastifyRateLimit, { global: false })
  // Before anything of the body is read: that is for whoever knows its limit, after the key was looked at.
  server.addHook('onRequest', hooks.answer)
  server.setErrorHandler((_error, _request, reply) => {
    const { status, body } = problemAnswer(
      new Problem(400, 'REQUEST_INVALID', 'The headers of the request cannot be understood.'),
    )
    return reply.code(status).send(body)
  })
  hooks.prepare(server.server)
  try {
    await server.listen({ host, port })
  } catch (cause) {
    await server.close().catch(() => {})
    throw notListening(listen, cause)
  }
  const bound = server.server.address()
  const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port
  const shownHost = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  return { server, address: `${tls === null ? 'http' : 'https'}://${shownHost}:${boundPort}` }
}

function notListening({ host, port }: Listen, cause: unknown): MillraceError {
  const { code, message } = cause as NodeJS.ErrnoException
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'something listens there already',
    EACCES: 'this user may not listen there',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'there is no such host',
  }
  const next =
    code === 'EADDRINUSE'
      ? 'Stop it (another run?), or listen on another port; port 0 takes any that is free.'
      : 'Listen on another address: 127.0.0.1 for this machine alone, 0.0.0.0 for the network, a port above 1023.'
  const reason = reasons[code ?? ''] ?? message
  return new MillraceError('LISTEN_FAILED', `Cannot listen on ${host}:${port}: ${reason}.`, { cause, next })
}

/** What the parser refuses is answered in the same form, and the connection is closed: what follows cannot be told apart. */
function answerBroken(error: NodeJS.ErrnoException, socket: Socket, clock: Clock, lastWords_ms: number): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, words, message] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? [408, 'Request Timeout', 'The request took too long to arrive.']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? [431, 'Request Header Fields Too Large', `The headers have more than ${HEADER_BYTES_MAX} bytes.`]
        : [400, 'Bad Request', 'This is not HTTP/1.1 as it should be.']
  const body = JSON.stringify(problemAnswer(new Problem(Number(status), 'REQUEST_INVALID', String(message))).body)
  const head = `HTTP/1.1 ${status} ${words}\r\ncontent-type: application/json; charset=utf-8\r\n`
  const answer = `${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  cutOff(socket, answer, clock, lastWords_ms)
}
