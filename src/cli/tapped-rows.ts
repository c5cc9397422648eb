/** Rows that a tap shows: lines of JSON, or a table a page at a time. */
import { type Batch, rowsOf } from '../engine/batch.ts'
import { rowWriter } from '../engine/rows-json.ts'
import { shortDecimalText } from '../plan/exact.ts'
import { exactJson, parseExact, rawNumber } from '../plan/json-text.ts'
import type { StreamNode } from '../plan/nodes.ts'
import { RowPrinter } from './row-printer.ts'
import { type Terminal, timeText } from './terminal.ts'

/** Prints rows as they come, up to a limit. */
export class TappedRows {
  readonly #columns: readonly string[]
  readonly #times: readonly string[]
  readonly #limit: number
  readonly #terminal: Terminal
  readonly #printer: RowPrinter | null
  readonly #writer: ReturnType<typeof rowWriter>
  count = 0

  /** Rows are printed as JSON, not as a table. */
  readonly isJson: boolean

  constructor(stage: StreamNode, limit: number, json: boolean, terminal: Terminal) {
    this.#columns = stage.columns.map(column => column.name)
    this.#times = stage.columns.filter(column => column.type === 'timestamp').map(column => column.name)
    this.isJson = json
    this.#limit = limit
    this.#terminal = terminal
    this.#printer = json ? null : new RowPrinter(terminal)
    this.#writer = rowWriter(stage.columns)
  }

  get full(): boolean {
    return this.#limit > 0 && this.count >= this.#limit
  }

  add(batch: Batch): void {
    const room = this.#limit > 0 ? this.#limit - this.count : batch.length
    const length = Math.min(room, batch.length)
    if (length <= 0) return
    this.count += length
    const part = length === batch.length ? batch : { ...batch, length }
    if (this.#printer === null) {
      void this.#terminal.print(Buffer.from(this.#writer.write(part)).toString().trimEnd())
      return
    }
    for (const [index, row] of rowsOf(part).entries()) {
      const shown = Object.fromEntries(this.#columns.map(column => [column, row[column]]))
      for (const [column, { name }] of part.columns.entries()) {
        const data = part.data[column]
        // A row has their numbers as doubles.
        if (data?.type === 'json') shown[name] = exactJson(data.values[index] ?? null)
        if (data?.type === 'decimal' && shown[name] !== null)
          shown[name] = rawNumber(shortDecimalText(data.values[index]!, data.scale))
      }
      for (const time of this.#times) if (typeof shown[time] === 'number') shown[time] = timeText(shown[time])
      void this.#printer.add(shown)
    }
  }

  /** A row as JSON text; for a table with dotted names as they are. */
  async addLine(line: string): Promise<void> {
    if (this.full) return
    this.count++
    if (this.#printer === null) await this.#terminal.print(line)
    else await this.#printer.add(parseExact(line) as Record<string, unknown>)
  }

  async show(): Promise<void> {
    await this.#printer?.flush()
  }
}
