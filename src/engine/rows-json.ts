/**
 * Writes the rows of batches as NDJSON (or CSV) bytes: shared by the file sink and the stored topics.
 *
 * One loop over rows and columns that writes bytes into one buffer; no object and no text a row. A text is escaped once
 * for each entry of its dictionary. Dots in a column's name nest in NDJSON: `values.x` becomes {"values":{"x":...}}.
 * Null, NaN and the infinities are written as null (an empty cell in CSV).
 */
import type { Column } from '../plan/schema.ts'
import type { Batch, ColumnData } from './batch.ts'
import { copyBytes, writeIso, writeNumber } from './digits.ts'
import { EscapedTexts, escapeCsv } from './escaped-texts.ts'

/** `iso`: "2023-10-28T13:52:25.514Z", with six digits where the time has microseconds. `ms`, `us`: a number. */
export type TimestampForm = 'iso' | 'ms' | 'us'

export interface RowWriterOptions {
  /** Default `ndjson`. */
  readonly format?: 'ndjson' | 'csv'
  /** Default `iso`. */
  readonly timestamps?: TimestampForm
  /** false: a dotted column name stays one name. Default true. */
  readonly nested?: boolean
}

export interface RowWriter {
  /** The bytes of all rows of the batch, each row ended by a line feed; valid until the next call. */
  write(batch: Batch): Uint8Array
  /** CSV: the line of column names. NDJSON: empty. */
  readonly header: Uint8Array
}

/** Bytes that any number, boolean or timestamp fits in. */
const SCALAR_BYTES_MAX = 40
const EMPTY_BYTES = new Uint8Array(0)
const NULL_BYTES = Buffer.from('null')
const TRUE_BYTES = Buffer.from('true')
const FALSE_BYTES = Buffer.from('false')

/** A writer for batches that have these columns, in this order. */
export function rowWriter(columns: readonly Column[], options: RowWriterOptions = {}): RowWriter {
  const csv = options.format === 'csv'
  const timestamps = options.timestamps ?? 'iso'
  const layout = csv
    ? csvLayout(columns)
    : jsonLayout(
        columns.map(column => column.name),
        options.nested ?? true,
      )
  const nullBytes = csv ? EMPTY_BYTES : NULL_BYTES
  const entries = columns.map(() => new EscapedTexts(csv))
  const order = layout.cells.map(cell => cell.column)
  const prefixes = layout.cells.map(cell => cell.prefix)
  const suffix = layout.suffix
  const fixedBytes =
    prefixes.reduce((sum, prefix) => sum + prefix.length, 0) + suffix.length + order.length * SCALAR_BYTES_MAX
  let buffer = Buffer.allocUnsafe(64 * 1024)
  /** By cell: the last time of this batch, and where in the buffer it stands. */
  const lastTimes = new Float64Array(order.length)
  const lastStarts = new Int32Array(order.length)
  const lastEnds = new Int32Array(order.length)

  function grow(position: number, need: number): void {
    const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, position + need + 4096))
    buffer.copy(larger, 0, 0, position)
    buffer = larger
  }

  function write(batch: Batch): Uint8Array {
    const cells: (ColumnData | null)[] = order.map(column => batch.data[column] ?? null)
    const texts: (EscapedTexts | null)[] = order.map(column => {
      const data = batch.data[column]
      return data?.type === 'text' ? entries[column]!.of(data.dictionary) : null
    })
    const count = order.length
    lastTimes.fill(Number.NaN)
    let position = 0
    for (let row = 0; row < batch.length; row++) {
      if (position + fixedBytes > buffer.length) grow(position, fixedBytes)
      for (let index = 0; index < count; index++) {
        position = copyBytes(prefixes[index]!, buffer, position)
        const data = cells[index]!
        if (data === null) {
          position = copyBytes(nullBytes, buffer, position)
          continue
        }
        switch (data.type) {
          case 'number': {
            const value = data.values[row]!
            position =
              (data.validity !== null && data.validity[row] === 0) || value - value !== 0
                ? copyBytes(nullBytes, buffer, position)
                : writeNumber(value, buffer, position)
            break
          }
          case 'timestamp': {
            const value = data.values[row]!
            if ((data.validity !== null && data.validity[row] === 0) || value - value !== 0) {
              position = copyBytes(nullBytes, buffer, position)
              break
            }
            const start = position
            // Rows of one window follow each other: the same time is copied from where it was written last.
            if (value === lastTimes[index]) {
              for (let at = lastStarts[index]!; at < lastEnds[index]!; at++) buffer[position++] = buffer[at]!
              break
            }
            if (timestamps === 'iso') position = writeIso(value, !csv, buffer, position)
            else position = writeNumber(timestamps === 'us' ? value : value / 1000, buffer, position)
            lastTimes[index] = value
            lastStarts[index] = start
            lastEnds[index] = position
            break
          }
          case 'boolean':
            position = copyBytes(
              data.validity !== null && data.validity[row] === 0
                ? nullBytes
                : data.values[row] === 1
                  ? TRUE_BYTES
                  : FALSE_BYTES,
              buffer,
              position,
            )
            break
          case 'text': {
            const code = data.codes[row]!
            if (code < 0) {
              position = copyBytes(nullBytes, buffer, position)
              break
            }
            const escaped = texts[index]!
            const bytes = escaped.prepare(code)
            if (position + bytes + fixedBytes > buffer.length) grow(position, bytes + fixedBytes)
            position = escaped.copy(code, buffer, position)
            break
          }
          case 'json': {
            const value = data.values[row]
            const json = value === null || value === undefined ? undefined : JSON.stringify(value)
            if (json === undefined) {
              position = copyBytes(nullBytes, buffer, position)
              break
            }
            const text = csv ? escapeCsv(json) : json
            if (position + text.length * 3 + fixedBytes > buffer.length) grow(position, text.length * 3 + fixedBytes)
            position += buffer.write(text, position, 'utf8')
            break
          }
        }
      }
      position = copyBytes(suffix, buffer, position)
    }
    return buffer.subarray(0, position)
  }

  return { write, header: layout.header }
}

export interface Layout {
  /** In the order of writing: what stands before the cell, and which column it is. */
  readonly cells: readonly { readonly prefix: Uint8Array; readonly column: number }[]
  readonly suffix: Uint8Array
  readonly header: Uint8Array
}

function csvLayout(columns: readonly Column[]): Layout {
  return {
    cells: columns.map((_, column) => ({ prefix: Buffer.from(column === 0 ? '' : ','), column })),
    suffix: Buffer.from('\n'),
    header: Buffer.from(`${columns.map(column => escapeCsv(column.name)).join(',')}\n`),
  }
}

type Node = Map<string, Node | number>

/** What stands before and after the cells of a JSON object whose fields have these dotted names. */
export function jsonLayout(names: readonly string[], nested = true): Layout {
  const root: Node = new Map()
  names.forEach((name, index) => {
    const path = nested ? name.split('.') : [name]
    const last = path.pop()!
    let node: Node | null = root
    for (const part of path) {
      if (node === null) break
      const next: Node | number | undefined = node.get(part)
      if (next === undefined) {
        const made: Node = new Map()
        node.set(part, made)
        node = made
      } else node = typeof next === 'number' ? null : next
    }
    // A column `a` beside `a.b` cannot both be a value and an object: the longer name then stays as it is written.
    if (node === null || node.has(last)) root.set(name, index)
    else node.set(last, index)
  })
  const cells: { prefix: Uint8Array; column: number }[] = []
  let pending = ''
  const visit = (node: Node): void => {
    pending += '{'
    let first = true
    for (const [name, child] of node) {
      pending += `${first ? '' : ','}${JSON.stringify(name)}:`
      first = false
      if (typeof child === 'number') {
        cells.push({ prefix: Buffer.from(pending), column: child })
        pending = ''
      } else visit(child)
    }
    pending += '}'
  }
  visit(root)
  return { cells, suffix: Buffer.from(`${pending}\n`), header: EMPTY_BYTES }
}
