/**
 * The slow path of the decoder, and its meaning: one record through JSON and zod.
 *
 * Times, 64-bit integers, decimals and what stands in json columns keep the digits that the message wrote (a double of
 * nanoseconds is off by a microsecond one time in eight), all else is what JSON.parse and zod say: of two equal keys the
 * last counts.
 */
import type { z } from 'zod'
import { decimalOfDigits, fitsInt64 } from './exact.ts'
import { jsonCell } from './json-text.ts'
import { restOf, restPlaces } from './rest.ts'
import type { Column } from './schema.ts'
import { type Misfit, type ParsedRecord, recordParser, withDigits } from './slow-numbers.ts'
import { undeclaredFinder } from './undeclared.ts'
import { pathNotUnicode } from './unicode.ts'
import { MAXIMUM_DEPTH } from './wire.ts'
import { readSchema } from './zod.ts'
import { exactPaths } from './zod-exact.ts'

/** Why a record is refused: it is not what its schema says, or a text in it is not Unicode. */
export type RefusalCode = 'RECORD_INVALID' | 'TEXT_NOT_UNICODE'

export type SlowResult =
  | {
      readonly ok: true
      /**
       * By column index; null for null and for missing. A decimal is a bigint of its last digit; a json cell is a
       * WrittenJson where its numbers would be written otherwise.
       */
      readonly cells: unknown[]
      /** Paths of the fields that the schema does not name. */
      readonly undeclared: readonly string[]
    }
  | {
      readonly ok: false
      readonly code: RefusalCode
      /** zod's words, or the JSON parser's. */
      readonly reason: string
      /** The path of the field, `values.x`; empty for the record as a whole. */
      readonly path: string
    }

/** Makes the slow decoder of a topic's messages. It never throws for what a record holds. */
export function slowDecoder(schema: z.ZodType): (text: string) => SlowResult {
  const rests = restPlaces(schema)
  const fields = readSchema(schema).columns.map((column): Field => {
    const { path = column.name, declared = null } = rests.get(column.name) ?? {}
    return { column, path: path === '' ? [] : path.split('.'), declared }
  })
  const undeclaredIn = undeclaredFinder(schema)
  const parse = recordParser(
    exactPaths(schema),
    fields.some(({ column }) => column.type === 'json'),
  )
  return text => {
    if (tooDeep(text)) return invalid(`It is nested deeper than ${MAXIMUM_DEPTH} levels`)
    let parsed: ParsedRecord
    try {
      parsed = parse(text)
    } catch (error) {
      return invalid(error instanceof SyntaxError ? error.message : `Not readable: ${error}`)
    }
    const place = pathNotUnicode(text, parsed.record)
    if (place !== null) return notUnicode(place)
    try {
      const result = schema.safeParse(parsed.record)
      if (!result.success) return refusal(result.error)
      if (parsed.misfit !== null) return misfitting(parsed.misfit)
      return cellsOf(result.data, fields, parsed, undeclaredIn(parsed.record))
    } catch (error) {
      return invalid(`The schema threw: ${error}`)
    }
  }
}

const invalid = (reason: string, path = ''): SlowResult => ({ ok: false, code: 'RECORD_INVALID', reason, path })

const notUnicode = (path: string): SlowResult => ({
  ok: false,
  code: 'TEXT_NOT_UNICODE',
  reason: 'Invalid input: the text is not Unicode (half of a surrogate pair stands alone)',
  path,
})

function misfitting({ path, digits, type }: Misfit): SlowResult {
  const number = digits.length > 60 ? `${digits.slice(0, 57)}...` : digits
  const room = type === 'int64' ? 'into 64 bits' : `decimal(${type.precision}, ${type.scale})`
  return invalid(`Invalid input: ${number} does not fit ${room}`, path)
}

function refusal(error: z.ZodError): SlowResult {
  const [first] = error.issues
  const more = error.issues.length > 1 ? ` (and ${error.issues.length - 1} more)` : ''
  return invalid(`${first?.message ?? 'Invalid input'}${more}`, first?.path.map(String).join('.') ?? '')
}

interface Field {
  readonly column: Column
  /** Where the value is. */
  readonly path: readonly string[]
  /** The value is what the object there has beside these fields; null: it is the value there. */
  readonly declared: ReadonlySet<string> | null
}

type Json = Record<string, unknown>

class Refused extends Error {
  readonly result: SlowResult

  constructor(result: SlowResult) {
    super()
    this.result = result
  }
}

function cellsOf(
  data: unknown,
  fields: readonly Field[],
  parsed: ParsedRecord,
  undeclared: readonly string[],
): SlowResult {
  try {
    const cells = fields.map(field => {
      const value = at(data, field.path)
      return cellOf((field.declared === null ? value : restOf(value, field.declared)) ?? null, field, parsed)
    })
    return { ok: true, cells, undeclared }
  } catch (error) {
    if (error instanceof Refused) return error.result
    throw error
  }
}

/** The cell of what zod gave for a field. Throws Refused for what its column cannot hold. */
function cellOf(value: unknown, field: Field, parsed: ParsedRecord): unknown {
  const { column, path } = field
  if (value === null) return null
  if (column.type === 'json') return jsonCellOf(value, field, parsed)
  if (typeof value === 'string' && !value.isWellFormed()) throw new Refused(notUnicode(column.name))
  if (typeof value === 'bigint' && !fitsInt64(value)) {
    throw new Refused(misfitting({ path: column.name, digits: String(value), type: 'int64' }))
  }
  if (typeof value !== 'number') return value
  if (!Number.isFinite(value) || (column.integer && !Number.isSafeInteger(value))) {
    const expected = column.integer && Number.isFinite(value) ? 'int' : 'number'
    throw new Refused(invalid(`Invalid input: expected ${expected}, received ${value}`, column.name))
  }
  if (column.decimal === undefined) return value
  const { raw, digits } = rawAt(path, parsed)
  const isWritten = column.type === 'decimal' && digits !== undefined && Object.is(raw, value)
  const written = isWritten ? digits : String(value)
  const scaled = decimalOfDigits(written, column.decimal)
  if (scaled === null) throw new Refused(misfitting({ path: column.name, digits: written, type: column.decimal }))
  return column.type === 'decimal' ? scaled : value
}

function jsonCellOf(value: unknown, { column: { name }, path }: Field, parsed: ParsedRecord): unknown {
  const { raw, digits } = rawAt(path, parsed)
  const exact = withDigits(value, raw, digits, parsed)
  if (!isFiniteThroughout(exact)) throw new Refused(invalid('Invalid input: a number in it is not finite', name))
  return jsonCell(exact)
}

function at(data: unknown, path: readonly string[]): unknown {
  let cell = data
  for (const key of path) {
    cell = typeof cell === 'object' && cell !== null && Object.hasOwn(cell, key) ? (cell as Json)[key] : null
  }
  return cell
}

/** What the record has at a path, with its digits where it is a number that may be needed. */
function rawAt(
  path: readonly string[],
  { record, digits }: ParsedRecord,
): { raw: unknown; digits: string | undefined } {
  const holder = at(record, path.slice(0, -1))
  const key = path.at(-1)
  if (key === undefined) return { raw: record, digits: undefined }
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, key))
    return { raw: null, digits: undefined }
  return { raw: (holder as Json)[key], digits: digits.get(holder)?.get(key) }
}

/** What a transform computed may be Infinity or NaN, which no JSON can hold. */
function isFiniteThroughout(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  for (const key in value) if (!isFiniteThroughout((value as Json)[key])) return false
  return true
}

/** Whether brackets outside of texts nest deeper than MAXIMUM_DEPTH: the parser's own limit moves with the stack. */
function tooDeep(text: string): boolean {
  if (text.length <= MAXIMUM_DEPTH) return false
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === 0x22) {
      for (index++; index < text.length; index++) {
        const inside = text.charCodeAt(index)
        if (inside === 0x5c) index++
        else if (inside === 0x22) break
      }
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > MAXIMUM_DEPTH) return true
    } else if (code === 0x5d || code === 0x7d) depth--
  }
  return false
}
