/**
 * The slow path of the decoder, and its meaning: one record through JSON and zod.
 *
 * Times keep the digits that the message wrote (a double of nanoseconds is off by a microsecond one time in eight), all
 * else is what JSON.parse and zod say: of two equal keys the last counts.
 */
import type { z } from 'zod'
import { restOf, restPlaces } from './rest.ts'
import { Digits } from './types.ts'
import { undeclaredFinder } from './undeclared.ts'
import { pathNotUnicode } from './unicode.ts'
import { MAXIMUM_DEPTH } from './wire.ts'
import { readSchema } from './zod.ts'
import { type TimeStep, timePaths } from './zod-times.ts'

/** Why a record is refused: it is not what its schema says, or a text in it is not Unicode. */
export type RefusalCode = 'RECORD_INVALID' | 'TEXT_NOT_UNICODE'

export type SlowResult =
  | {
      readonly ok: true
      /** By column index; null for null and for missing. */
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
  const cells = readSchema(schema).columns.map(({ name }): CellPlace => {
    const path = (rests.get(name)?.path ?? name).split('.')
    return { name, path: path[0] === '' ? [] : path, declared: rests.get(name)?.declared ?? null }
  })
  const times = timePaths(schema)
  const undeclaredIn = undeclaredFinder(schema)
  const parse = times.length === 0 ? (text: string): unknown => JSON.parse(text) : parserKeepingDigits(times)
  return text => {
    if (tooDeep(text)) return invalid(`It is nested deeper than ${MAXIMUM_DEPTH} levels`)
    let record: unknown
    try {
      record = parse(text)
    } catch (error) {
      return invalid(error instanceof SyntaxError ? error.message : `Not readable: ${error}`)
    }
    const place = pathNotUnicode(text, record)
    if (place !== null) return notUnicode(place)
    try {
      const result = schema.safeParse(record)
      if (!result.success) return refusal(result.error)
      return cellsOf(result.data, cells, undeclaredIn(record))
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

function refusal(error: z.ZodError): SlowResult {
  const [first] = error.issues
  const more = error.issues.length > 1 ? ` (and ${error.issues.length - 1} more)` : ''
  return invalid(`${first?.message ?? 'Invalid input'}${more}`, first?.path.map(String).join('.') ?? '')
}

/** Where the value of a column is; `declared`: it is what an object has beside these fields. */
interface CellPlace {
  readonly name: string
  readonly path: readonly string[]
  readonly declared: ReadonlySet<string> | null
}

function cellsOf(data: unknown, places: readonly CellPlace[], undeclared: readonly string[]): SlowResult {
  const cells: unknown[] = []
  for (const { name, path, declared } of places) {
    let cell = data
    for (const key of path) {
      cell = typeof cell === 'object' && cell !== null && Object.hasOwn(cell, key) ? (cell as Json)[key] : null
    }
    if (declared !== null) cell = restOf(cell, declared)
    if (typeof cell === 'object' && cell !== null && !isFiniteThroughout(cell)) {
      return invalid('Invalid input: a number in it is not finite', name)
    }
    if (typeof cell === 'number' && !Number.isFinite(cell)) {
      return invalid(`Invalid input: expected number, received ${cell}`, name)
    }
    if (typeof cell === 'string' && !cell.isWellFormed()) return notUnicode(path.join('.'))
    cells.push(cell ?? null)
  }
  return { ok: true, cells, undeclared }
}

type Json = Record<string, unknown>

/** JSON text such as 1e999 becomes Infinity, which no warehouse and no JSON can hold. */
function isFiniteThroughout(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  for (const key in value) if (!isFiniteThroughout((value as Json)[key])) return false
  return true
}

/** JSON.parse that leaves Digits at the ends of the given ways. */
function parserKeepingDigits(times: readonly (readonly TimeStep[])[]): (text: string) => unknown {
  const names = new Set(times.map(path => path.at(-1) ?? null))
  const anyName = names.has(null)
  return text => {
    const sources = new Map<object, Map<string, string>>()
    const root: unknown = JSON.parse(
      text,
      function (this: object, key: string, value: unknown, context?: { source?: string }) {
        if (typeof value === 'number' && (anyName || names.has(key)) && context?.source !== undefined) {
          const known = sources.get(this)
          if (known === undefined) sources.set(this, new Map([[key, context.source]]))
          else known.set(key, context.source)
        }
        return value
      },
    )
    if (sources.size > 0) for (const path of times) put(root, path, 0, sources)
    return root
  }
}

function put(
  holder: unknown,
  path: readonly TimeStep[],
  depth: number,
  sources: ReadonlyMap<object, ReadonlyMap<string, string>>,
): void {
  if (typeof holder !== 'object' || holder === null) return
  const step = path[depth] ?? null
  for (const key of step === null ? Object.keys(holder) : Object.hasOwn(holder, step) ? [step] : []) {
    if (depth < path.length - 1) {
      put((holder as Json)[key], path, depth + 1, sources)
      continue
    }
    const source = sources.get(holder)?.get(key)
    // defineProperty, since assigning to a key named __proto__ would set the prototype.
    if (source !== undefined) {
      Object.defineProperty(holder, key, {
        value: new Digits(source),
        writable: true,
        enumerable: true,
        configurable: true,
      })
    }
  }
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
