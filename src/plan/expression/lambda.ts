/** A user's lambda as the plan holds it: the function itself and, where it could be read, what it means. */
import type { Cell, ColumnType, Location } from '../schema.ts'
import type { Expression } from './tree.ts'

/** What a parameter (`$.walking`) can hold. Its value is part of the plan. */
export type ParameterValue = Cell | readonly Cell[]
export type Parameters = Readonly<Record<string, ParameterValue>>

export interface Lambda {
  /** The source text as the runtime gives it. */
  readonly text: string
  readonly function: (row: never, parameters: never) => unknown
  readonly parameters: Parameters
  readonly location: Location | null
  /** The translated body; null when the lambda is opaque and must be called once a row. */
  readonly expression: Expression | null
  /** Why it could not be translated, and the way out; null when it could. */
  readonly opaque: { readonly reason: string; readonly wayOut: string } | null
  /** Names of the columns that it reads; every column when opaque. */
  readonly reads: readonly string[]
  readonly result: { readonly type: ColumnType; readonly nullable: boolean; readonly labels?: readonly string[] }
}
