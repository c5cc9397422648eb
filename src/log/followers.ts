/** Those who wait for what comes next in a log. */
import type { LogEvent } from './read.ts'

interface Followed {
  /** All offsets below it can be read. */
  readonly durable: number
  read(from: number): Iterable<LogEvent>
}

export class Followers {
  #waiting: (() => void)[] = []
  #isOver = false

  /** There is more to read; `isOver`: for the last time. */
  wake(isOver = false): void {
    this.#isOver ||= isOver
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  /** What is in the log from an offset on and what comes, until the signal is aborted or all is over and read. */
  async *follow(log: Followed, from: number, signal: AbortSignal): AsyncGenerator<LogEvent, void, undefined> {
    let offset = from
    while (!signal.aborted) {
      for (const event of log.read(offset)) {
        offset = event.kind === 'gap' ? event.to : event.block.header.firstOffset + event.block.header.records
        yield event
        if (signal.aborted) return
      }
      if (this.#isOver && offset >= log.durable) return
      if (offset < log.durable) continue
      await new Promise<void>(resolve => {
        const wake = () => {
          signal.removeEventListener('abort', wake)
          resolve()
        }
        signal.addEventListener('abort', wake, { once: true })
        this.#waiting.push(wake)
      })
    }
  }
}
