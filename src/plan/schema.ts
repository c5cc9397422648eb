/**
 * What a row is made of: named, typed columns.
 *
 * Meaning is JavaScript's: `number` is a double, `int64` a bigint of 64 bits, `decimal` a whole number of its last digit
 * (a lambda sees the nearest double), `text` a string, `timestamp` whole microseconds since the Unix epoch in
 * UTC carried as a double (exact until the year 2255), `json` any value that has no column type of its own (an array,
 * a record). Missing and null are one value, `null`.
 */
import type { DecimalType } from './exact.ts'

export type ColumnType = 'number' | 'int64' | 'decimal' | 'text' | 'boolean' | 'timestamp' | 'json'

/** Of a time written as a number since 1970. */
export type NumberUnit = 's' | 'ms' | 'us' | 'ns'

/** A time written as text, by a pattern or as `iso`, with the zone of those that do not say their own. */
export interface TextTime {
  readonly pattern: string
  readonly zone: string | null
}

/** How a message writes a time; a column always holds microseconds. `iso` has its own offset in each text. */
export type TimestampUnit = NumberUnit | 'iso' | TextTime

/** Whether a time is written as a number. */
export function isNumberUnit(unit: TimestampUnit): unit is NumberUnit {
  return typeof unit === 'string' && unit !== 'iso'
}

/** The form of a time that is written as text. */
export function textTime(unit: Exclude<TimestampUnit, NumberUnit>): TextTime {
  return unit === 'iso' ? ISO : unit
}

const ISO: TextTime = Object.freeze({ pattern: 'iso', zone: null })

/** For people: `ms`, `iso`, `yyyy-MM-dd HH:mm in Europe/Madrid`. */
export function formatUnit(unit: TimestampUnit): string {
  if (typeof unit === 'string') return unit
  return unit.zone === null ? unit.pattern : `${unit.pattern} in ${unit.zone}`
}

export interface Column {
  /** The path inside the message, joined by dots: `values.x`. */
  readonly name: string
  readonly type: ColumnType
  readonly nullable: boolean
  /** The only texts that can stand here, where they are known (enums, literals, a conditional of texts). */
  readonly labels?: readonly string[]
  /**
   * A fixed-point number, DECIMAL(precision, scale) in a warehouse. Up to 18 digits it is a column of type `decimal`; a
   * longer one is a `number`, the nearest double.
   */
  readonly decimal?: DecimalType
  /** A `number` that is always whole and below 2^53: BIGINT in a warehouse. */
  readonly integer?: true
  /** For a `timestamp` of a topic: the unit in which its messages write it. */
  readonly unit?: TimestampUnit
  /** For `json` that is an array of objects: the columns of one element, which `explode` makes rows of. */
  readonly element?: readonly Column[]
}

/** A value that one cell of a row can hold, as a lambda sees it. */
export type Cell = number | bigint | string | boolean | null

/** Where in the user's file something was written; line and column count from 1. */
export interface Location {
  readonly file: string
  readonly line: number
  readonly column: number
}
