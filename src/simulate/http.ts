/** One address that messages are posted to, over connections that are kept. */
import { Agent, type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'

/** What came of one request. */
export type Answer =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly text: string
      /** How long the answer asks to wait before the next try, in milliseconds. */
      readonly retryAfter_ms: number | null
    }
  /** No answer: nobody listens, the connection broke, or the patience ended. */
  | { readonly kind: 'failed'; readonly reason: string }

/** More of an answer than this is not read. */
const TEXT_CHARACTERS_MAX = 4096
/** A server that says nothing for this long is given up. */
export const PATIENCE_MS = 30_000

export class HttpTarget {
  readonly #agent: Agent
  readonly #options: RequestOptions
  readonly #secure: boolean

  /** At most so many connections at once; requests beyond that wait for a free one. */
  constructor(to: URL, connections: number) {
    this.#secure = to.protocol === 'https:'
    const agentOptions = { keepAlive: true, maxSockets: connections, scheduling: 'fifo' } as const
    this.#agent = this.#secure ? new SecureAgent(agentOptions) : new Agent(agentOptions)
    this.#options = {
      agent: this.#agent,
      method: 'POST',
      hostname: to.hostname.replace(/^\[|\]$/g, ''),
      path: `${to.pathname}${to.search}`,
      ...(to.port === '' ? {} : { port: to.port }),
      ...(to.username === '' ? {} : { auth: `${decodeURIComponent(to.username)}:${decodeURIComponent(to.password)}` }),
    }
  }

  /** Posts a JSON text. `patience_ms`: after so long without an answer the connection is cut. Never rejects. */
  post(body: string, patience_ms = PATIENCE_MS): Promise<Answer> {
    return new Promise(resolve => {
      const bytes = Buffer.from(body)
      const options = {
        ...this.#options,
        headers: { 'content-type': 'application/json', 'content-length': bytes.length },
      }
      const request = (this.#secure ? secureRequest : plainRequest)(options, response => {
        void answerOf(response).then(resolve)
      })
      request.setTimeout(patience_ms, () => request.destroy(new Error(`no answer in ${patience_ms} ms`)))
      request.on('error', error => resolve({ kind: 'failed', reason: reasonOf(error) }))
      request.end(bytes)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

async function answerOf(response: IncomingMessage): Promise<Answer> {
  let text = ''
  try {
    response.setEncoding('utf8')
    for await (const piece of response) if (text.length < TEXT_CHARACTERS_MAX) text += piece
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error as Error) }
  }
  const after_s = Number(response.headers['retry-after'] ?? Number.NaN)
  return {
    kind: 'answered',
    status: response.statusCode ?? 0,
    text: text.slice(0, TEXT_CHARACTERS_MAX),
    retryAfter_ms: Number.isFinite(after_s) && after_s >= 0 ? after_s * 1000 : null,
  }
}

function reasonOf(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ECONNREFUSED') return 'nobody listens there'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'there is no such host'
  return error.message || (code ?? 'the connection failed')
}
