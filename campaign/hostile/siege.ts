/** Sends the cases of one run and holds each answer, and in the end what is stored, against the plain count. */
import { Agent } from 'node:http'
import { post, type Reply, sendToPage } from './clients.ts'
import { readingsIn, recordsIn } from './model.ts'
import { type Case, caseOf, type HttpMessage, SENT_BYTES_MAX } from './mutations.ts'
import type { Victim } from './victim.ts'

/** Small cases that are sent at once; together they may cost what one request may. */
const AT_ONCE = 20
/** So often a cost that is too high is looked at again. */
const TIMES_MAX = 4
const COST = { cpu_ms: 1000, bytes: 100 << 20 } as const
const TOPICS = { '/events': 'events', '/lines': 'lines', '/phone': 'phones' } as const
type Path = keyof typeof TOPICS

interface Counts {
  accepted: number
  rejected: number
  /** Of the app's messages, whose answers have no numbers: what they hold, and how many hold nobody knows how many. */
  readings: number
  unknown: number
}

export class Siege {
  readonly #victim: Victim
  readonly #agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  readonly #counts: Record<Path, Counts> = { '/events': none(), '/lines': none(), '/phone': none() }
  /** By idempotency key the answers that said 'kept' and 'repeated'. */
  readonly #keys = new Map<string, { kept: number; repeated: number }>()
  readonly #faults: string[] = []
  #ends: { readonly origin: string; readonly page: URL } | null = null

  constructor(victim: Victim) {
    this.#victim = victim
  }

  /** Answers what was wrong, a line each. */
  async run(seed: number, cases: number, onDone: (done: number) => void): Promise<string[]> {
    this.#ends = await this.#victim.ready()
    // What is compiled and made once is not what a request costs.
    for (let index = -20; index < 0; index++) await this.#send(caseOf(index))
    for (let done = 0; done < cases && !this.#victim.isGone; onDone(done)) {
      const all: number[] = []
      while (all.length < AT_ONCE && done < cases) {
        const { isLarge } = caseOf(seed + done)
        if (isLarge && all.length > 0) break
        all.push(seed + done++)
        if (isLarge) break
      }
      if (all.length > 1 || !caseOf(all[0]!).isLarge) {
        await this.#measure(`cases from ${all[0]} on, ${all.length} at once,`, async again => {
          await Promise.all(all.map(index => this.#send(caseOf(index, again))))
        })
        continue
      }
      const { pushes } = caseOf(all[0]!)
      for (const [number, { path, body }] of pushes.entries()) {
        const send = (again: string) => this.#post(caseOf(all[0]!, again).pushes[number]!)
        // A larger one may cost more.
        if (body.length > SENT_BYTES_MAX) await send('')
        else await this.#measure(`case ${all[0]}, ${path},`, send)
      }
    }
    this.#agent.destroy()
    if (this.#victim.isGone) this.#faults.push('it ended by itself')
    return this.#faults
  }

  /** What others do on the machine, and the collector, add to the cost: it is the least of a few times. */
  async #measure(what: string, send: (again: string) => Promise<void>): Promise<void> {
    let least = { cpu_ms: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }
    for (let time = 0; time < TIMES_MAX; time++) {
      const cost = await this.#victim.costOf(() => send(time === 0 ? '' : `again${time}`))
      least = { cpu_ms: Math.min(least.cpu_ms, cost.cpu_ms), bytes: Math.min(least.bytes, cost.bytes) }
      if (least.cpu_ms <= COST.cpu_ms && least.bytes <= COST.bytes) return
    }
    this.#faults.push(`${what} cost ${least.cpu_ms} ms and ${least.bytes >> 20} MB`)
  }

  /** Holds what is stored, once it has stopped, against what was answered. */
  async compare(): Promise<string[]> {
    const faults: string[] = []
    for (const [path, topic] of Object.entries(TOPICS) as [Path, string][]) {
      const { accepted, rejected, readings, unknown } = this.#counts[path]
      const stored = await this.#victim.stored(topic)
      const say = (what: string) => faults.push(`${path}: ${what}; stored: ${JSON.stringify(stored)}`)
      if (stored.rows !== stored.records) say('the table holds other rows than the log has records')
      if (path !== '/phone') {
        if (stored.records !== accepted || stored.rejected !== rejected)
          say(`${accepted} accepted, ${rejected} rejected`)
      } else {
        const total = stored.records + stored.rejected
        if (total < readings + unknown || (unknown === 0 && total !== readings))
          say(`${readings} and ${unknown} messages`)
      }
    }
    for (const [key, { kept, repeated }] of this.#keys) {
      if (kept > 1 || (kept === 0 && repeated > 0))
        faults.push(`the key ${key}: kept ${kept} times, repeated ${repeated}`)
    }
    return faults
  }

  async #send({ pushes, page: bytes }: Case): Promise<void> {
    const [fault] = await Promise.all([sendToPage(this.#ends!.page, bytes), ...pushes.map(push => this.#post(push))])
    if (fault !== null) this.#faults.push(`${fault}: ${shown(bytes)}`)
  }

  async #post(push: HttpMessage): Promise<void> {
    const wrong = this.#hear(push, await post(this.#ends!.origin, push, this.#agent))
    if (wrong !== null) this.#faults.push(`${wrong}: ${JSON.stringify(push.headers)} ${shown(push.body)}`)
  }

  /** Counts what an answer says; answers what is wrong with it, or null. */
  #hear(push: HttpMessage, reply: Reply): string | null {
    if (reply.status === 0 || reply.status === 500) return `answered ${reply.status} ${reply.text}`
    if (push.path === '/phone') return this.#hearPhone(push, reply)
    const { accepted = 0, refused: rejected = 0, repeated = false } = JSON.parse(reply.text) as Record<string, never>
    const counts = this.#counts[push.path as Path]
    counts.accepted += accepted
    counts.rejected += rejected
    const isKept = [200, 400, 422].includes(reply.status) && (accepted > 0 || rejected > 0)
    this.#noteKey(push, isKept, repeated)
    if (!isKept) return reply.status === 422 ? 'nothing is kept of it' : null
    const records = recordsIn(push)
    if (records === null || records === accepted + rejected) return null
    return `it has ${records} records, and is answered ${reply.text.slice(0, 100)}`
  }

  #hearPhone(push: HttpMessage, { status, text }: Reply): string | null {
    const isKept = text === '{"ok":true}' || text.includes('dead_letters')
    if (!isKept) return status === 200 ? `answered ${text}` : null
    const readings = text.includes('is too long') ? 1 : readingsIn(push)
    const counts = this.#counts['/phone']
    if (readings === null) counts.unknown++
    else counts.readings += readings
    return null
  }

  #noteKey({ path, headers }: HttpMessage, isKept: boolean, isRepeated: boolean): void {
    const written = headers['idempotency-key']
    if (written === undefined || (!isKept && !isRepeated)) return
    const name = `${path} ${/^"(.*)"$/.exec(written)?.[1] ?? written}`
    const known = this.#keys.get(name) ?? { kept: 0, repeated: 0 }
    this.#keys.set(name, known)
    if (isRepeated) known.repeated++
    else known.kept++
  }
}

function none(): Counts {
  return { accepted: 0, rejected: 0, readings: 0, unknown: 0 }
}

const shown = (bytes: Buffer) => JSON.stringify(bytes.subarray(0, 200).toString('latin1'))
