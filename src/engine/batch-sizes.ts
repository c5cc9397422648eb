/**
 * What batches take in memory, roughly. Batches share dictionaries, which grow: a text counts with the first batch that is
 * measured when the dictionary holds it.
 */
import { exactJson } from '../plan/json-text.ts'
import type { Batch, ColumnData, Dictionary } from './batch.ts'

const CELL_BYTES: Readonly<Record<ColumnData['type'], number>> = {
  number: 9,
  int64: 9,
  decimal: 9,
  timestamp: 9,
  boolean: 2,
  text: 4,
  json: 8,
}
/** Of a text, an object, or an array beside what it holds. */
const HEAD_BYTES = 16

export class BatchSizes {
  /** Texts of a dictionary that are counted. */
  readonly #counted = new WeakMap<Dictionary, number>()

  bytesOf({ length, data }: Batch): number {
    let bytes = 0
    for (const column of data) {
      if (column === null) continue
      bytes += length * CELL_BYTES[column.type]
      if (column.type === 'text') bytes += this.#newTexts(column.dictionary)
      else if (column.type === 'json')
        for (let row = 0; row < length; row++) bytes += jsonBytes(exactJson(column.values[row]))
    }
    return bytes
  }

  #newTexts(dictionary: Dictionary): number {
    const { values } = dictionary
    const counted = this.#counted.get(dictionary) ?? 0
    if (counted === values.length) return 0
    let bytes = 0
    for (let code = counted; code < values.length; code++) bytes += HEAD_BYTES + values[code]!.length
    this.#counted.set(dictionary, values.length)
    return bytes
  }
}

function jsonBytes(value: unknown): number {
  if (typeof value === 'string') return HEAD_BYTES + value.length
  if (typeof value !== 'object' || value === null) return 8
  let bytes = HEAD_BYTES
  if (Array.isArray(value)) for (const inner of value) bytes += 8 + jsonBytes(inner)
  else for (const [key, inner] of Object.entries(value)) bytes += key.length + 8 + jsonBytes(inner)
  return bytes
}
