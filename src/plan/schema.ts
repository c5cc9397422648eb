/**
 * What a row is made of: named, typed columns.
 *
 * Meaning is JavaScript's: `number` is a double, `text` a string, `timestamp` whole microseconds since the Unix epoch in
 * UTC carried as a double (exact until the year 2255), `json` any value that has no column type of its own (an array,
 * a record). Missing and null are one value, `null`.
 */
export type ColumnType = 'number' | 'text' | 'boolean' | 'timestamp' | 'json'

/** The unit in which a message writes a time; a column always holds microseconds. */
export type TimestampUnit = 's' | 'ms' | 'us' | 'ns' | 'iso'

export interface Column {
  /** The path inside the message, joined by dots: `values.x`. */
  readonly name: string
  readonly type: ColumnType
  readonly nullable: boolean
  /** The only texts that can stand here, where they are known (enums, literals, a conditional of texts). */
  readonly labels?: readonly string[]
  /** A fixed-point number: kept as a double here, written to a warehouse as DECIMAL(precision, scale). */
  readonly decimal?: { readonly precision: number; readonly scale: number }
  /** For a `timestamp` of a topic: the unit in which its messages write it. */
  readonly unit?: TimestampUnit
  /** For `json` that is an array of objects: the columns of one element, which `explode` makes rows of. */
  readonly element?: readonly Column[]
}

/** A value that one cell of a row can hold, as a lambda sees it. */
export type Cell = number | string | boolean | null

/** Where in the user's file something was written; line and column count from 1. */
export interface Location {
  readonly file: string
  readonly line: number
  readonly column: number
}
