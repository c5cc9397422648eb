/**
 * Rows -> slots by the cells of their key columns.
 *
 * The key itself is bytes in a KeyTable. In front of it stand codes: within one dictionary equal codes are equal texts, so
 * the bytes of a key are looked at once, not once a row.
 */
import type { Cell, Column } from '../../plan/schema.ts'
import { type ColumnData, type Dictionary, stateCellAt } from '../batch.ts'
import { type StateReader, type StateWriter, stateCell } from './bytes.ts'
import { NumberCodes, PairCodes, SlotByCode } from './codes.ts'
import { KeyTable } from './key-table.ts'
import { ChangedSlots, type StateTable, stateTable } from './table.ts'

/** More codes than this and they are made anew: a stream of ever new keys must not fill the memory. */
const CODES_MAX = 1 << 21
/** Batches of several threads come with a dictionary of each; a dictionary that has not come for long is forgotten. */
const CODINGS_MAX = 16

/** What is known of the keys while the texts are those of certain dictionaries. */
class Coding {
  readonly dictionaries: readonly (Dictionary | null)[]
  readonly slots = new SlotByCode()
  readonly codeOfSlot: number[] = []
  readonly #numbers: readonly (NumberCodes | null)[]
  readonly #integers: readonly (PairCodes | null)[]
  readonly #pairs: readonly PairCodes[]

  constructor(columns: readonly Column[], dictionaries: readonly (Dictionary | null)[]) {
    this.dictionaries = dictionaries
    this.#numbers = columns.map(({ type }) => (type === 'number' || type === 'timestamp' ? new NumberCodes() : null))
    this.#integers = columns.map(({ type }) => (type === 'int64' || type === 'decimal' ? new PairCodes() : null))
    this.#pairs = columns.map(() => new PairCodes())
  }

  get isFull(): boolean {
    return (
      this.#pairs.some(pairs => pairs.size > CODES_MAX) ||
      [...this.#numbers, ...this.#integers].some(codes => (codes?.size ?? 0) > CODES_MAX)
    )
  }

  /** One code a row for all columns together. */
  encode(data: readonly ColumnData[], length: number, out: Int32Array): void {
    this.#codesOf(data[0]!, 0, length, out)
    for (let column = 1; column < data.length; column++) this.#pairsWith(data[column]!, column, length, out)
  }

  #codesOf(data: ColumnData, column: number, length: number, out: Int32Array): void {
    if (data.type === 'text') {
      for (let row = 0; row < length; row++) out[row] = data.codes[row]! + 1
    } else if (data.type === 'json') {
      throw new TypeError('a json column cannot be a key')
    } else if (data.type === 'int64' || data.type === 'decimal') {
      const { values, validity } = data
      const codes = this.#integers[column]!
      const halves = new Int32Array(values.buffer, values.byteOffset, length * 2)
      for (let row = 0; row < length; row++) {
        const isNull = validity !== null && validity[row] === 0
        out[row] = isNull ? 0 : codes.of(halves[row * 2]!, halves[row * 2 + 1]!)
      }
    } else {
      const { values, validity } = data
      const numbers = this.#numbers[column]
      for (let row = 0; row < length; row++) {
        if (validity !== null && validity[row] === 0) out[row] = 0
        else out[row] = numbers ? numbers.of(values[row]!) : values[row]! + 1
      }
    }
  }

  #pairsWith(data: ColumnData, column: number, length: number, out: Int32Array): void {
    const pairs = this.#pairs[column]!
    if (data.type === 'text') {
      const { codes } = data
      for (let row = 0; row < length; row++) out[row] = pairs.of(out[row]!, codes[row]! + 1)
      return
    }
    const codes = new Int32Array(length)
    this.#codesOf(data, column, length, codes)
    for (let row = 0; row < length; row++) out[row] = pairs.of(out[row]!, codes[row]!)
  }
}

export class KeyResolver {
  /** The slots whose key changed, freed ones among them. */
  readonly changed: ChangedSlots
  readonly #columns: readonly Column[]
  readonly #table = new KeyTable()
  readonly #cells: Cell[][]
  /** The one used last comes first. */
  #codings: Coding[] = []
  #scratch = Buffer.alloc(256)
  #slots = new Int32Array(1024)

  /** `keepsState`: whether somebody will ask which keys changed. */
  constructor(columns: readonly Column[], keepsState = false) {
    this.changed = new ChangedSlots(keepsState)
    this.#columns = columns
    this.#cells = columns.map(() => [])
  }

  /** Slots handed out so far: arrays by slot need this length. */
  get capacity(): number {
    return this.#table.capacity
  }

  get size(): number {
    return this.#table.size
  }

  /** The key's cell in the column with this index among the key columns. */
  cell(slot: number, column: number): Cell {
    return this.#cells[column]![slot]!
  }

  /** The slot of each row; the answer is lent until the next call. */
  resolve(data: readonly ColumnData[], length: number): Int32Array {
    if (this.#slots.length < length) this.#slots = new Int32Array(length * 2)
    const out = this.#slots
    if (this.#columns.length === 0) {
      if (length > 0) out.fill(this.#add(data, 0), 0, length)
      return out
    }
    const coding = this.#codingOf(data)
    coding.encode(data, length, out)
    let { slots } = coding.slots
    for (let row = 0; row < length; row++) {
      const code = out[row]!
      let slot = code < slots.length ? slots[code]! : -1
      if (slot < 0) {
        slot = this.#add(data, row)
        coding.slots.ensure(code)
        slots = coding.slots.slots
        slots[code] = slot
        coding.codeOfSlot[slot] = code
      }
      out[row] = slot
    }
    return out
  }

  /** Forgets the key of a slot. */
  release(slot: number): void {
    for (const coding of this.#codings) {
      const code = coding.codeOfSlot[slot]
      if (code !== undefined && coding.slots.slots[code] === slot) coding.slots.slots[code] = -1
    }
    this.#table.release(slot)
    this.changed.mark(slot)
  }

  /** The keys as state: their cells by slot. */
  table(name: string): StateTable {
    return stateTable(name, this.changed, {
      slots: () => this.capacity,
      write: (slot, to) => this.#write(slot, to),
      read: (slot, from) => this.#read(slot, from),
    })
  }

  restored(): void {
    this.#table.restored()
  }

  #write(slot: number, to: StateWriter): boolean {
    if (!this.#table.has(slot)) return false
    for (const cells of this.#cells) to.cell(cells[slot]!)
    return true
  }

  /** A cell is written as it stands in the key's bytes, but for -0 and NaN, of which the key knows one form only. */
  #read(slot: number, from: StateReader): void {
    const start = from.position
    let isPlain = true
    for (const [index, cells] of this.#cells.entries()) {
      const stored = from.cell()
      const cell = stateCell(stored, this.#columns[index]!)
      if (cell !== stored) isPlain = false
      while (cells.length <= slot) cells.push(null)
      cells[slot] = cell
      if (Object.is(cell, -0) || Number.isNaN(cell)) isPlain = false
    }
    if (isPlain) {
      this.#table.restore(slot, from.bytes, start, from.position)
      return
    }
    let end = 0
    for (const cells of this.#cells) end = this.#encode(cells[slot]!, end)
    this.#table.restore(slot, this.#scratch, 0, end)
  }

  #codingOf(data: readonly ColumnData[]): Coding {
    const dictionaries = data.map(cells => (cells.type === 'text' ? cells.dictionary : null))
    const known = this.#codings.findIndex(coding =>
      coding.dictionaries.every((dictionary, column) => dictionary === dictionaries[column]),
    )
    if (known === 0 && !this.#codings[0]!.isFull) return this.#codings[0]!
    let [coding] = known < 0 ? [] : this.#codings.splice(known, 1)
    if (coding === undefined || coding.isFull) coding = new Coding(this.#columns, dictionaries)
    this.#codings = [coding, ...this.#codings].slice(0, CODINGS_MAX)
    return coding
  }

  #add(data: readonly ColumnData[], row: number): number {
    let end = 0
    const cells = data.map(column => stateCellAt(column as Exclude<ColumnData, { type: 'json' }>, row))
    for (const cell of cells) end = this.#encode(cell, end)
    const { size } = this.#table
    const slot = this.#table.findOrAdd(this.#scratch, end)
    // Of a known key the first cells stay, -0 or 0: after a restart they must not depend on who asks first.
    if (this.#table.size === size) return slot
    cells.forEach((cell, column) => {
      this.#cells[column]![slot] = cell
    })
    this.changed.mark(slot)
    return slot
  }

  /** As StateWriter.cell does it: a tag, then the cell: 8 bytes of a number, or the length and UTF-16 units of a text (UTF-8 would make all lone surrogates one). */
  #encode(cell: Cell, at: number): number {
    const room = typeof cell === 'string' ? cell.length * 2 + 5 : 9
    if (at + room > this.#scratch.length) {
      const larger = Buffer.alloc((at + room) * 2)
      this.#scratch.copy(larger, 0, 0, at)
      this.#scratch = larger
    }
    const bytes = this.#scratch
    if (cell === null) {
      bytes[at] = 0
      return at + 1
    }
    if (typeof cell === 'string') {
      bytes[at] = 1
      const length = bytes.write(cell, at + 5, 'utf16le')
      bytes.writeUInt32LE(length, at + 1)
      return at + 5 + length
    }
    if (typeof cell === 'boolean') {
      bytes[at] = cell ? 3 : 2
      return at + 1
    }
    if (typeof cell === 'bigint') {
      bytes[at] = 5
      bytes.writeBigInt64LE(cell, at + 1)
      return at + 9
    }
    bytes[at] = 4
    bytes.writeDoubleLE(Number.isNaN(cell) ? Number.NaN : cell + 0, at + 1)
    return at + 9
  }
}
