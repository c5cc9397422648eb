/**
 * What each column is at one point of a chain, and how the loop reads it: an input column as it came, a code of a
 * dictionary, or a value that a step has derived. What is read of the input becomes a parameter of the loop.
 */
import type { Column, ColumnType } from '../../plan/schema.ts'
import type { MappedDictionary } from './tables.ts'

/** Where the dictionary of a coded text comes from. */
export type DictionarySource =
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'constant'; readonly values: readonly string[] }
  | { readonly kind: 'mapped'; readonly from: DictionarySource; readonly map: MappedDictionary }

/** A text that stands as a code of a dictionary. */
export interface CodedText {
  readonly code: () => string
  readonly dictionary: DictionarySource
}

/** What a column is at one point of the chain. */
export interface Slot {
  readonly type: ColumnType
  readonly nullable: boolean
  /** The input column that it still is, unchanged. */
  readonly input: number | null
  /** Source of its value; null where it may be null. */
  readonly value: () => string
  readonly coded: CodedText | null
}

export type Slots = ReadonlyMap<string, Slot>

/** An array of an input column that the loop reads, under a name. */
export interface InputArray {
  readonly name: string
  readonly array: 'values' | 'validity' | 'codes' | 'texts'
  readonly index: number
}

/** The texts of a dictionary that the loop reads, under a name. */
export interface DictionaryTexts {
  readonly name: string
  readonly source: DictionarySource
}

/** Makes slots over the input, and gathers what the loop reads of it. */
export class InputReads {
  readonly #input: readonly Column[]
  readonly #arrays = new Map<string, InputArray>()
  readonly dictionaries: DictionaryTexts[] = []

  constructor(input: readonly Column[]) {
    this.#input = input
  }

  get arrays(): readonly InputArray[] {
    return [...this.#arrays.values()]
  }

  /** The input columns as they come. */
  slots(): Slots {
    return new Map(this.#input.map((column, index) => [column.name, this.#inputSlot(column, index)]))
  }

  coded(code: () => string, dictionary: DictionarySource, nullable: boolean, input: number | null): Slot {
    const text = () => `${this.#texts(dictionary)}[${code()}]`
    const value = nullable ? () => `(${code()} < 0 ? null : ${text()})` : text
    return { type: 'text', nullable, input, value, coded: { code, dictionary } }
  }

  /** The slot after it has been found not to be null. */
  present(slot: Slot): Slot {
    if (slot.coded) return this.coded(slot.coded.code, slot.coded.dictionary, false, slot.input)
    if (slot.input === null) return { ...slot, nullable: false }
    return this.#inputSlot({ ...this.#input[slot.input]!, nullable: false }, slot.input)
  }

  isNull(slot: Slot): string {
    if (slot.coded) return `(${slot.coded.code()} < 0)`
    if (slot.input !== null && slot.type !== 'json') return `(${this.validity(slot.input)} === 0)`
    return `(${slot.value()} === null)`
  }

  /** The cell of an input number, time, integer, decimal or boolean as it is stored, whatever stands where it is null. */
  cell(type: ColumnType, index: number): string {
    return this.#array(type === 'boolean' ? 'b' : 'n', 'values', index)
  }

  /** The cell of a json column as it is stored. */
  json(index: number): string {
    return `(${this.#array('j', 'values', index)} ?? null)`
  }

  validity(index: number): string {
    return this.#array('v', 'validity', index)
  }

  #inputSlot(column: Column, index: number): Slot {
    const { type, nullable } = column
    if (type === 'text') {
      return this.coded(() => this.#array('t', 'codes', index), { kind: 'input', index }, nullable, index)
    }
    const cell =
      type === 'json'
        ? () => `plainJson(${this.json(index)})`
        : type === 'boolean'
          ? () => `(${this.cell(type, index)} === 1)`
          : type === 'decimal'
            ? () => `decimalNumber(${this.cell(type, index)}, ${column.decimal!.scale})`
            : () => this.cell(type, index)
    const value = nullable && type !== 'json' ? () => `(${this.validity(index)} === 0 ? null : ${cell()})` : cell
    return { type, nullable, input: index, value, coded: null }
  }

  #array(prefix: string, array: InputArray['array'], index: number): string {
    const name = `${prefix}${index}`
    this.#arrays.set(name, { name, array, index })
    return `${name}[i]`
  }

  #texts(source: DictionarySource): string {
    const known = this.dictionaries.find(each => sameDictionary(each.source, source))
    if (known) return known.name
    const name = `d${this.dictionaries.length}`
    this.dictionaries.push({ name, source })
    return name
  }
}

export function sameDictionary(a: DictionarySource, b: DictionarySource): boolean {
  if (a.kind === 'input') return b.kind === 'input' && a.index === b.index
  if (a.kind === 'constant') return b.kind === 'constant' && a.values === b.values
  return b.kind === 'mapped' && a.map === b.map
}
