/** The given rows of a batch as a batch of their own, each with its origin. */
import { type Batch, type ColumnData, integersLike } from '../batch.ts'

export function pick(batch: Batch, rows: Int32Array): Batch {
  const origin = batch.origin === null ? rows.slice() : rows.map(row => batch.origin![row]!)
  return {
    length: rows.length,
    columns: batch.columns,
    data: batch.data.map(data => data && pickColumn(data, rows)),
    origin,
  }
}

export function pickColumn(data: ColumnData, rows: Int32Array): ColumnData {
  switch (data.type) {
    case 'text': {
      const codes = new Int32Array(rows.length)
      for (let row = 0; row < rows.length; row++) codes[row] = data.codes[rows[row]!]!
      return { type: 'text', codes, dictionary: data.dictionary }
    }
    case 'json':
      return { type: 'json', values: Array.from(rows, row => data.values[row]) }
    case 'boolean':
      return {
        type: 'boolean',
        values: pickBytes(data.values, rows),
        validity: data.validity && pickBytes(data.validity, rows),
      }
    case 'int64':
    case 'decimal': {
      const values = new BigInt64Array(rows.length)
      for (let row = 0; row < rows.length; row++) values[row] = data.values[rows[row]!]!
      return integersLike(data, values, data.validity && pickBytes(data.validity, rows))
    }
    case 'number':
    case 'timestamp': {
      const values = new Float64Array(rows.length)
      for (let row = 0; row < rows.length; row++) values[row] = data.values[rows[row]!]!
      return { type: data.type, values, validity: data.validity && pickBytes(data.validity, rows) }
    }
  }
}

function pickBytes(values: Uint8Array, rows: Int32Array): Uint8Array {
  const picked = new Uint8Array(rows.length)
  for (let row = 0; row < rows.length; row++) picked[row] = values[rows[row]!]!
  return picked
}
