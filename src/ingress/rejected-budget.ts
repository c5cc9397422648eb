/**
 * How many rejected records each client of a path may have: as many as its limit at once, and as many more each minute.
 * A rejected record costs a hundred times an accepted one, and stays in the dead letters.
 */
import type { RejectedBudget } from '../connectors/contract.ts'
import type { Clock } from '../system/clock.ts'

/** Clients that are remembered; one that is forgotten begins with the whole limit. */
const CLIENTS_MAX = 10_000
const MINUTE_MS = 60_000

export class RejectedBudgets {
  readonly #perMinute: number
  readonly #clock: Clock
  /** By client what it had left, and when; those that were charged last stand last. */
  readonly #clients = new Map<string, { readonly left: number; readonly at_ms: number }>()

  constructor(perMinute: number, clock: Clock) {
    this.#perMinute = perMinute
    this.#clock = clock
  }

  of(client: string): RejectedBudget {
    return new ClientBudget(this, client)
  }

  left(client: string): number {
    const known = this.#clients.get(client)
    if (known === undefined) return this.#perMinute
    const minutes = (this.#clock.monotonic_ms() - known.at_ms) / MINUTE_MS
    return Math.min(this.#perMinute, Math.floor(known.left + minutes * this.#perMinute))
  }

  take(client: string, records: number): void {
    if (records === 0) return
    const left = this.left(client) - records
    this.#clients.delete(client)
    this.#clients.set(client, { left, at_ms: this.#clock.monotonic_ms() })
    if (this.#clients.size > CLIENTS_MAX) this.#clients.delete(this.#clients.keys().next().value!)
  }
}

class ClientBudget implements RejectedBudget {
  readonly #all: RejectedBudgets
  readonly #client: string

  constructor(all: RejectedBudgets, client: string) {
    this.#all = all
    this.#client = client
  }

  get left(): number {
    return this.#all.left(this.#client)
  }

  take(records: number): void {
    this.#all.take(this.#client, records)
  }
}
