/** Sends bodies over many connections: at planned times whatever the answers do, or as fast as they come. */

import { type BodyOptions, Device } from './bodies.ts'
import { Connection } from './connection.ts'
import { type Quantiles, Waits } from './histogram.ts'
import type { Probe } from './probe.ts'

export interface LoadOptions extends BodyOptions {
  /** Readings a second, at planned times; null: each connection sends as soon as it was answered. */
  readonly rate: number | null
  readonly connections: number
  readonly warmup_s: number
  readonly duration_s: number
  readonly probe: Probe | null
}

export interface LoadResult {
  /** Of the time after the warm-up, readings a second. */
  readonly planned_readings_s: number | null
  readonly acknowledged_readings_s: number
  readonly sent: number
  readonly acknowledged: number
  /** Answers that were no 2xx, by status; 0: the connection failed. */
  readonly errors: Readonly<Record<string, number>>
  /** Requests without an answer ten seconds after the last was planned. */
  readonly unanswered: number
  /** From the planned time of a request to its answer; in the other mode from its sending. */
  readonly acknowledged_ms: Quantiles
  /** How long after its planned time a request was written: the generator's own lateness, and waits for a connection. */
  readonly behind_ms: Quantiles
  /** CPU time of the generator by wall time. */
  readonly generator_cpu: number
}

const LAST_ANSWERS_MS = 10_000

interface Request {
  readonly device: Device
  readonly planned_ms: number
}

export class Generator {
  readonly #options: LoadOptions
  readonly #devices: readonly Device[]
  readonly #idle: Connection[]
  readonly #connections: readonly Connection[]
  readonly #queue: Request[] = []
  readonly #acknowledged = new Waits()
  readonly #behind = new Waits()
  readonly #errors: Record<string, number> = {}
  readonly #busyDevices = new Set<Device>()
  #turn = 0
  #underWay = 0
  #sent = 0
  #kept = 0
  #counts = false
  /** Added to performance.now() it gives microseconds since the epoch. */
  readonly #epoch_ms = performance.timeOrigin

  constructor(options: LoadOptions) {
    this.#options = options
    const start_us = (this.#epoch_ms + performance.now()) * 1000
    this.#devices = Array.from(
      { length: options.devices },
      (_, index) => new Device(`load-${String(index).padStart(6, '0')}`, options, start_us),
    )
    this.#connections = Array.from({ length: options.connections }, () => new Connection(options.url))
    this.#idle = [...this.#connections]
  }

  async run(): Promise<LoadResult> {
    const { rate, batch, duration_s, warmup_s } = this.#options
    const started_ms = performance.now()
    const counted_ms = started_ms + warmup_s * 1000
    const end_ms = counted_ms + duration_s * 1000
    let cpu = process.cpuUsage()
    const begin = () => {
      this.#counts = true
      if (this.#options.probe !== null) this.#options.probe.counts = true
      cpu = process.cpuUsage()
    }
    if (rate === null) await this.#asFastAsAnswered(counted_ms, end_ms, begin)
    else await this.#asPlanned(started_ms, (batch / rate) * 1000, counted_ms, end_ms, begin)
    const elapsed_s = (performance.now() - counted_ms) / 1000
    const used = process.cpuUsage(cpu)
    const acknowledged_readings_s = Math.round((this.#kept * batch) / elapsed_s)
    const sent = this.#sent
    this.#counts = false
    await this.#lastAnswers()
    for (const connection of this.#connections) connection.close()
    return {
      planned_readings_s: rate,
      acknowledged_readings_s,
      sent,
      acknowledged: this.#kept,
      errors: this.#errors,
      unanswered: this.#underWay + this.#queue.length,
      acknowledged_ms: this.#acknowledged.quantiles,
      behind_ms: this.#behind.quantiles,
      generator_cpu: (used.user + used.system) / 1e6 / elapsed_s,
    }
  }

  async #asPlanned(
    started_ms: number,
    interval_ms: number,
    counted_ms: number,
    end_ms: number,
    begin: () => void,
  ): Promise<void> {
    const plannedAt = (number: number) => started_ms + number * interval_ms
    for (let number = 0; ; ) {
      const now_ms = performance.now()
      if (!this.#counts && now_ms >= counted_ms) begin()
      if (now_ms >= end_ms) return
      // All that is due by now, however late this turn comes: nothing is left out.
      for (; plannedAt(number) <= now_ms; number++) {
        this.#plan({ device: this.#devices[number % this.#devices.length]!, planned_ms: plannedAt(number) })
      }
      await new Promise(resolve => setTimeout(resolve, 1))
    }
  }

  async #asFastAsAnswered(counted_ms: number, end_ms: number, begin: () => void): Promise<void> {
    const again = () => {
      if (performance.now() >= end_ms) return
      this.#plan({ device: this.#devices[this.#turn++ % this.#devices.length]!, planned_ms: performance.now() })
    }
    this.#onFree = again
    for (let index = 0; index < this.#connections.length; index++) again()
    await new Promise(resolve => setTimeout(resolve, Math.max(0, counted_ms - performance.now())))
    begin()
    await new Promise(resolve => setTimeout(resolve, Math.max(0, end_ms - performance.now())))
    this.#onFree = null
  }

  #onFree: (() => void) | null = null

  #plan(request: Request): void {
    // A device's request stands in its only buffer until it is answered.
    if (this.#queue.length > 0 || this.#idle.length === 0 || this.#busyDevices.has(request.device)) {
      this.#queue.push(request)
    } else this.#send(request)
  }

  #send({ device, planned_ms }: Request): void {
    const connection = this.#idle.pop()!
    const now_ms = performance.now()
    const from_us = device.last_us
    device.renew((this.#epoch_ms + planned_ms) * 1000)
    this.#options.probe?.sent(device.name, device.first_us, from_us, device.last_us, planned_ms)
    this.#busyDevices.add(device)
    this.#underWay++
    const counted = this.#counts
    if (counted) {
      this.#sent++
      this.#behind.add_ms(now_ms - planned_ms)
    }
    connection.send(device.bytes, status => {
      this.#underWay--
      this.#busyDevices.delete(device)
      this.#idle.push(connection)
      if (status >= 200 && status < 300) {
        if (counted) this.#acknowledged.add_ms(performance.now() - planned_ms)
        if (counted && this.#counts) this.#kept++
      } else this.#errors[status] = (this.#errors[status] ?? 0) + 1
      // Not from within the answer: a connection that fails at once would never come to an end.
      if (status === 0) setTimeout(() => this.#next(), 10)
      else this.#next()
    })
  }

  #next(): void {
    this.#onFree?.()
    while (this.#idle.length > 0) {
      const first = this.#queue[0]
      if (first === undefined || this.#busyDevices.has(first.device)) return
      this.#queue.shift()
      this.#send(first)
    }
  }

  async #lastAnswers(): Promise<void> {
    const began_ms = performance.now()
    while (this.#underWay + this.#queue.length > 0 && performance.now() - began_ms < LAST_ANSWERS_MS) {
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }
}
