/** An outside system in memory that takes rows in transactions, and fails or is slow as it is told. */
import type { Sink, SinkContext } from '../../src/connectors/contract.ts'
import { type Batch, rowsOf } from '../../src/engine/batch.ts'
import type { SinkReference } from '../../src/plan/nodes.ts'
import { MillraceError } from '../../src/system/errors.ts'

export type Call = 'open' | 'write' | 'commit' | 'half a commit' | 'close'

export class Outside {
  readonly name: string
  /** What it holds for good, in the order in which it came. */
  readonly rows: Record<string, unknown>[] = []
  opened = 0
  /** How long a call may take; default: as of any sink. */
  deadlines_ms: NonNullable<Sink['deadlines_ms']> = {}
  /** Called before each call: it may throw, or take its time. After 'half a commit' the rows are held, whatever it throws. */
  before: (call: Call) => void | Promise<void> = () => {}
  #position = 0
  #pending: Record<string, unknown>[] = []
  #owner: Sink | null = null

  constructor(name: string) {
    this.name = name
  }

  /** Rows that it was given and that no commit holds. */
  get pending(): number {
    return this.#pending.length
  }

  /** An older copy of it is put back. */
  restore(rows: number): void {
    this.rows.length = rows
    this.#position = rows
  }

  get reference(): SinkReference {
    return {
      kind: 'sink',
      connector: this.name,
      options: {},
      open: async () => ({ openSink: async () => this.#sink() }),
    }
  }

  #sink(): Sink {
    const outside = this
    const sink: Sink = {
      guarantee: 'Exactly once.',
      deadlines_ms: outside.deadlines_ms,
      async open(_context: SinkContext) {
        await outside.before('open')
        if (outside.#owner !== null) throw new Error(`${outside.name} is open twice`)
        outside.#owner = sink
        outside.opened++
        outside.#pending = []
        return outside.#position
      },
      async write(batch: Batch) {
        outside.#own(sink)
        const rows = rowsOf(batch).map(row => ({ ...row }))
        for (const row of rows) outside.#pending.push(row)
        await outside.before('write')
      },
      async commit(position: number) {
        outside.#own(sink)
        const rows = outside.#pending
        await outside.before('commit')
        // Compare and set: a writer whose place another one has taken commits nothing.
        outside.#own(sink)
        outside.#pending = []
        if (position !== outside.rows.length + rows.length) {
          throw new Error(
            `${outside.name} holds ${outside.rows.length} rows, gets ${rows.length}, and is told ${position}`,
          )
        }
        for (const row of rows) outside.rows.push(row)
        outside.#position = position
        await outside.before('half a commit')
      },
      async close() {
        if (outside.#owner === sink) outside.#owner = null
        await outside.before('close')
      },
    }
    return sink
  }

  #own(sink: Sink): void {
    if (this.#owner !== sink) throw new Error(`${this.name} is used when it is not open`)
  }
}

/** What an outside system says that is not there just now. */
export function gone(): MillraceError {
  return new MillraceError('WAREHOUSE_FAILED', 'The outside system is not there.')
}
