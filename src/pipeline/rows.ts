/** What topics and streams have in common: rows of a known type. */
export declare const ROW: unique symbol

export interface Rows<R> {
  /** Exists for the compiler alone. */
  readonly [ROW]: R
}
