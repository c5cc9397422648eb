/** Rows as an aligned table, a page at a time, so that endless rows still appear. */
import { rowTable, type Terminal } from './terminal.ts'

const PAGE_ROWS = 50

export class RowPrinter {
  readonly #terminal: Terminal
  readonly #known: readonly string[] | null
  #page: Readonly<Record<string, unknown>>[] = []
  #columns: readonly string[] | null = null
  #printing: Promise<void> = Promise.resolve()

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
  flush(): Promise<void> {
    const page = this.#page
    if (page.length === 0) return this.#printing
    this.#page = []
    const columns = this.#known ?? [...new Set(page.flatMap(row => Object.keys(row)))]
    const same = columns.join('\n') === this.#columns?.join('\n')
    this.#columns = columns
    const lines = rowTable(columns, page, this.#terminal.style).slice(same ? 1 : 0)
    // Whoever does not wait for a page must not see the next one overtake it.
    this.#printing = this.#printing.then(async () => {
      for (const line of lines) await this.#terminal.print(line)
    })
    return this.#printing
  }
}
