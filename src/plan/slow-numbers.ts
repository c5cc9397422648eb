/** The digits of a record's numbers, beside what JSON.parse makes of them. */
import { type DecimalType, decimalOfDigits, fitsInt64, scaledOfDigits } from './exact.ts'
import { isOdd, mayBeOdd, parseWithDigits, rawNumber } from './json-text.ts'
import { Digits } from './types.ts'
import type { ExactPath, PathStep } from './zod-exact.ts'

/** A number that its field cannot hold. */
export interface Misfit {
  readonly path: string
  readonly digits: string
  readonly type: 'int64' | DecimalType
}

export interface ParsedRecord {
  /** What zod is to see: bigints and Digits stand where the schema has 64-bit integers and times. */
  readonly record: unknown
  /** The digits of the numbers that may be needed: those of exact fields, and those that would be written otherwise. */
  readonly digits: ReadonlyMap<object, ReadonlyMap<string, string>>
  /** The first number that does not fit its field, whatever zod says; null when all fit. */
  readonly misfit: Misfit | null
}

const NONE: ReadonlyMap<object, ReadonlyMap<string, string>> = new Map()

type Json = Record<string, unknown>

/** Parses records; `keepsJson`: odd numbers are asked for as well. Throws SyntaxError. */
export function recordParser(paths: readonly ExactPath[], keepsJson: boolean): (text: string) => ParsedRecord {
  const names = new Set(paths.map(({ path }) => path.at(-1) ?? null))
  const anyName = names.has(null)
  return text => {
    if (paths.length === 0 && !(keepsJson && mayBeOdd(text))) {
      return { record: JSON.parse(text) as unknown, digits: NONE, misfit: null }
    }
    const digits = new Map<object, Map<string, string>>()
    const record = parseWithDigits(text, (holder, key, value, source) => {
      if (!anyName && !names.has(key) && !(keepsJson && isOdd(value, source))) return
      const known = digits.get(holder)
      if (known === undefined) digits.set(holder, new Map([[key, source]]))
      else known.set(key, source)
    })
    let misfit: Misfit | null = null
    if (digits.size > 0) {
      for (const { path, kind } of paths) {
        each(record, path, 0, '', (holder, key, place) => {
          const source = digits.get(holder)?.get(key)
          if (source === undefined || typeof (holder as Json)[key] !== 'number') return
          if (kind === 'time') replace(holder, key, new Digits(source))
          else if (kind === 'int64') {
            const whole = scaledOfDigits(source, 0)
            if (whole !== null && !fitsInt64(whole)) misfit ??= { path: place, digits: source, type: 'int64' }
            if (whole !== null) replace(holder, key, whole)
          } else if (decimalOfDigits(source, kind) === null) misfit ??= { path: place, digits: source, type: kind }
        })
      }
    }
    return { record, digits, misfit }
  }
}

/** What zod made of a value, as a tree with the digits that came: where the number is still the one of the record. */
export function withDigits(value: unknown, raw: unknown, own: string | undefined, { digits }: ParsedRecord): unknown {
  const visit = (current: unknown, from: unknown, source: string | undefined): unknown => {
    if (typeof current === 'bigint') return rawNumber(String(current))
    if (typeof current === 'number') {
      return source !== undefined && Object.is(current, from) && isOdd(current, source) ? rawNumber(source) : current
    }
    if (typeof current !== 'object' || current === null) return current
    const sources = typeof from === 'object' && from !== null ? digits.get(from) : undefined
    const inner = (key: string) => (typeof from === 'object' && from !== null ? (from as Json)[key] : undefined)
    if (Array.isArray(current)) {
      return current.map((element, index) => visit(element, inner(String(index)), sources?.get(String(index))))
    }
    const prototype = Object.getPrototypeOf(current)
    if (prototype !== Object.prototype && prototype !== null) return current
    const copy = Object.create(null) as Json
    for (const [key, element] of Object.entries(current)) copy[key] = visit(element, inner(key), sources?.get(key))
    return copy
  }
  return visit(value, raw, own)
}

function each(
  holder: unknown,
  path: readonly PathStep[],
  depth: number,
  place: string,
  call: (holder: object, key: string, place: string) => void,
): void {
  if (typeof holder !== 'object' || holder === null) return
  const step = path[depth] ?? null
  for (const key of step === null ? Object.keys(holder) : Object.hasOwn(holder, step) ? [step] : []) {
    const full = place === '' ? key : `${place}.${key}`
    if (depth < path.length - 1) each((holder as Json)[key], path, depth + 1, full, call)
    else call(holder, key, full)
  }
}

/** defineProperty, since assigning to a key named __proto__ would set the prototype. */
function replace(holder: object, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true })
}
