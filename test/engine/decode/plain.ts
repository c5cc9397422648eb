/** The plain form of the decoder, line by line through JSON and zod, and the comparison with the real one. */
import { isUtf8 } from 'node:buffer'
import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import { type ColumnData, stateCellAt } from '../../../src/engine/batch.ts'
import { Decoder, type RefusedLine } from '../../../src/engine/decode/decoder.ts'
import { WrittenJson } from '../../../src/plan/json-text.ts'
import { slowDecoder } from '../../../src/plan/slow.ts'
import { readSchema } from '../../../src/plan/zod.ts'

export interface PlainRow {
  readonly start: number
  readonly cells: readonly unknown[]
}

export interface Decoded {
  readonly rows: readonly PlainRow[]
  readonly refused: readonly RefusedLine[]
  readonly lines: number
  /** By undeclared field the accepted records that had it. */
  readonly undeclared: ReadonlyMap<string, number>
}

/** What the input holds: each line through the slow path alone; lines of white space are passed over. */
export function decodePlainly(schema: z.ZodType, input: Uint8Array): Decoded {
  const slow = slowDecoder(schema)
  const rows: PlainRow[] = []
  const refused: RefusedLine[] = []
  const undeclared = new Map<string, number>()
  let lines = 0
  for (let start = 0; start < input.length; lines++) {
    const feed = input.indexOf(10, start)
    const end = feed < 0 ? input.length : feed
    const bytes = Buffer.from(input.buffer, input.byteOffset + start, end - start)
    const place = { start, length: bytes.length, line: lines }
    if (!bytes.every(byte => byte === 32 || byte === 9 || byte === 13)) {
      const result = isUtf8(bytes)
        ? slow(bytes.toString('utf8'))
        : ({ ok: false, code: 'TEXT_NOT_UNICODE', reason: 'The record is not valid UTF-8', path: '' } as const)
      if (result.ok) {
        rows.push({ start, cells: result.cells.map(comparable) })
        for (const field of result.undeclared) undeclared.set(field, (undeclared.get(field) ?? 0) + 1)
      } else refused.push({ ...place, code: result.code, reason: result.reason, path: result.path })
    }
    start = end + 1
  }
  return { rows, refused, lines, undeclared }
}

export interface DecoderUnderTest {
  readonly decoder: Decoder
  /** How many lines went the slow way so far. */
  readonly slowLines: () => number
}

export function decoderOf(schema: z.ZodType, wanted: ReadonlySet<string> | null, inputBytes: number): DecoderUnderTest {
  const { columns, wire } = readSchema(schema)
  const slow = slowDecoder(schema)
  let slowLines = 0
  const counting = (text: string) => {
    slowLines++
    return slow(text)
  }
  const names = wanted ?? new Set(columns.map(column => column.name))
  return { decoder: new Decoder({ columns, wire, slow: counting }, names, inputBytes), slowLines: () => slowLines }
}

/**
 * Runs the decoder over the input, cut at the given offsets (each behind a line feed); offsets are those of the whole.
 * `shift`: where in the decoder's own input each load begins.
 */
export function decodeInLoads(decoder: Decoder, input: Uint8Array, cuts: readonly number[], shift = 0): Decoded {
  const rows: PlainRow[] = []
  const refused: RefusedLine[] = []
  const undeclared = new Map<string, number>()
  let lines = 0
  let from = 0
  for (const to of [...cuts, input.length]) {
    decoder.input.set(input.subarray(from, to), shift)
    decoder.begin(shift + to - from, shift)
    let linesOfLoad = 0
    for (let batch = decoder.next(); batch !== null; batch = decoder.next()) {
      for (let row = 0; row < batch.length; row++) {
        const cells = batch.data.map(data => (data === null ? undefined : cellOf(data, row)))
        rows.push({ start: from - shift + batch.rowStarts[row]!, cells })
      }
      for (const line of batch.refused) {
        refused.push({ ...line, start: from - shift + line.start, line: lines + line.line })
        const bytes = input.subarray(from - shift + line.start, from - shift + line.start + line.length)
        if (!decoder.lineAt(line.start).equals(bytes)) throw new Error(`lineAt(${line.start}) gives other bytes`)
      }
      for (const { field, records } of batch.undeclared) undeclared.set(field, (undeclared.get(field) ?? 0) + records)
      linesOfLoad = batch.linesEnd
      if (decoder.isDone !== (batch.inputEnd === shift + to - from)) throw new Error('inputEnd and isDone disagree')
    }
    lines += linesOfLoad
    from = to
  }
  return { rows, refused, lines, undeclared }
}

/** As the slow path gives it: exactly. */
const cellOf = (data: ColumnData, row: number) =>
  comparable(data.type === 'json' ? (data.values[row] ?? null) : stateCellAt(data, row))

/** JSON with digits of its own is compared as it is written. */
const comparable = (cell: unknown) => (cell instanceof WrittenJson ? { written: JSON.stringify(cell) } : cell)

/** The first difference in words, null when they are the same. Columns that were not wanted are `undefined` in `actual`. */
export function difference(actual: Decoded, expected: Decoded): string | null {
  for (let index = 0; index < Math.max(actual.rows.length, expected.rows.length); index++) {
    const one = actual.rows[index]
    const other = expected.rows[index]
    if (one?.start !== other?.start) return `row ${index} begins at ${one?.start}, expected ${other?.start}`
    for (const [column, cell] of one!.cells.entries()) {
      const wanted = other!.cells[column]
      if (cell !== undefined && !isDeepStrictEqual(cell, wanted)) {
        return `row ${index}, column ${column}: ${show(cell)}, expected ${show(wanted)}`
      }
    }
  }
  if (!isDeepStrictEqual(actual.refused, expected.refused)) {
    return `refused ${JSON.stringify(actual.refused)}, expected ${JSON.stringify(expected.refused)}`
  }
  if (!isDeepStrictEqual(actual.undeclared, expected.undeclared)) {
    return `undeclared ${JSON.stringify([...actual.undeclared])}, expected ${JSON.stringify([...expected.undeclared])}`
  }
  return actual.lines === expected.lines ? null : `${actual.lines} lines, expected ${expected.lines}`
}

const show = (value: unknown) =>
  Object.is(value, -0) ? '-0' : typeof value === 'bigint' ? `${value}n` : JSON.stringify(value)
