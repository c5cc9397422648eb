/** What is pushed to pipelines whose disk rots, where it comes in, and a clock under which little waits. */
import { z } from 'zod'
import type { Idle, PushOutcome, Source } from '../../src/connectors/contract.ts'
import { timestamp, topic } from '../../src/index.ts'
import type { SourceReference } from '../../src/plan/nodes.ts'
import type { RunHandle } from '../../src/runtime/options.ts'
import { type Clock, systemClock } from '../../src/system/clock.ts'
import type { Random } from '../../src/system/random.ts'

export const WINDOW_MS = 1000
/** Behind all records: it closes their windows. */
export const LAST_MS = 1_000_000

class Silent implements Source {
  readonly replays = false
  #closed = false

  async open(): Promise<readonly { readonly name: string; readonly bytes: null }[]> {
    return [{ name: 'silent', bytes: null }]
  }

  async read(): Promise<Idle | null> {
    await systemClock.sleep(2)
    return this.#closed ? null : { kind: 'idle' }
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}

export const silent: SourceReference = {
  kind: 'source',
  connector: 'silent',
  options: {},
  open: async () => ({ openSource: async () => new Silent() }),
}

const schema = z.object({ device: z.string(), at: timestamp('ms'), n: z.number() })
export const readings = topic('readings', schema, {
  key: 'device',
  eventTime: { field: 'at', disorder: '0 s', progress: 'key', idleAfter: '1 h' },
})

export interface Message {
  readonly sender: string
  readonly number: number
  readonly lines: string
}

export interface Row {
  readonly device: string
  readonly at: number
  readonly n: number
}

/** Messages of a few senders; some lines are refused, some are late; the last message of each closes its windows. */
export function messagesOf(random: Random, senders: number, perSender: number): Message[] {
  let n = 0
  const messages: Message[] = []
  const times = Array.from({ length: senders }, () => 5000)
  for (let number = 0; number <= perSender; number++) {
    for (let sender = 0; sender < senders; sender++) {
      const device = `device-${sender}`
      const isLast = number === perSender
      const lines = Array.from({ length: isLast ? 1 : 1 + random.integer(4) }, (_, index) => {
        times[sender]! += 1 + random.integer(400)
        const draw = random.integer(12)
        const at = isLast ? LAST_MS : draw === 0 ? times[sender]! - 4000 : times[sender]!
        // The first line is always right: a message of which nothing is kept is another matter.
        return JSON.stringify(draw === 1 && index > 0 ? { device, at, n: `bad ${n++}` } : { device, at, n: n++ })
      })
      messages.push({ sender: device, number, lines: `${lines.join('\n')}\n` })
    }
  }
  return messages
}

/** Some of those that wait, one of a sender: it keeps the order of its own messages, or their records would be late. */
export function someOf(waiting: readonly Message[], random: Random): Message[] {
  const first = [...new Map([...waiting].reverse().map(message => [message.sender, message])).values()]
  return first.slice(0, 1 + random.integer(first.length))
}

/** A row of the windows of readings, by what it should say. */
export function windowText(row: Readonly<Record<string, unknown>>): string {
  return `${row.device} ${Date.parse(String(row.window_start)) / WINDOW_MS} ${row.readings} ${row.total}`
}

/** What waits half a second in a run waits some milliseconds here. */
export const hasty: Clock = {
  ...systemClock,
  monotonic_ms: () => systemClock.monotonic_ms() * 50,
  sleep: (duration_ms, signal) => systemClock.sleep(duration_ms / 50, signal),
}

export function push(handle: RunHandle, { sender, number, lines }: Message): Promise<PushOutcome> {
  return handle.append('readings', Buffer.from(lines), `${sender}:${number}`)
}
