/** Rows as an aligned table, a page at a time, so that endless rows still appear. */
import { rowTable, type Terminal } from './terminal.ts'

const PAGE_ROWS = 50

export class RowPrinter {
  readonly #terminal: Terminal
  readonly #known: readonly string[] | null
  #page: Readonly<Record<string, unknown>>[] = []
  #columns: readonly string[] = []
  #printed = false

  /** `columns`: those of every row, where they are known beforehand; else each page shows what its rows have. */
  constructor(terminal: Terminal, columns: readonly string[] | null = null) {
    this.#terminal = terminal
    this.#known = columns
  }

  async add(row: Readonly<Record<string, unknown>>): Promise<void> {
    this.#page.push(row)
    if (this.#page.length >= PAGE_ROWS) await this.flush()
  }

  /** Prints what is there; the titles only above the first page or when the columns changed. */
  async flush(): Promise<void> {
    if (this.#page.length === 0) return
    const columns = this.#known ?? [...new Set(this.#page.flatMap(row => Object.keys(row)))]
    const same = this.#printed && columns.join('\n') === this.#columns.join('\n')
    const lines = rowTable(columns, this.#page, this.#terminal.style)
    for (const line of same ? lines.slice(1) : lines) await this.#terminal.print(line)
    this.#page = []
    this.#columns = columns
    this.#printed = true
  }
}
