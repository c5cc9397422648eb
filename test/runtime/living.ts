/** A pipeline at work on a disk in memory: records are pushed to it, it is cut off, it goes on; and what is then wrong. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, pipeline, sum, topic, tumbling } from '../../src/index.ts'
import { openTopic } from '../../src/log/open-topic.ts'
import { readChunks } from '../../src/log/topic-reader.ts'
import type { RunHandle } from '../../src/runtime/options.ts'
import { systemClock } from '../../src/system/clock.ts'
import type { Random } from '../../src/system/random.ts'
import type { Storage } from '../../src/system/storage.ts'
import type { MemoryStorage } from '../log/memory-storage.ts'
import { LAST_MS, type Message, push, readings, silent, someOf, WINDOW_MS } from './pushed-readings.ts'
import { begin } from './runs.ts'

export const living = pipeline('living', ({ ingest, from }) => {
  ingest(silent, readings)
  from(readings)
    .dedupe({ key: 'n', within: '1 h' })
    .groupBy('device')
    .window(tumbling(`${WINDOW_MS} ms`))
    .aggregate({ readings: count(), total: sum('n') })
    .to(topic('windows'))
})

/** Messages of a few senders, each with records of increasing times; the last ones close all windows. */
export function messagesOf(random: Random, senders: number, perSender: number): Message[] {
  let n = 0
  const messages: Message[] = []
  const times = Array.from({ length: senders }, () => 0)
  for (let number = 0; number <= perSender; number++) {
    for (let sender = 0; sender < senders; sender++) {
      const device = `device-${sender}`
      const isLast = number === perSender
      const lines = Array.from({ length: isLast ? 1 : 1 + random.integer(4) }, () => {
        times[sender]! += 1 + random.integer(400)
        return JSON.stringify({ device, at: isLast ? LAST_MS : times[sender], n: n++ })
      })
      messages.push({ sender: device, number, lines: `${lines.join('\n')}\n` })
    }
  }
  return messages
}

export interface LifeOptions {
  /** Default: the disk as this process sees it. */
  readonly disk?: Storage
  /** The run is killed after so many pushes. Default: it is stopped when all is acknowledged. */
  readonly pushesMax?: number
  /** Called before each round of pushes with their number so far. */
  readonly onPush?: (handle: RunHandle, pushes: number) => void
  /** Called each time that something was not kept. */
  readonly onRefused?: () => void
}

export class Life {
  readonly storage: MemoryStorage
  readonly acknowledged = new Set<Message>()
  readonly #folder = mkdtempSync(join(tmpdir(), 'millrace-life-'))
  #waiting: readonly Message[]

  constructor(storage: MemoryStorage, messages: readonly Message[]) {
    this.storage = storage
    this.#waiting = messages
  }

  get isDone(): boolean {
    return this.#waiting.length === 0
  }

  /** Runs until all is acknowledged, or the run fails; a message is sent again until it is, now and then also after it. */
  async live(random: Random, options: LifeOptions = {}): Promise<unknown> {
    const { disk = this.storage.forProcess(), onRefused = () => {}, pushesMax = Number.POSITIVE_INFINITY } = options
    let pushes = 0
    let rounds = 0
    const run = await begin(living.plan, this.#folder, {}, disk)
    const handle = run.handle!
    while (run.failure === null && !this.storage.isOff && this.#waiting.length > 0 && pushes < pushesMax) {
      const some = someOf(this.#waiting, random)
      pushes += some.length
      options.onPush?.(handle, rounds++)
      await Promise.all(
        some.map(async message => {
          const again = random.integer(5) === 0
          const outcome = await Promise.race([push(handle, message), run.ended])
          if (outcome === null || outcome.kind === 'failed') return
          this.acknowledged.add(message)
          if (again) await Promise.race([push(handle, message), run.ended])
        }),
      )
      this.#waiting = this.#waiting.filter(message => !this.acknowledged.has(message))
      if (some.every(message => this.acknowledged.has(message))) continue
      onRefused()
      await systemClock.sleep(1)
    }
    if (pushes >= pushesMax) this.storage.kill()
    await run.stop()
    return run.failure
  }

  /** All that is wrong with what is stored, once all windows are closed. */
  broken(messages: readonly Message[]): string[] {
    const found: string[] = []
    const held = this.stored('readings').map(line => JSON.parse(line) as { device: string; at: number; n: number })
    const times = new Map<number, number>()
    for (const { n } of held) times.set(n, (times.get(n) ?? 0) + 1)
    for (const message of messages) {
      for (const line of message.lines.trim().split('\n')) {
        const { n } = JSON.parse(line) as { n: number }
        const copies = times.get(n) ?? 0
        if (copies > 1) found.push(`record ${n} is in the log ${copies} times`)
        if (copies === 0 && this.acknowledged.has(message)) found.push(`record ${n} was acknowledged and is lost`)
        times.delete(n)
      }
    }
    for (const n of times.keys()) found.push(`record ${n} was never sent`)
    const expected = new Map<string, { readings: number; total: number }>()
    for (const { device, at, n } of held) {
      if (at === LAST_MS) continue
      const key = `${device} ${Math.floor(at / WINDOW_MS)}`
      const window = expected.get(key) ?? { readings: 0, total: 0 }
      expected.set(key, { readings: window.readings + 1, total: window.total + n })
    }
    for (const line of this.stored('windows')) {
      const row = JSON.parse(line) as { device: string; readings: number; total: number; window_start: string }
      const key = `${row.device} ${Date.parse(row.window_start) / WINDOW_MS}`
      const window = expected.get(key)
      if (window === undefined) found.push(`window ${key} is twice or was never there`)
      else if (window.readings !== row.readings || window.total !== row.total) {
        found.push(`window ${key} has ${row.readings} readings, ${row.total}; expected ${JSON.stringify(window)}`)
      }
      expected.delete(key)
    }
    for (const key of expected.keys()) found.push(`window ${key} is lost`)
    return found
  }

  end(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  stored(name: string): string[] {
    const log = openTopic(this.#folder, name, {
      incarnation: '0'.repeat(32),
      adoptIncarnation: true,
      storage: this.storage.forProcess(),
      clock: systemClock,
      readOnly: true,
    })
    const lines: string[] = []
    for (const chunk of readChunks(log, 0)) {
      if ('kind' in chunk) throw new Error(`${name}: ${chunk.reason}`)
      lines.push(...chunk.bytes.toString().split('\n').filter(Boolean))
    }
    return lines
  }
}
