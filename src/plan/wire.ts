/**
 * What a message looks like on the wire: the tree from which the fast decoder is generated.
 *
 * The fast decoder says yes or 'not sure', never no. Yes means: the record is one that zod accepts, and each cell is the
 * one that zod gives. Whatever a node does not describe (a null where `nullable` is false, a missing field that is not
 * `optional`, an unknown field of a `strict` object, a text where a number belongs, a value out of bounds) makes it not
 * sure, and the record goes through JSON and zod (`slow.ts`): there it may still be accepted, with a default put in or a
 * text coerced, or get the reason for its dead letter.
 *
 * `column` is an index into the columns of the same schema; a column that stays without a value is null.
 */
import type { TimestampUnit } from './schema.ts'

/** A record nested deeper than this is refused by the slow path; the fast one is not sure of it. */
export const MAXIMUM_DEPTH = 1000

/** Largest magnitude of a time in microseconds (years 1684 to 2255): beyond it a double is not exact. */
export const MAXIMUM_TIME_US = Number.MAX_SAFE_INTEGER

export interface Bound {
  readonly value: number
  readonly exclusive: boolean
}

export interface WireField {
  readonly key: string
  /** May be missing: all columns of the node are null then. */
  readonly optional: boolean
  readonly node: WireNode
}

export interface WireObject {
  readonly kind: 'object'
  readonly fields: readonly WireField[]
  /** A field that is not listed is not accepted. */
  readonly strict: boolean
  /** May be null: all columns below it are null then. */
  readonly nullable: boolean
}

/** A JSON number, finite. Bounds are those of the double. */
interface WireNumber {
  readonly kind: 'number'
  readonly column: number
  readonly nullable: boolean
  readonly integer: boolean
  readonly minimum: Bound | null
  readonly maximum: Bound | null
  /** Pure: true when zod passes this number unchanged; null when the bounds say it all. */
  readonly accepts: ((value: number) => boolean) | null
}

/** A JSON number that is whole and fits into 64 bits, read from its digits. */
interface WireInteger {
  readonly kind: 'int64'
  readonly column: number
  readonly nullable: boolean
  readonly accepts: ((value: bigint) => boolean) | null
}

/** A JSON number whose digits fit the type, as a whole number of its last digit. */
interface WireDecimal {
  readonly kind: 'decimal'
  readonly column: number
  readonly nullable: boolean
  readonly precision: number
  readonly scale: number
  /** Sees the nearest double; null when the type says it all. */
  readonly accepts: ((value: number) => boolean) | null
}

interface WireText {
  readonly kind: 'text'
  readonly column: number
  readonly nullable: boolean
  /** Pure, so to be run once per distinct text: true when zod passes this text unchanged; null: any text. */
  readonly accepts: ((value: string) => boolean) | null
}

interface WireBoolean {
  readonly kind: 'boolean'
  readonly column: number
  readonly nullable: boolean
  readonly accepts: ((value: boolean) => boolean) | null
}

/**
 * A number of the given unit since 1970, or a text in a form of times. The cell is whole microseconds, rounded towards the
 * past from the number's own digits, not from its double; see `timestamp.ts` and `times/` for the conversions. Not sure
 * beyond MAXIMUM_TIME_US.
 */
interface WireTimestamp {
  readonly kind: 'timestamp'
  readonly column: number
  readonly nullable: boolean
  readonly unit: TimestampUnit
  /** Sees microseconds. */
  readonly accepts: ((value: number) => boolean) | null
}

/** Nothing the fast path knows (an array, a record, a union, a transform): each record goes through JSON and zod. */
export interface WireSlow {
  readonly kind: 'slow'
  /** The columns that it fills. */
  readonly columns: readonly number[]
  readonly reason: string
}

export type WireNode =
  | WireObject
  | WireNumber
  | WireInteger
  | WireDecimal
  | WireText
  | WireBoolean
  | WireTimestamp
  | WireSlow

/** Why records of this form cannot take the fast path, with the path of the first such field; null when they can. */
export function slowReason(node: WireNode, path = ''): string | null {
  if (node.kind === 'slow') return `${path === '' ? 'the record' : path}: ${node.reason}`
  if (node.kind !== 'object') return null
  for (const field of node.fields) {
    const reason = slowReason(field.node, path === '' ? field.key : `${path}.${field.key}`)
    if (reason !== null) return reason
  }
  return null
}
