/**
 * Rows that are late for the first windows of their pane: by group, each kind of them in a slot of its own beside the
 * group's panes. In order of pane and window, so that merging them never depends on which came first.
 */

/** Rows of a pane that count from the window that ends at `minimumEnd` on. */
export interface PartlyLate {
  readonly pane: number
  readonly minimumEnd: number
  readonly slot: number
}

const NO_ENTRIES: readonly PartlyLate[] = []

export class PartlyLateRows {
  readonly #byGroup = new Map<number, PartlyLate[]>()

  has(group: number): boolean {
    return this.#byGroup.has(group)
  }

  of(group: number): readonly PartlyLate[] {
    return this.#byGroup.get(group) ?? NO_ENTRIES
  }

  /** The entry whose rows are in this slot. */
  at(group: number, slot: number): PartlyLate {
    return this.of(group).find(entry => entry.slot === slot)!
  }

  find(group: number, pane: number, minimumEnd: number): PartlyLate | undefined {
    return this.of(group).find(entry => entry.pane === pane && entry.minimumEnd === minimumEnd)
  }

  /** Adds an entry that `find` did not know. */
  add(group: number, added: PartlyLate): void {
    const entries = this.#byGroup.get(group)
    if (!entries) {
      this.#byGroup.set(group, [added])
      return
    }
    const after = entries.findIndex(
      ({ pane, minimumEnd }) => pane > added.pane || (pane === added.pane && minimumEnd > added.minimumEnd),
    )
    entries.splice(after < 0 ? entries.length : after, 0, added)
  }

  /** Forgets the rows of the panes before `pane` and answers their slots. */
  dropBefore(group: number, pane: number): readonly number[] {
    const entries = this.of(group)
    if (entries.length === 0) return []
    const kept = entries.filter(entry => entry.pane >= pane)
    if (kept.length > 0) this.#byGroup.set(group, kept)
    else this.#byGroup.delete(group)
    return entries.filter(entry => entry.pane < pane).map(({ slot }) => slot)
  }
}
