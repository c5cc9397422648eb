/** What is known of the pipeline at this moment; the connection writes it, all else reads. */
import { signal } from '@preact/signals'
import type { Hello, ServerMessage, Status } from '../../../src/dashboard/protocol.ts'
import { recallStates } from '../palette.ts'
import { type Store, storeFor } from './stores.ts'

export type Link =
  /** Before the first `hello` of this page. */
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /** There was a connection, or there never was one; the next attempt is at `again_ms` of this page's clock. */
  | { readonly state: 'lost'; readonly again_ms: number }
  /** The server wants a key; `wrong`: the one that was given is not right. */
  | { readonly state: 'key'; readonly wrong: boolean }

export const link = signal<Link>({ state: 'connecting' })
export const hello = signal<Hello | null>(null)
export const status = signal<Status | null>(null)
/** Rows came for at least one panel since the connection was made. */
export const rowsSeen = signal(false)

let stores = new Map<string, Store>()
let clockDifference_ms = 0

/** The server's time: charts end at it, whatever this device's clock says. */
export const serverNow_ms = (): number => Date.now() + clockDifference_ms

export function storeOf(panel: string): Store | undefined {
  return stores.get(panel)
}

export function take(message: ServerMessage): void {
  switch (message.kind) {
    case 'hello': {
      clockDifference_ms = message.now_ms - Date.now()
      stores = new Map(message.dashboards.flatMap(({ panels }) => panels.map(panel => [panel.id, storeFor(panel)])))
      rowsSeen.value = false
      recallStates(`${message.namespace}/${message.pipeline}`)
      hello.value = { ...message, addresses: message.addresses.map(reachable) }
      link.value = { state: 'live' }
      return
    }
    case 'rows': {
      if (message.length > 0) rowsSeen.value = true
      stores.get(message.panel)?.take(message)
      return
    }
    case 'status': {
      clockDifference_ms = message.now_ms - Date.now()
      status.value = message
    }
  }
}

/** One that listens at all addresses of its machine is reached where this page was reached. */
function reachable<A extends { readonly address: string }>(place: A): A {
  return { ...place, address: place.address.replace(/^(https?:\/\/)(?:0\.0\.0\.0|\[::\])/, `$1${location.hostname}`) }
}
