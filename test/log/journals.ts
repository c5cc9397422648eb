/** What the tests of the journal share: tables with state to keep, and a life of epochs with what it was promised. */
import type { StateReader, StateWriter } from '../../src/engine/state/bytes.ts'
import { ChangedSlots, type Stateful, type StateTable } from '../../src/engine/state/table.ts'
import { Journal } from '../../src/log/journal.ts'
import { MillraceError } from '../../src/system/errors.ts'
import type { Random } from '../../src/system/random.ts'
import type { Storage } from '../../src/system/storage.ts'
import { HandClock } from './logs.ts'

/** Slots with a text each; null: free. A bare one has no bytes: its slots are in use or not. */
class TextSlots implements StateTable {
  readonly name: string
  readonly isBare: boolean
  readonly texts: (string | null)[] = []
  readonly #changed = new ChangedSlots()

  constructor(name: string) {
    this.name = name
    this.isBare = name === 'bare'
  }

  get slots(): number {
    return this.texts.length
  }

  set(slot: number, text: string | null): void {
    while (this.texts.length <= slot) this.texts.push(null)
    this.texts[slot] = this.isBare && text !== null ? '' : text
    this.#changed.mark(slot)
  }

  takeChanged(): Int32Array {
    return this.#changed.take()
  }

  touch(slots: Int32Array): void {
    this.#changed.markRows(slots, 0, slots.length)
  }

  write(slot: number, to: StateWriter): boolean {
    const text = this.texts[slot]!
    if (text !== null && !this.isBare) to.text(text)
    return text !== null
  }

  read(slot: number, from: StateReader): void {
    while (this.texts.length <= slot) this.texts.push(null)
    if (this.texts[slot] !== null) throw new Error(`slot ${slot} is read twice`)
    this.texts[slot] = this.isBare ? '' : from.text()
  }
}

export class Operator implements Stateful {
  readonly identity: string
  readonly tables: readonly TextSlots[]
  isRestored = false

  constructor(identity: string, names: readonly string[]) {
    this.identity = identity
    this.tables = names.map(name => new TextSlots(name))
  }

  restored(): void {
    if (this.isRestored) throw new Error('restored twice')
    this.isRestored = true
  }
}

export const operators = (): Operator[] => [new Operator('a/window', ['keys', 'bare']), new Operator('a/ä', ['keys'])]

/** All that is in the tables, as one text. */
export function stateOf(all: readonly Operator[]): string {
  const used = (texts: readonly (string | null)[]) =>
    texts.flatMap((text, slot) => (text === null ? [] : [`${slot}: ${text}`]))
  return JSON.stringify(all.map(({ identity, tables }) => [identity, tables.map(({ texts }) => used(texts))]))
}

export const SMALL = { segmentBytes: 700, rangeSlots: 4 }

/** A journal in use, what it was given, and what it promised. */
export class Life {
  readonly #clock = new HandClock()
  readonly #storage: () => Storage
  journal!: Journal
  all: Operator[] = []
  /** State by epoch, as it was staged; epochs that a restart took back are given again. */
  readonly staged = new Map<number, string>([[0, stateOf(operators())]])
  acknowledged = 0

  constructor(storage: () => Storage) {
    this.#storage = storage
  }

  /** Opens it, and says what is wrong with what is found. */
  open(options: { rangeSlots?: number } = {}): string[] {
    this.all = operators()
    const found: string[] = []
    this.journal = new Journal({
      storage: this.#storage(),
      clock: this.#clock,
      dataDirectory: '/data',
      ...SMALL,
      ...options,
    })
    const { last } = this.journal
    const epoch = last?.epoch ?? 0
    if (epoch < this.acknowledged) found.push(`epoch ${this.acknowledged} was acknowledged, ${epoch} is found`)
    if (last !== null && JSON.stringify(last.header) !== JSON.stringify({ epoch, ü: 1 })) {
      found.push(`epoch ${epoch} has the header ${JSON.stringify(last.header)}`)
    }
    this.journal.restore(this.all)
    if (this.all.some(each => !each.isRestored)) found.push('an operator is not told that it is restored')
    const state = stateOf(this.all)
    if (state !== this.staged.get(epoch)) found.push(`epoch ${epoch} is ${state}, not ${this.staged.get(epoch)}`)
    // What is found is safe from now on.
    this.acknowledged = epoch
    this.#nextEpoch = epoch + 1
    return found
  }

  #nextEpoch = 1

  change(random: Random, count: number, slots = 30): void {
    for (; count > 0; count--) {
      const { tables } = this.all[random.integer(this.all.length)]!
      const table = tables[random.integer(tables.length)]!
      const isFreed = random.integer(4) === 0
      table.set(random.integer(slots), isFreed ? null : `${random.integer(1000)}${'x'.repeat(random.integer(20))}`)
    }
  }

  stage(): void {
    const epoch = this.#nextEpoch++
    this.journal.stage({ epoch, ü: 1 }, this.all)
    this.staged.set(epoch, stateOf(this.all))
  }

  async write(): Promise<void> {
    const upTo = this.#nextEpoch - 1
    await this.journal.write()
    this.acknowledged = Math.max(this.acknowledged, upTo)
    if (this.journal.epoch < this.acknowledged) throw new Error('the epoch that was written is not the last')
  }

  /** As `write`, when the disk may refuse. */
  async tryToWrite(): Promise<boolean> {
    try {
      await this.write()
      return true
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      return false
    }
  }
}
