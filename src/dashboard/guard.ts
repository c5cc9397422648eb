/**
 * Who may ask what. The page itself holds no data and is given to anybody who can connect; the data come over the
 * WebSocket alone, to whoever has the key.
 *
 * A name that somebody else makes point here (DNS rebinding) is refused by `Host`: it must be an address, localhost, or
 * the name that the console was told to listen at. A page of another origin is refused by `Origin`, which browsers always
 * send with a WebSocket; programs send none.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'

export const PROTOCOL = 'millrace.v1'
const KEY_PROTOCOL = 'millrace.key.'

export interface Headers {
  readonly host?: string | undefined
  readonly origin?: string | undefined
  readonly authorization?: string | undefined
  readonly 'sec-websocket-protocol'?: string | undefined
}

export class Guard {
  readonly #names: ReadonlySet<string>
  readonly #key: Buffer | null

  /** `key` null: none is needed. */
  constructor(host: string, key: string | null) {
    this.#names = new Set(['localhost', host.toLowerCase()])
    this.#key = key === null ? null : digest(key)
  }

  acceptsHost({ host }: Headers): boolean {
    const name = nameOf(host ?? '')
    return name !== null && (isIP(name) !== 0 || this.#names.has(name))
  }

  /** Of a WebSocket; call it after the host was accepted. */
  acceptsOrigin({ host, origin }: Headers): boolean {
    if (origin === undefined) return true
    const match = /^https?:\/\/([^/]+)$/.exec(origin.toLowerCase())
    return match !== null && match[1] === host?.toLowerCase()
  }

  /** By the header or, from a browser's WebSocket, by a subprotocol; takes the same time whatever is wrong. */
  acceptsKey(headers: Headers): boolean {
    if (this.#key === null) return true
    const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
    const offered = protocolsOf(headers).find(protocol => protocol.startsWith(KEY_PROTOCOL))
    return timingSafeEqual(digest(bearer ?? offered?.slice(KEY_PROTOCOL.length) ?? ''), this.#key)
  }
}

export function protocolsOf(headers: Headers): readonly string[] {
  return (headers['sec-websocket-protocol'] ?? '').split(',').map(protocol => protocol.trim())
}

/** The name of a `Host` header without its port, in small letters; null when it has no right form. */
function nameOf(host: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/.exec(host.toLowerCase())
  return match?.[1] ?? match?.[2] ?? null
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
