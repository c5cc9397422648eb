/**
 * JSON whose numbers keep their digits.
 *
 * A json cell is the plain value that JSON.parse gives, unless a number in it would be written otherwise than it came
 * (12345678901234567828, 1e400, 1.50): then it is a WrittenJson. `JSON.stringify` of either gives the digits that came.
 */

interface RawJson {
  readonly rawJSON: string
}

/** ECMAScript 2026, in Node 24. */
const json = JSON as unknown as {
  rawJSON(text: string): RawJson
  isRawJSON(value: unknown): value is RawJson
  parse(
    text: string,
    reviver: (this: object, key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown
}

/** Texts in which a number may be written otherwise than JavaScript would write it; some that have none match too. */
const MAY_BE_ODD = /[\d.]{16}|\d[eE]|\.\d*0(?!\d)|-0(?![\d.])|0\.0{6}/

export class WrittenJson {
  readonly #exact: unknown

  /** A JSON value with `rawNumber`s in it. */
  constructor(exact: unknown) {
    this.#exact = exact
  }

  /** The value as JavaScript has it: the nearest doubles. */
  get value(): unknown {
    return withDoubles(this.#exact)
  }

  toJSON(): unknown {
    return this.#exact
  }
}

/** A json cell as a lambda sees it. */
export function plainJson(cell: unknown): unknown {
  return cell instanceof WrittenJson ? cell.value : cell
}

/** A json cell as a tree in which numbers that no double holds are `rawNumber`s. */
export function exactJson(cell: unknown): unknown {
  return cell instanceof WrittenJson ? cell.toJSON() : cell
}

export function rawNumber(digits: string): unknown {
  return json.rawJSON(digits)
}

/** The digits of a `rawNumber`, null for any other value. */
export function digitsOf(value: unknown): string | null {
  return json.isRawJSON(value) ? value.rawJSON : null
}

/** Whether a number would be written otherwise than it came. */
export const isOdd = (value: unknown, source: string): boolean => typeof value === 'number' && String(value) !== source

export const mayBeOdd = (text: string): boolean => MAY_BE_ODD.test(text)

/** JSON.parse; `onNumber` is told of each number where it stands, with its digits. */
export function parseWithDigits(
  text: string,
  onNumber: (holder: object, key: string, value: number, digits: string) => void,
): unknown {
  return json.parse(text, function (key, value, context) {
    if (typeof value === 'number' && context.source !== undefined) onNumber(this, key, value, context.source)
    return value
  })
}

/** JSON as a tree in which numbers that would be written otherwise are `rawNumber`s. Throws SyntaxError. */
export function parseExact(text: string): unknown {
  if (!mayBeOdd(text)) return JSON.parse(text)
  return json.parse(text, (_key, value, context) =>
    context.source !== undefined && isOdd(value, context.source) ? json.rawJSON(context.source) : value,
  )
}

/** The json cell of a tree that `parseExact` gave. */
export function jsonCell(exact: unknown): unknown {
  return hasRawNumber(exact) ? new WrittenJson(exact) : exact
}

function hasRawNumber(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return json.isRawJSON(value) || Object.values(value).some(hasRawNumber)
}

function withDoubles(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (json.isRawJSON(value)) return Number(value.rawJSON)
  if (Array.isArray(value)) return value.map(withDoubles)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withDoubles(inner)]))
}
