/** Counts fields that records have and their schema does not name: by shape of line, not by record. */

export interface UndeclaredCount {
  /** Path of the field: `note`, `values.z`. */
  readonly field: string
  /** Records that had it. */
  readonly records: number
}

const NONE: readonly UndeclaredCount[] = []

export class UndeclaredCounts {
  /** By shape its undeclared fields, and rows since the last time. */
  readonly #names: (readonly string[])[] = []
  readonly #rows: number[] = []
  readonly #others = new Map<string, number>()
  /** Whether any shape has some. */
  #isNeeded = false

  /** The next shape, by the decoder's numbers. */
  addShape(names: readonly string[]): void {
    this.#names.push(names)
    this.#rows.push(0)
    if (names.length > 0) this.#isNeeded = true
  }

  /** So many rows of a shape. */
  addRows(shape: number, rows: number): void {
    this.#rows[shape]! += rows
  }

  /** One record that has no shape. */
  addRecord(names: readonly string[]): void {
    for (const name of names) this.#others.set(name, (this.#others.get(name) ?? 0) + 1)
  }

  /** What was counted since the last time. */
  take(): readonly UndeclaredCount[] {
    if (!this.#isNeeded && this.#others.size === 0) return NONE
    const counts = new Map(this.#others)
    this.#others.clear()
    this.#names.forEach((names, shape) => {
      const rows = this.#rows[shape]!
      this.#rows[shape] = 0
      if (rows > 0) for (const name of names) counts.set(name, (counts.get(name) ?? 0) + rows)
    })
    return [...counts].map(([field, records]) => ({ field, records }))
  }
}
