/** The limits of a listener and of its sources, where no option says another. docs/connectors.md has a table of them. */
export const BODY_BYTES_MAX = 8 << 20
export const RECORDS_MAX = 100_000
export const REJECTED_PER_MINUTE = 10_000
export const WAITING_BYTES_MAX = 64 << 20
export const IDEMPOTENCY_KEY_BYTES_MAX = 256
/** Of one client; of programs on this machine as many as they like. */
export const REQUESTS_PER_SECOND = 500
export const HEADER_BYTES_MAX = 16 * 1024
/** Longer than between two pushes of most devices, so that they keep their connection. */
export const KEEP_ALIVE_MS = 75_000
export const HANDSHAKE_MS = 10_000

/** Limits of a listener; tests lower them. */
export interface HostLimits {
  readonly connections: number
  /** Bytes of all bodies that are being received, and of those of one client: a key, or an address without one. */
  readonly receivingBytes: number
  readonly receivingClientBytes: number
  /** How long a client may take for its headers, and for a whole request. */
  readonly headers_ms: number
  readonly request_ms: number
  /** How often slow clients are looked for. */
  readonly check_ms: number
  /** How long a connection lasts behind an answer that ends it, or came before all of its request. */
  readonly lastWords_ms: number
}

export const LIMITS: HostLimits = {
  connections: 4096,
  receivingBytes: 32 << 20,
  receivingClientBytes: 16 << 20,
  headers_ms: 10_000,
  request_ms: 60_000,
  check_ms: 1000,
  lastWords_ms: 2000,
}
