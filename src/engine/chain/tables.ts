/**
 * What depends on one text column alone is computed once for each entry of the column's dictionary, not once a row. The
 * results are kept by dictionary and extended when it has grown: an entry never changes.
 */
import type { Dictionary } from '../batch.ts'

/** The function of one text, which may be null. */
export type TextFunction = (text: string | null) => unknown

/** Results by code + 1; at 0 stands the result for null. */
export type TableArray = Uint8Array | Float64Array | Int32Array | unknown[]

export type TableKind = 'flags' | 'numbers' | 'values'

export class ResultTable {
  private readonly kind: TableKind
  private readonly compute: TextFunction
  private readonly known = new WeakMap<Dictionary, { array: TableArray; length: number }>()

  constructor(kind: TableKind, compute: TextFunction) {
    this.kind = kind
    this.compute = compute
  }

  of(dictionary: Dictionary): TableArray {
    const wanted = dictionary.values.length + 1
    let entry = this.known.get(dictionary)
    if (entry === undefined) {
      entry = { array: emptyArray(this.kind, wanted), length: 0 }
      this.known.set(dictionary, entry)
    }
    if (entry.length < wanted) {
      if (entry.array.length < wanted) entry.array = grown(entry.array, this.kind, wanted)
      for (let index = entry.length; index < wanted; index++) {
        const result = resultOf(this.compute, index === 0 ? null : dictionary.values[index - 1]!)
        entry.array[index] = this.kind === 'values' ? result : Number(result)
      }
      entry.length = wanted
    }
    return entry.array
  }
}

/** A text column made of another one's texts: its own dictionary, and the new code for each old one (+ 1). */
export class MappedDictionary {
  private readonly compute: TextFunction
  private readonly known = new WeakMap<
    Dictionary,
    { codes: Int32Array; length: number; values: string[]; dictionary: Dictionary; index: Map<string, number> }
  >()

  constructor(compute: TextFunction) {
    this.compute = compute
  }

  of(dictionary: Dictionary): { readonly codes: Int32Array; readonly dictionary: Dictionary } {
    const wanted = dictionary.values.length + 1
    let entry = this.known.get(dictionary)
    if (entry === undefined) {
      const values: string[] = []
      entry = { codes: new Int32Array(wanted), length: 0, values, dictionary: { values }, index: new Map() }
      this.known.set(dictionary, entry)
    }
    if (entry.length < wanted) {
      if (entry.codes.length < wanted) entry.codes = grown(entry.codes, 'values', wanted) as Int32Array
      for (let index = entry.length; index < wanted; index++) {
        const result = resultOf(this.compute, index === 0 ? null : dictionary.values[index - 1]!)
        entry.codes[index] = typeof result === 'string' ? codeOf(result.toWellFormed(), entry.index, entry.values) : -1
      }
      entry.length = wanted
    }
    return entry
  }
}

/** Makes the dictionary of a column of computed texts, batch by batch. */
export class DictionaryBuilder {
  private values: string[] = []
  private index = new Map<string, number>()

  readonly code = (text: string | null): number => (text === null ? -1 : codeOf(text, this.index, this.values))

  /** The dictionary so far; what follows goes into a new one. */
  take(): Dictionary {
    const { values } = this
    this.values = []
    this.index = new Map()
    return { values }
  }
}

function codeOf(text: string, index: Map<string, number>, values: string[]): number {
  let code = index.get(text)
  if (code === undefined) {
    code = values.push(text) - 1
    index.set(text, code)
  }
  return code
}

/** An entry that no row can reach, such as null where a guard in another column keeps it away, may make it throw. */
function resultOf(compute: TextFunction, text: string | null): unknown {
  try {
    return compute(text)
  } catch {
    return null
  }
}

function emptyArray(kind: TableKind, length: number): TableArray {
  return kind === 'flags' ? new Uint8Array(length) : kind === 'numbers' ? new Float64Array(length) : []
}

function grown(array: TableArray, kind: TableKind, wanted: number): TableArray {
  const length = Math.max(wanted, array.length * 2)
  if (array instanceof Int32Array) {
    const larger = new Int32Array(length)
    larger.set(array)
    return larger
  }
  if (Array.isArray(array)) return array
  const larger = emptyArray(kind, length) as Uint8Array | Float64Array
  larger.set(array as Uint8Array)
  return larger
}
