/**
 * The bodies that are being received, of all clients together, and which of them gives way when there is no more memory
 * (or no more connections) for all.
 *
 * The slowest gives way: the one of which the smallest part came of late. One that stalled after eight megabytes is slow
 * at once, one that has just begun is not, and one that trickles is found out within seconds. A client that holds more
 * than its share gives way among its own bodies. Where none is slow there is just too much, and the newest is told to
 * come again.
 */
import type { Clock } from '../system/clock.ts'

export interface ReceivingLimits {
  /** Of all bodies. */
  readonly bytes: number
  /** Of those of one client. */
  readonly clientBytes: number
}

/** What came so long ago counts a third. */
const RECENT_MS = 1000
/** A body is slow when less than this part of it is recent. */
const SLOW_BELOW = 0.5

class BodyUnderWay {
  readonly client: string
  /** Ends it; called at most once. */
  readonly evict: () => void
  bytes = 0
  #recent = 1
  #at_ms: number

  constructor(client: string, now_ms: number, evict: () => void) {
    this.client = client
    this.evict = evict
    this.#at_ms = now_ms
  }

  add(bytes: number, now_ms: number): void {
    this.#recent = this.#recentAt(now_ms) + bytes
    this.#at_ms = now_ms
    this.bytes += bytes
  }

  /** Which part of it is recent: 1 of one that has just begun, 0 of one that has been silent for long. */
  progress(now_ms: number): number {
    return this.#recentAt(now_ms) / (this.bytes + 1)
  }

  #recentAt(now_ms: number): number {
    return this.#recent * Math.exp((this.#at_ms - now_ms) / RECENT_MS)
  }
}

export class Receiving {
  readonly #limits: ReceivingLimits
  readonly #clock: Clock
  readonly #bodies = new Set<BodyUnderWay>()
  #bytes = 0

  constructor(limits: ReceivingLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  begin(client: string, evict: () => void): BodyUnderWay {
    const body = new BodyUnderWay(client, this.#clock.monotonic_ms(), evict)
    this.#bodies.add(body)
    return body
  }

  end(body: BodyUnderWay): void {
    if (this.#bodies.delete(body)) this.#bytes -= body.bytes
  }

  /** Makes room for what came of a body; false: there is none. */
  take(body: BodyUnderWay, bytes: number): boolean {
    const { bytes: bytesMax, clientBytes } = this.#limits
    // No client holds more than all do together.
    while (this.#bytes + bytes > clientBytes && this.#bytesOf(body.client) + bytes > clientBytes) {
      if (!this.#evictSlowest(other => other !== body && other.bytes > 0 && other.client === body.client)) return false
    }
    while (this.#bytes + bytes > bytesMax) {
      if (!this.#evictSlowest(other => other !== body && other.bytes > 0)) return false
    }
    body.add(bytes, this.#clock.monotonic_ms())
    this.#bytes += bytes
    return true
  }

  /** Ends a body for the sake of its connection: the slowest of the client that has the most. false: there is none. */
  evictForConnection(): boolean {
    const counts = new Map<string, number>()
    let most = ''
    for (const { client } of this.#bodies) {
      const count = (counts.get(client) ?? 0) + 1
      counts.set(client, count)
      if (count > (counts.get(most) ?? 0)) most = client
    }
    return this.#evictSlowest(({ client }) => client === most, Number.POSITIVE_INFINITY)
  }

  #evictSlowest(mayGo: (body: BodyUnderWay) => boolean, below = SLOW_BELOW): boolean {
    const now_ms = this.#clock.monotonic_ms()
    let slowest: BodyUnderWay | null = null
    let least = below
    for (const body of this.#bodies) {
      if (!mayGo(body)) continue
      const progress = body.progress(now_ms)
      if (progress >= least) continue
      slowest = body
      least = progress
    }
    if (slowest === null) return false
    this.end(slowest)
    slowest.evict()
    return true
  }

  #bytesOf(client: string): number {
    let bytes = 0
    for (const body of this.#bodies) if (body.client === client) bytes += body.bytes
    return bytes
  }
}
