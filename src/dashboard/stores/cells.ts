/**
 * Cells as the page gets them: times in milliseconds, long texts cut, what has no column type as JSON text. 64-bit integers
 * and decimals are texts of all their digits, NaN and the infinities texts of their names: no number is rounded on the way.
 */
import type { Batch, ColumnData } from '../../engine/batch.ts'
import { decimalNumber, decimalText } from '../../plan/exact.ts'
import type { Cell } from '../protocol.ts'

const CHARACTERS_MAX = 500

export type CellReader = (row: number) => Cell

const nothing: CellReader = () => null

/** A reader of one column; all cells of a column that is not there, or that nothing reads, are null. */
export function cellReader(batch: Batch, name: string | null): CellReader {
  const data = dataOf(batch, name)
  if (data === null) return nothing
  switch (data.type) {
    case 'number':
      return row => (isNull(data.validity, row) ? null : nameNonFinite(data.values[row]!))
    case 'int64':
      return row => (isNull(data.validity, row) ? null : String(data.values[row]!))
    case 'decimal':
      return row => (isNull(data.validity, row) ? null : decimalText(data.values[row]!, data.scale))
    case 'timestamp':
      return row => (isNull(data.validity, row) ? null : data.values[row]! / 1000)
    case 'boolean':
      return row => (isNull(data.validity, row) ? null : data.values[row] === 1)
    case 'text':
      return row => {
        const code = data.codes[row]!
        return code < 0 ? null : cut(data.dictionary.values[code]!)
      }
    case 'json':
      return row => {
        const value = data.values[row] ?? null
        return value === null ? null : cut(JSON.stringify(value) ?? 'null')
      }
  }
}

/** The cells of a column as numbers that can be drawn: the nearest double, null where there is no number. */
export function numberReader(batch: Batch, name: string | null): (row: number) => number | null {
  const data = dataOf(batch, name)
  if (data === null || data.type === 'text' || data.type === 'json' || data.type === 'boolean') return () => null
  return row => {
    if (isNull(data.validity, row)) return null
    const value = data.type === 'decimal' ? decimalNumber(data.values[row]!, data.scale) : Number(data.values[row])
    return value - value === 0 ? value : null
  }
}

/** The times of a column in microseconds; null where there is none. */
export function timeReader(batch: Batch, name: string): (row: number) => number | null {
  const data = dataOf(batch, name)
  if (data?.type !== 'timestamp') return () => null
  return row => (isNull(data.validity, row) ? null : data.values[row]!)
}

/** One text for the cells of several columns: equal for equal cells, and only for them. */
export function keyReader(batch: Batch, names: readonly string[]): (row: number) => string {
  const readers = names.map(name => cellReader(batch, name))
  return row => JSON.stringify(readers.map(read => read(row)))
}

function dataOf(batch: Batch, name: string | null): ColumnData | null {
  if (name === null) return null
  return batch.data[batch.columns.findIndex(column => column.name === name)] ?? null
}

function isNull(validity: Uint8Array | null, row: number): boolean {
  return validity !== null && validity[row] === 0
}

function nameNonFinite(value: number): Cell {
  return value - value === 0 ? value : String(value)
}

function cut(text: string): string {
  return text.length <= CHARACTERS_MAX ? text : `${text.slice(0, CHARACTERS_MAX - 1)}…`
}
