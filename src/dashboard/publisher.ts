/**
 * Tells each client what is new, at a pace.
 *
 * A row is told at once when nothing was told just before, otherwise together with what follows. The pause after a round
 * goes by what it told: a few rows are followed by 8 ms, less than a frame of the page, much by up to 50 ms. A client that does not read
 * as fast is skipped while much is on its way to it; nothing is queued for it, because what it has missed is found in the
 * stores by the versions that it was told, and is told as a reset when it is no longer all there.
 */
import type { Batch } from '../engine/batch.ts'
import type { PanelNode, Plan, StreamNode } from '../plan/nodes.ts'
import { panelStreamsOf, panelsOf } from '../plan/walk.ts'
import type { Clock } from '../system/clock.ts'
import { storeOf } from './panels.ts'
import type { PanelRows, ServerMessage } from './protocol.ts'
import { type PanelStore, TOLD_NOTHING } from './stores/store.ts'

const PAUSE_MS = { shortest: 8, longest: 50 }
/** A round of so many characters makes the pause a millisecond longer. */
const CHARACTERS_PER_MS = 2048
/** With more than this on its way a client is told nothing. */
const WAITING_BYTES_MAX = 1 << 20

/** The side of a connection that the publisher needs. */
export interface Client {
  /** What was sent and has not left yet. */
  readonly waitingBytes: number
  send(text: string): void
}

interface Known {
  /** By panel the version that it was told. */
  readonly told: Map<string, number>
}

interface Shown {
  readonly id: string
  readonly store: PanelStore
  /** The newest message that was written out: several clients are often told the same. */
  last: { readonly since: number; readonly version: number; readonly text: string } | null
}

export class Publisher {
  readonly #clock: Clock
  readonly #onMissed: (error: unknown) => void
  readonly #shown: readonly Shown[]
  readonly #byStream: ReadonlyMap<StreamNode, readonly PanelStore[]>
  readonly #clients = new Map<Client, Known>()
  readonly #closing = new AbortController()
  #nextRound_ms = Number.NEGATIVE_INFINITY
  #isPlanned = false

  /** `onMissed`: rows could not be shown; whoever gave them is not concerned. */
  constructor(plan: Plan, clock: Clock, onMissed: (error: unknown) => void) {
    this.#clock = clock
    this.#onMissed = onMissed
    const shown = panelsOf(plan).map(panel => ({ panel, id: panel.identity, store: storeOf(panel), last: null }))
    this.#shown = shown
    const storesOf = (stream: StreamNode) =>
      shown.filter(({ panel }: { panel: PanelNode }) => panel.stream === stream).map(({ store }) => store)
    this.#byStream = new Map(panelStreamsOf(plan).map(stream => [stream, storesOf(stream)]))
  }

  /** Rows of a stream that panels show; the batch is lent. */
  rows(stream: StreamNode, batch: Batch): void {
    const now_us = this.#clock.now()
    try {
      for (const store of this.#byStream.get(stream) ?? []) store.add(batch, now_us)
    } catch (error) {
      this.#onMissed(error)
    }
    this.#plan()
  }

  /** The client is told `hello` and everything that there is, then all that follows until it is removed. */
  add(client: Client, hello: ServerMessage): void {
    client.send(JSON.stringify(hello))
    this.#clients.set(client, { told: new Map() })
    if (this.#tell(client).isBehind) this.#plan()
  }

  remove(client: Client): void {
    this.#clients.delete(client)
  }

  /** A message to all who can take it just now. */
  broadcast(message: ServerMessage): void {
    const text = JSON.stringify(message)
    for (const client of this.#clients.keys()) if (client.waitingBytes <= WAITING_BYTES_MAX) client.send(text)
  }

  close(): void {
    this.#closing.abort()
    this.#clients.clear()
  }

  /** Plans the next round: after the rows at hand are all in the stores, or when the pause is over. */
  #plan(): void {
    if (this.#isPlanned || this.#clients.size === 0 || this.#closing.signal.aborted) return
    this.#isPlanned = true
    const wait_ms = this.#nextRound_ms - this.#clock.monotonic_ms()
    if (wait_ms <= 0) queueMicrotask(() => this.#round())
    else void this.#clock.sleep(wait_ms, this.#closing.signal).then(() => this.#round())
  }

  #round(): void {
    this.#isPlanned = false
    if (this.#closing.signal.aborted) return
    const rounds = [...this.#clients.keys()].map(client => {
      try {
        return this.#tell(client)
      } catch (error) {
        this.#onMissed(error)
        return { characters: 0, isBehind: false }
      }
    })
    const isBehind = rounds.some(round => round.isBehind)
    // Rows that the stores left out are no reason to wait with the next ones.
    const characters = Math.max(0, ...rounds.map(round => round.characters))
    if (isBehind || characters > 0) {
      const pause_ms = isBehind ? PAUSE_MS.longest : PAUSE_MS.shortest + characters / CHARACTERS_PER_MS
      this.#nextRound_ms = this.#clock.monotonic_ms() + Math.min(pause_ms, PAUSE_MS.longest)
    }
    if (isBehind) this.#plan()
  }

  #tell(client: Client): { readonly characters: number; readonly isBehind: boolean } {
    const { told } = this.#clients.get(client)!
    let characters = 0
    for (const shown of this.#shown) {
      const since = told.get(shown.id) ?? TOLD_NOTHING
      const { version } = shown.store
      if (since === version) continue
      if (client.waitingBytes > WAITING_BYTES_MAX) return { characters, isBehind: true }
      const text = messageOf(shown, since, version)
      client.send(text)
      told.set(shown.id, version)
      characters += text.length
    }
    return { characters, isBehind: false }
  }
}

function messageOf(shown: Shown, since: number, version: number): string {
  const { last, id, store } = shown
  if (last?.since === since && last.version === version) return last.text
  const message: PanelRows = { kind: 'rows', panel: id, ...store.changes(since) }
  const text = JSON.stringify(message)
  shown.last = { since, version, text }
  return text
}
