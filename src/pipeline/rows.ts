/** What topics and streams have in common: rows of a known type. */
export declare const ROW: unique symbol

export interface Rows<R> {
  /** Exists for the compiler alone. */
  readonly [ROW]: R
}

/** The type of one row of a topic or stream: `Row<typeof readings>`. */
export type Row<T extends Rows<unknown>> = T[typeof ROW]
