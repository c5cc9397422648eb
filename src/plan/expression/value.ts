/** What a translation works with: what a piece of syntax stands for, and how it gives up. */
import type { ErrorCode } from '../../system/errors.ts'
import type { Cell } from '../schema.ts'
import type { Expression } from './tree.ts'

export const RUNS_HERE =
  'it runs here as it is, called once a row; to translate it, write it with operators, conditions, Math and the methods of texts and dates'

/** The lambda cannot be a tree; it still runs. */
export class Opaque extends Error {
  readonly reason: string
  readonly wayOut: string

  constructor(reason: string, wayOut: string = RUNS_HERE) {
    super(reason)
    this.reason = reason
    this.wayOut = wayOut
  }
}

/** The lambda must not be run. */
export class Refused extends Error {
  readonly code: Extract<ErrorCode, 'EXPRESSION_REFUSED' | 'COLUMN_UNKNOWN'>

  constructor(message: string, code: Refused['code'] = 'EXPRESSION_REFUSED') {
    super(message)
    this.code = code
  }
}

/** What a name or a part of the syntax stands for. */
export type Value =
  | { readonly kind: 'row'; readonly path: string; readonly optional: boolean }
  | { readonly kind: 'parameters' }
  | { readonly kind: 'list'; readonly values: readonly Cell[] }
  | { readonly kind: 'split'; readonly text: Expression; readonly separator: Expression }
  | { readonly kind: 'undefined' }
  | { readonly kind: 'expression'; readonly expression: Expression }

export interface Scope {
  readonly names: ReadonlyMap<string, Value>
  /** Normalised texts of the expressions that cannot be null here. */
  readonly present: ReadonlySet<string>
}

/** A plain value. */
export function plain(expression: Expression): Value {
  return { kind: 'expression', expression }
}
