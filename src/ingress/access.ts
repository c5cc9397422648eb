/** Who may send records: the rules for API keys, and for pages in a browser. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Listen } from '../connectors/contract.ts'
import type { KeyStore, KeyVerdict } from './key-store.ts'
import { readKeys } from './keys.ts'
import { Problem } from './problem.ts'
import type { Target } from './target.ts'

interface Asking {
  readonly headers: IncomingHttpHeaders
}

export interface Admission {
  /** The key that was used; null: none was needed. */
  readonly keyId: string | null
  /** Why the request is not let in; null: it is. */
  readonly problem: Problem | null
}

const BEHIND_PROXY = ' The request came through a proxy, so it needs one; name the proxy with --trusted-proxy.'
const HOW = 'Send it as Authorization: Bearer KEY, as X-Api-Key: KEY, as ?key=KEY or at the end of the path.'

export class Access {
  readonly #always: boolean
  readonly #keys: KeyStore

  constructor(listen: Listen, keys: KeyStore) {
    this.#always = areAlwaysNeeded(listen)
    this.#keys = keys
  }

  #areNeeded(request: Asking): boolean {
    return this.#always || this.#keys.hasKeys || isForwarded(request.headers)
  }

  admit(request: Asking, target: Target, topic: string): Admission {
    if (!this.#areNeeded(request)) return { keyId: null, problem: foreignPage(request) }
    const verdict = this.#keys.check(keyOf(request, target), topic)
    return verdict.kind === 'valid'
      ? { keyId: verdict.id, problem: null }
      : { keyId: null, problem: refusal(verdict, isForwarded(request.headers)) }
  }

  /** Whether the paths and topics may be told: to everybody where no key is needed, else to a key of one of them. */
  maySee(request: Asking, target: Target, topics: readonly { readonly topic: string }[]): boolean {
    if (!this.#areNeeded(request)) return true
    const key = keyOf(request, target)
    return topics.some(({ topic }) => this.#keys.check(key, topic).kind === 'valid')
  }

  close(): void {
    this.#keys.close()
  }
}

const FORWARDED = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'via',
] as const

/**
 * Whether a proxy passed the request on, as the headers say that proxies add: whoever sent it may be anywhere, also when
 * the connection comes from this machine.
 */
export function isForwarded(headers: IncomingHttpHeaders): boolean {
  return FORWARDED.some(name => headers[name] !== undefined)
}

/** Whether only programs on this machine can reach it; what stands before it as a proxy may be reached by all. */
export function isLocal({ host, trustedProxies }: Listen): boolean {
  const isLoopback = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/i.test(host)
  return isLoopback && trustedProxies.length === 0
}

function areAlwaysNeeded(listen: Listen): boolean {
  return listen.keys === 'required' || !isLocal(listen)
}

/** Whether whoever sends records needs an API key as things stand. Throws FILE_UNREADABLE when the keys cannot be read. */
export function areKeysNeeded(listen: Listen, dataDirectory: string): boolean {
  return areAlwaysNeeded(listen) || readKeys(dataDirectory).length > 0
}

function keyOf({ headers }: Asking, target: Target): string | null {
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  const named = headers['x-api-key']
  return bearer ?? (typeof named === 'string' ? named.trim() : null) ?? target.key
}

/**
 * Without keys the address alone lets one in, and any page that a browser on this machine shows could send to it. Browsers
 * say on each such request from which page it comes; programs do not.
 */
function foreignPage({ headers }: Asking): Problem | null {
  if (headers.origin === undefined && headers['sec-fetch-site'] === undefined) return null
  return new Problem(403, 'KEY_REFUSED', 'A page in a browser may send records only with an API key.')
}

function refusal(verdict: Exclude<KeyVerdict, { kind: 'valid' }>, wasForwarded: boolean): Problem {
  const headers = { 'www-authenticate': 'Bearer realm="millrace"' }
  switch (verdict.kind) {
    case 'unknown':
      return new Problem(401, 'KEY_REFUSED', 'A valid API key is needed.', {
        next: `Make one with 'millrace keys make NAME'. ${HOW}${wasForwarded ? BEHIND_PROXY : ''}`,
        headers,
      })
    case 'expired':
      return new Problem(401, 'KEY_REFUSED', 'This API key has expired.', { headers })
    case 'revoked':
      return new Problem(401, 'KEY_REFUSED', 'This API key has been revoked.', { headers })
    case 'other-topic':
      return new Problem(403, 'KEY_REFUSED', 'This API key is for other topics than the one behind this path.', {
        next: "Use the path that the key is for, or make a key for this topic: 'millrace keys make NAME --topic TOPIC'.",
      })
  }
}
