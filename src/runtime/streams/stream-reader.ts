/** The one way in which rows of a stream are read: out of memory where they are there, else out of its history. */
import type { MillraceError } from '../../system/errors.ts'
import { lackingWarning } from '../warnings.ts'
import type { HistoryRows } from './history.ts'
import type { OutputStream } from './output-stream.ts'
import type { Rows } from './tail.ts'

export class StreamReader {
  readonly #stream: OutputStream
  /** Who reads, as people know it. */
  readonly #name: string
  readonly #onWarning: (warning: MillraceError) => void
  #history: AsyncGenerator<HistoryRows, void, undefined> | null = null
  /** Whether the history that is open gave anything. */
  #gave = false

  constructor(stream: OutputStream, name: string, onWarning: (warning: MillraceError) => void) {
    this.#stream = stream
    this.#name = name
    this.#onWarning = onWarning
  }

  /** Whether it reads what is no longer in memory. */
  get isBehind(): boolean {
    return this.#history !== null
  }

  /**
   * The next rows: those at a position, up to `to` (excluded) at most; they begin further on where the rows between can
   * no longer be read, which is told. null: there are none yet. Calls follow each other. Throws what the history does.
   */
  async next(position: number, to: number): Promise<Rows | null> {
    const stream = this.#stream
    for (;;) {
      const recent = stream.recent(position, to)
      if (recent !== null) {
        await this.close()
        return recent
      }
      const history = stream.stored ?? stream.replayed
      const safe = Math.min(to, stream.safe)
      if (this.#history === null && (history === null || position >= safe)) return null
      if (this.#history === null) {
        this.#history = history!.read(position, safe)
        this.#gave = false
      }
      const { value, done } = await this.#history.next()
      if (done) {
        this.#history = null
        // More may be safe by now, or in memory again.
        if (!this.#gave || position >= Math.min(to, stream.safe)) return null
        continue
      }
      this.#gave = true
      if (value.kind === 'rows') return value
      if (value.kind === 'lost') {
        this.#onWarning(lackingWarning(this.#name, value.topic, value.fromOffset, value.toOffset, value.reason))
        continue
      }
      await this.close()
      position = value.to
      if (position >= to) return { from: position, batch: { length: 0, columns: [], data: [], origin: null } }
    }
  }

  async close(): Promise<void> {
    const history = this.#history
    this.#history = null
    await history?.return()
  }
}
