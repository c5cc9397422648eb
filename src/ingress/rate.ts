/** How many requests a second one client may send to a path. */
import type {} from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isForwarded } from './access.ts'
import { REQUESTS_PER_SECOND } from './limits.ts'
import { Problem } from './problem.ts'

export class RequestRate {
  readonly #clients = new WeakMap<FastifyRequest, string>()
  readonly #limiter: ReturnType<FastifyInstance['createRateLimit']>
  /** Where nobody else is on the machine no rate is too high; elsewhere one client must not use up what all need. */
  readonly #isForAll: boolean

  /** `requestsPerSecond` null: the default, which is none for programs of this machine. */
  constructor(server: FastifyInstance, requestsPerSecond: number | null, isLocal: boolean) {
    this.#isForAll = requestsPerSecond !== null || !isLocal
    this.#limiter = server.createRateLimit({
      max: requestsPerSecond ?? REQUESTS_PER_SECOND,
      timeWindow: 1000,
      keyGenerator: request => this.#clients.get(request) ?? '',
    })
  }

  /** Throws Problem (429) for one request too many. */
  async check(request: FastifyRequest, client: string): Promise<void> {
    if (!this.#isForAll && !isForwarded(request.headers)) return
    this.#clients.set(request, client)
    const rate = await this.#limiter(request)
    if (rate.isAllowed || !rate.isExceeded) return
    throw new Problem(429, 'TOO_BUSY', `More than ${rate.max} requests a second.`, {
      next: 'Wait as Retry-After says, and send more records in each request.',
      headers: { 'retry-after': String(Math.max(1, rate.ttlInSeconds)) },
    })
  }
}
