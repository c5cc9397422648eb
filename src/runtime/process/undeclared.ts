/** Undeclared fields of a topic's records, by name; of very many names only the first ones are told apart. */
import type { UndeclaredCount } from '../../engine/decode/undeclared.ts'
import type { UndeclaredProgress } from '../options.ts'

const NAMES_MAX = 100
const NAME_LENGTH_MAX = 100

export class Undeclared {
  readonly #records = new Map<string, number>()
  #others = 0

  add(counts: readonly UndeclaredCount[]): void {
    for (const { field, records } of counts) {
      const name = field.length > NAME_LENGTH_MAX ? `${field.slice(0, NAME_LENGTH_MAX)}…` : field
      const known = this.#records.get(name)
      if (known !== undefined || this.#records.size < NAMES_MAX) this.#records.set(name, (known ?? 0) + records)
      else this.#others += records
    }
  }

  /** Most frequent first; the rest of the names together, without a name, at the end. */
  get progress(): readonly UndeclaredProgress[] {
    const named = [...this.#records].map(([field, records]) => ({ field, records }))
    named.sort((a, b) => b.records - a.records || (a.field < b.field ? -1 : 1))
    return this.#others === 0 ? named : [...named, { field: null, records: this.#others }]
  }
}
