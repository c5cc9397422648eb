/**
 * Phones that push while the pipeline is killed again and again. A message that was not answered is sent again, mostly
 * until it is; sometimes it is given up, and now and then one that was answered long ago is sent once more.
 */
import { HttpTarget } from '../../src/simulate/http.ts'
import type { Random } from '../../src/system/random.ts'
import type { Ledger, SentMessage } from './ledger.ts'

const START_MS = Date.UTC(2026, 0, 1)
/** Messages of one phone that are under way at the same time: they overtake each other. */
const LANES = 2
const PATIENCE_MS = 5000

export class Sender {
  readonly #ledger: Ledger
  readonly #random: Random
  readonly #addressNow: () => string | null
  readonly #deviceId: string
  readonly #sent: SentMessage[] = []
  #messageId = 0
  #time_ms = START_MS
  /** New messages are made. */
  #isActive = false
  #lanes: Promise<void>[] = []
  #target: { readonly address: string; readonly http: HttpTarget } | null = null

  /** `addressNow`: where the pipeline listens at the moment; null while it does not. */
  constructor(name: number, ledger: Ledger, random: Random, addressNow: () => string | null) {
    this.#deviceId = `phone-${name}`
    this.#ledger = ledger
    this.#random = random
    this.#addressNow = addressNow
  }

  start(): void {
    this.#isActive = true
    this.#lanes = Array.from({ length: LANES }, () => this.#lane())
  }

  /** Makes no new messages; resolves when all that was not given up is acknowledged. */
  async finish(): Promise<void> {
    this.#isActive = false
    await Promise.all(this.#lanes)
    this.#target?.http.close()
    this.#target = null
  }

  async #lane(): Promise<void> {
    while (this.#isActive) {
      await this.#deliver(this.#make())
      if (this.#random.next() < 0.05) await this.#repeat()
      await sleep(this.#random.integer(12))
    }
  }

  async #deliver(message: SentMessage): Promise<void> {
    while (!(await this.#isKept(message))) {
      if (this.#isActive && this.#random.next() < 0.002) return
      await sleep(2 + this.#random.integer(20))
    }
    message.acknowledged = true
  }

  /** One that may long be kept: nothing may come of it. */
  async #repeat(): Promise<void> {
    const recent = this.#random.next() < 0.7 ? Math.max(0, this.#sent.length - 20) : 0
    const message = this.#sent[recent + this.#random.integer(this.#sent.length - recent)]
    if (message?.acknowledged) await this.#isKept(message)
  }

  async #isKept(message: SentMessage): Promise<boolean> {
    const address = this.#addressNow()
    if (address === null) return false
    if (this.#target?.address !== address) {
      this.#target?.http.close()
      this.#target = { address, http: new HttpTarget(new URL(address), LANES) }
    }
    const answer = await this.#target.http.post(message.body, PATIENCE_MS)
    if (answer.kind === 'failed') return false
    if (answer.status >= 200 && answer.status < 300) return true
    // 503 is how a pipeline that stops sends its clients away.
    if (answer.status !== 503) this.#ledger.surprises.push(`answered ${answer.status}: ${answer.text.slice(0, 200)}`)
    return false
  }

  #make(): SentMessage {
    const random = this.#random
    const numbers: number[] = []
    const refusedNumbers: number[] = []
    const payload = Array.from({ length: 1 + random.integer(6) }, (_, index) => {
      const number = this.#ledger.number()
      // The first one is always right: a message of which nothing can be kept gets another answer.
      const isRight = index === 0 || random.next() > 0.03
      ;(isRight ? numbers : refusedNumbers).push(number)
      return this.#reading(number, isRight)
    })
    const messageId = this.#messageId++
    const deviceId = this.#deviceId
    const head = `{"messageId":${messageId},"sessionId":"session of ${deviceId}","deviceId":"${deviceId}"`
    const body = `${head},"payload":[${payload.join(',')}]}`
    const message: SentMessage = { deviceId, messageId, body, numbers, refusedNumbers, acknowledged: false }
    this.#ledger.messages.push(message)
    this.#sent.push(message)
    return message
  }

  /** Event time goes on by chance; one in twenty is so much behind that it may be late. */
  #reading(number: number, isRight: boolean): string {
    const random = this.#random
    this.#time_ms += random.integer(200)
    const behind_ms = random.next() < 0.05 ? random.integer(9000) : random.integer(1500)
    const amount = isRight ? random.integer(1000) : '"much"'
    return `{"name":"amount","time":${this.#time_ms - behind_ms}000000,"values":{"number":${number},"amount":${amount}}}`
  }
}

export function sleep(duration_ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, duration_ms))
}
