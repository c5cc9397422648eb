/**
 * The HTTP listener of a run, shared by all its sources that are pushed to: each has a path of its own. It is opened with
 * the first source and closed with the last.
 *
 * The listener decides who may send, how fast and how much; what a body means is the route's. A refusal is JSON, unless
 * the route has words of its own for its clients.
 */
import type { Server } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Listen, SourceContext } from '../connectors/contract.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { Access, isLocal } from './access.ts'
import { BodyReader } from './body.ts'
import { boundConnections } from './connections.ts'
import { forgetRest } from './forget.ts'
import { KeyStore } from './key-store.ts'
import { type HostLimits, LIMITS } from './limits.ts'
import { failureProblem } from './outcome.ts'
import { type Answer, busy, Problem, problemAnswer } from './problem.ts'
import { RequestRate } from './rate.ts'
import { Receiving } from './receiving.ts'
import { openServer } from './server.ts'
import { Target } from './target.ts'

/** What a route gets of a request that was let in. */
export interface Received {
  readonly body: Buffer
  /** Whose limits count: the API key's id, the address where none was needed. */
  readonly client: string
  /** Id of the API key that came with it; null: none was needed. */
  readonly keyId: string | null
  /** One header, by its name in lower case. */
  header(name: string): string | null
}

export interface Route {
  /** `/events`: where it begins, without a slash at its end. */
  readonly path: string
  readonly topic: string
  /** What can be sent there, in a few words, for `GET /`. */
  readonly takes: string
  /** After unpacking. */
  readonly bodyBytesMax: number
  /** Of one key, or of one address where no key is given; null: the listener's default. */
  readonly requestsPerSecond: number | null
  receive(received: Received): Promise<Answer>
  /** Why the run that takes the records is not ready; null: it is. */
  notReady(): string | null
  /** The refusal in the words that its clients show; absent: JSON. */
  readonly refuse?: (problem: Problem) => Answer
}

/** How long connections may last when the listener closes. */
const LAST_ANSWERS_MS = 1000
const RESERVED = new Set(['/', '/healthz', '/readyz'])
const ROUTE_PATH = /^(?:\/[A-Za-z0-9._~-]+)+$/

export type HostContext = Pick<SourceContext, 'listen' | 'dataDirectory'>

const hosts = new Map<string, { readonly opening: Promise<HttpHost>; references: number }>()

/**
 * The run's listener, opened when it is asked for first; `release` it when the source closes.
 *
 * Throws LISTEN_FAILED when the address cannot be listened on, FILE_UNREADABLE when the API keys cannot be read.
 */
export async function acquireHost(
  { listen, dataDirectory }: HostContext,
  clock: Clock = systemClock,
  limits: Partial<HostLimits> = {},
): Promise<HttpHost> {
  // A data directory has one owner, so this names the run; with port 0 no address could.
  const name = JSON.stringify([dataDirectory, listen.host, listen.port])
  const known = hosts.get(name)
  if (known !== undefined) {
    known.references++
    return known.opening
  }
  const release = () => {
    const entry = hosts.get(name)!
    entry.references--
    if (entry.references > 0) return false
    hosts.delete(name)
    return true
  }
  const opening = HttpHost.open(listen, dataDirectory, clock, { ...LIMITS, ...limits }, release)
  hosts.set(name, { opening, references: 1 })
  try {
    return await opening
  } catch (error) {
    hosts.delete(name)
    throw error
  }
}

interface HostParts {
  readonly access: Access
  readonly receiving: Receiving
  readonly lastWords_ms: number
}

interface Entry {
  readonly route: Route
  readonly rate: RequestRate
}

export class HttpHost {
  readonly #access: Access
  readonly #bodies: BodyReader
  readonly #lastWords_ms: number
  readonly #clock: Clock
  readonly #isLocal: boolean
  readonly #release: () => boolean
  readonly #routes = new Map<string, Entry>()
  #server: FastifyInstance | null = null
  #address = ''
  #closing = false

  private constructor(
    listen: Listen,
    { access, receiving, lastWords_ms }: HostParts,
    clock: Clock,
    release: () => boolean,
  ) {
    this.#access = access
    this.#bodies = new BodyReader(receiving)
    this.#lastWords_ms = lastWords_ms
    this.#clock = clock
    this.#isLocal = isLocal(listen)
    this.#release = release
  }

  /** For `acquireHost`. */
  static async open(
    listen: Listen,
    dataDirectory: string,
    clock: Clock,
    limits: HostLimits,
    release: () => boolean,
  ): Promise<HttpHost> {
    const access = new Access(listen, new KeyStore(dataDirectory, clock))
    const { connections: maximum, receivingBytes: bytes, receivingClientBytes: clientBytes, lastWords_ms } = limits
    const receiving = new Receiving({ bytes, clientBytes: Math.min(clientBytes, bytes) }, clock)
    const host = new HttpHost(listen, { access, receiving, lastWords_ms }, clock, release)
    const { server, address } = await openServer(listen, limits, clock, {
      answer: (request, reply) => host.#answer(request, reply),
      prepare: server => {
        const makeRoom = () => receiving.evictForConnection()
        boundConnections(server as Server, { maximum, isSecure: listen.tls !== null, makeRoom })
      },
    })
    host.#server = server
    host.#address = address
    return host
  }

  /** `http://127.0.0.1:4401`, with the port that was found. */
  get address(): string {
    return this.#address
  }

  /** Takes requests for a path from now on; the answer ends it. Throws PIPELINE_INVALID for a path that is none or taken. */
  route(route: Route): () => void {
    const { path } = route
    if (!ROUTE_PATH.test(path) || RESERVED.has(path)) {
      throw new MillraceError('PIPELINE_INVALID', `Records cannot be sent to the path ${JSON.stringify(path)}.`, {
        next: "Give one such as '/events': letters, digits, - . _ ~ between slashes, none at the end; not /healthz or /readyz.",
      })
    }
    if (this.#routes.has(path)) {
      throw new MillraceError('PIPELINE_INVALID', `Two sources of the pipeline take the path ${path}.`, {
        next: 'Give each source a path of its own.',
      })
    }
    const rate = new RequestRate(this.#server!, route.requestsPerSecond, this.#isLocal)
    this.#routes.set(path, { route, rate })
    return () => this.#routes.delete(path)
  }

  /** Gives up one use of the listener; with the last one it is closed, its connections with it. */
  async release(): Promise<void> {
    if (!this.#release()) return
    this.#closing = true
    // Answers that are on their way get a moment; a client that never ends its request does not hold up the rest.
    const closed = new AbortController()
    const patience = this.#clock.sleep(LAST_ANSWERS_MS, closed.signal)
    void patience.then(() => this.#server?.server.closeAllConnections())
    await this.#server?.close()
    closed.abort()
    this.#access.close()
  }

  async #answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const target = new Target(request.originalUrl, path => this.#routes.has(path))
    const entry = this.#routes.get(target.path)
    let answer: Answer | null
    try {
      answer = entry === undefined ? this.#elsewhere(request, target) : await this.#receive(request, target, entry)
    } catch (error) {
      answer = (entry?.route.refuse ?? problemAnswer)(problemOf(error))
    }
    // The client went away.
    if (answer === null) return reply.hijack()
    forgetRest(request.raw, this.#clock, this.#lastWords_ms)
    if (typeof answer.body === 'string') reply.type('text/plain; charset=utf-8')
    return reply
      .code(answer.status)
      .headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...answer.headers })
      .send(answer.body)
  }

  async #receive(request: FastifyRequest, target: Target, { route, rate }: Entry): Promise<Answer | null> {
    if (this.#closing) throw failureProblem(new MillraceError('RUN_STOPPING', 'The pipeline is being stopped.'))
    if (request.method !== 'POST') {
      throw new Problem(405, 'REQUEST_INVALID', `${route.path} takes records by POST.`, {
        next: `POST ${route.takes} to it.`,
        headers: { allow: 'POST' },
      })
    }
    const admission = this.#access.admit(request, target, route.topic)
    const client = admission.keyId ?? request.ip
    await rate.check(request, client)
    if (admission.problem !== null) throw admission.problem
    refuseMultipart(request.headers['content-type'])
    const body = await this.#bodies.read(request.raw, client, route.bodyBytesMax)
    if (body === null) return null
    return await route.receive({
      body,
      keyId: admission.keyId,
      client,
      header: name => {
        const value = request.headers[name]
        return value === undefined ? null : String(value)
      },
    })
  }

  /** Everything that is no route: what there is, whether all is well, and that there is nothing else. */
  #elsewhere(request: FastifyRequest, target: Target): Answer {
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (isRead && target.path === '/healthz') {
      return { status: this.#closing ? 503 : 200, body: { status: this.#closing ? 'stopping' : 'ok' } }
    }
    const routes = [...this.#routes.values()].map(({ route }) => route)
    if (isRead && target.path === '/readyz') {
      const reason = this.#closing || routes.length === 0 ? 'The run is being stopped.' : routes[0]!.notReady()
      if (reason === null) return { status: 200, body: { status: 'ready' } }
      return { status: 503, body: { status: 'not ready', reason }, headers: { 'retry-after': '5' } }
    }
    const shown = this.#access.maySee(request, target, routes) ? routes : null
    if (isRead && target.path === '/') {
      const hint = 'A key is needed to send records, and to see what can be sent here.'
      if (shown === null) return { status: 200, body: { millrace: 'This takes records for a pipeline.', hint } }
      const endpoints = shown.map(({ path, topic, takes }) => ({ method: 'POST', path, topic, takes }))
      return { status: 200, body: { millrace: 'This takes records for a pipeline.', endpoints } }
    }
    if (RESERVED.has(target.path) && !isRead) {
      throw new Problem(405, 'REQUEST_INVALID', `${target.path} is only read.`, {
        next: 'Send records to one of the paths that GET / lists.',
        headers: { allow: 'GET, HEAD' },
      })
    }
    throw new Problem(404, 'REQUEST_INVALID', 'There is nothing at this path.', {
      next:
        shown === null
          ? 'GET / with a key lists the paths.'
          : `Records can be sent to: ${shown.map(({ path }) => path).join(', ') || 'nothing yet'}.`,
    })
  }
}

/** Its parts are not records: what stands between them would be taken for some. */
function refuseMultipart(type: string | undefined): void {
  if (type === undefined || !/^\s*multipart\//i.test(type)) return
  throw new Problem(415, 'REQUEST_INVALID', 'A body of several parts (multipart) is not taken here.', {
    next: 'Send the records themselves as the body: JSON or NDJSON (curl --data-binary @FILE, not -F).',
  })
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof MillraceError && error.code === 'FILE_UNREADABLE') {
    // Its message names a file of this machine.
    return busy('The API keys cannot be read just now.', 5, 'Ask whoever runs the pipeline to look at its keys.')
  }
  return new Problem(500, 'INTERNAL', 'The request could not be handled.')
}
