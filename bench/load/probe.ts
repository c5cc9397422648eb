/**
 * How long a window takes from the reading that lets it close to its row on the page: listens at the console's WebSocket,
 * in the generator's own process, so that both moments are on one clock.
 */
import { WebSocket } from 'ws'
import type { Hello, PanelRows, ServerMessage } from '../../src/dashboard/protocol.ts'
import { type Quantiles, Waits } from './histogram.ts'

export interface ProbeOptions {
  readonly url: string
  readonly key: string | null
  /** Of the pipeline: a window closes when a reading is this much younger than its end. */
  readonly disorder_ms: number
  /** Of the pipeline: windows end at multiples of this. */
  readonly every_ms: number
}

export class Probe {
  readonly #options: ProbeOptions
  readonly #socket: WebSocket
  readonly #waits = new Waits()
  /** When the reading was sent that lets a window close, by device and end. */
  readonly #due = new Map<string, number>()
  #panel: { readonly id: string; readonly time: string; readonly by: string } | null = null
  #expected = 0
  counts = false

  private constructor(options: ProbeOptions) {
    this.#options = options
    const protocols = ['millrace.v1', ...(options.key === null ? [] : [`millrace.key.${options.key}`])]
    const origin = options.url.replace(/^ws/, 'http').replace(/(:\/\/[^/]*).*$/, '$1')
    this.#socket = new WebSocket(options.url, protocols, { origin })
  }

  /** Resolves when the server has said what panels there are; rejects when none shows windows by device. */
  static async open(options: ProbeOptions): Promise<Probe> {
    const probe = new Probe(options)
    await new Promise<void>((resolve, reject) => {
      probe.#socket.on('error', reject)
      probe.#socket.on('close', code => reject(new Error(`the console closed the connection (${code})`)))
      probe.#socket.on('message', (data: Buffer) => {
        const arrived_ms = performance.now()
        const message = JSON.parse(data.toString()) as ServerMessage
        if (message.kind === 'rows') probe.#see(message, arrived_ms)
        if (message.kind !== 'hello') return
        probe.#panel = panelOf(message)
        if (probe.#panel === null) reject(new Error('no panel of the console shows window_end by deviceId'))
        else resolve()
      })
    })
    return probe
  }

  /** A device's event time went on from `from_us` to `to_us` by a message that set off at `sent_ms`. */
  sent(device: string, first_us: number, from_us: number, to_us: number, sent_ms: number): void {
    const { disorder_ms, every_ms } = this.#options
    const before = Math.floor((from_us / 1000 - disorder_ms) / every_ms)
    const after = Math.floor((to_us / 1000 - disorder_ms) / every_ms)
    for (let number = before + 1; number <= after; number++) {
      const end_ms = number * every_ms
      // A window that ends before the first reading has no rows, so it never comes.
      if (end_ms <= first_us / 1000) continue
      this.#due.set(`${device} ${end_ms}`, sent_ms)
      if (this.counts) this.#expected++
    }
  }

  #see({ panel, columns, length, reset }: PanelRows, arrived_ms: number): void {
    if (this.#panel === null || panel !== this.#panel.id || reset) return
    const times = columns[this.#panel.time]!
    const devices = columns[this.#panel.by]!
    for (let row = 0; row < length; row++) {
      const window = `${devices[row]} ${times[row]}`
      const sent_ms = this.#due.get(window)
      if (sent_ms === undefined) continue
      this.#due.delete(window)
      if (this.counts) this.#waits.add_ms(arrived_ms - sent_ms)
    }
  }

  /** Of the windows that came: how long each took, in milliseconds; and how many were due in all. */
  result(): Quantiles & { readonly expected: number } {
    return { ...this.#waits.quantiles, expected: this.#expected }
  }

  close(): void {
    this.#socket.terminate()
  }
}

function panelOf({ dashboards }: Hello): { id: string; time: string; by: string } | null {
  for (const panel of dashboards.flatMap(dashboard => dashboard.panels)) {
    if (panel.kind !== 'time-series' && panel.kind !== 'state-timeline') continue
    if (panel.time === 'window_end' && panel.by === 'deviceId') return { id: panel.id, time: panel.time, by: panel.by }
  }
  return null
}
