/** A file that another program appends to, now and then in the middle of a line, whether the pipeline is alive or not. */
import { appendFileSync } from 'node:fs'
import type { Random } from '../../src/system/random.ts'
import type { Ledger } from './ledger.ts'
import { sleep } from './senders.ts'

const START_MS = Date.UTC(2026, 0, 1)

export class GrowingFile {
  readonly #path: string
  readonly #ledger: Ledger
  readonly #random: Random
  #time_ms = START_MS
  #event = 0
  #isActive = false
  #writing: Promise<void> = Promise.resolve()

  constructor(path: string, ledger: Ledger, random: Random) {
    this.#path = path
    this.#ledger = ledger
    this.#random = random
    appendFileSync(path, '')
  }

  start(): void {
    this.#isActive = true
    this.#writing = this.#write()
  }

  /** Resolves when the last line is whole. */
  async finish(): Promise<void> {
    this.#isActive = false
    await this.#writing
  }

  async #write(): Promise<void> {
    const random = this.#random
    while (this.#isActive) {
      const lines = Array.from({ length: random.integer(8) }, () => this.#line())
      const text = lines.map(line => `${line}\n`).join('')
      const cut = random.next() < 0.3 ? random.integer(text.length + 1) : text.length
      appendFileSync(this.#path, text.slice(0, cut))
      await sleep(random.integer(30))
      appendFileSync(this.#path, text.slice(cut))
    }
  }

  #line(): string {
    const random = this.#random
    const number = this.#ledger.number()
    this.#time_ms += random.integer(300)
    const time = this.#time_ms - (random.next() < 0.05 ? random.integer(60_000) : random.integer(1500))
    // Most events come once, some again, mostly soon.
    if (random.next() < 0.7) this.#event++
    const event = this.#event - (random.next() < 0.1 ? random.integer(Math.min(this.#event + 1, 300)) : 0)
    const refused = random.next() < 0.02
    const amount = refused ? '"much"' : random.integer(1000)
    const text = `{"number":${number},"event":${event},"room":"room ${random.integer(5)}","time":${time},"amount":${amount}}`
    this.#ledger.lines.push({ number, text, refused })
    return text
  }
}
