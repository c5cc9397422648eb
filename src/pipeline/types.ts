/** Types of rows: what a schema's values look like to a lambda, and the paths of their columns. */
import type { Cell } from '../plan/schema.ts'
import type { Timestamp } from '../plan/types.ts'

/** Shows the columns themselves in messages and hovers, not how they came about. */
export type Flat<T> = { [K in keyof T]: T[K] } & {}

type Primitive = string | number | boolean | bigint | null | undefined

/** A message as rows hold it: what can be missing is null. */
export type RowOf<T> = Flat<{ [K in keyof T as Declared<K>]-?: Value<T[K]> }>

/** The names that a schema declares: a loose object has any other one too. */
type Declared<K> = string extends K ? never : K

/** What functions give as columns: nothing is null. */
export type Derived<D> = { [K in keyof D]: OrNull<D[K]> }

type OrNull<V> = V extends undefined ? null : V

type Value<V> = unknown extends V
  ? V
  : V extends undefined
    ? null
    : V extends Primitive
      ? V
      : IsNested<V> extends true
        ? { [K in keyof V as Declared<K>]-?: Value<V[K]> }
        : V

/** Whether a value is an object whose fields are columns of their own, not an array, a record or one of several forms. */
type IsNested<V> = [V] extends [never]
  ? false
  : unknown extends V
    ? false
    : V extends Primitive | readonly unknown[] | ((...parameters: never) => unknown)
      ? false
      : [keyof { [K in keyof V as Declared<K>]: 1 }] extends [never]
        ? false
        : IsUnion<V> extends true
          ? false
          : V extends object
            ? true
            : false

type IsUnion<V, Copy = V> = V extends unknown ? ([Copy] extends [V] ? false : true) : never

/** Paths of all columns of a row: `'values.x'`. */
export type Path<R> = R extends infer S
  ? {
      [K in keyof S & string]: IsNested<Exclude<S[K], null>> extends true ? `${K}.${Path<Exclude<S[K], null>>}` : K
    }[keyof S & string]
  : never

/** The type of a column; an object on the way that can be null makes it nullable. */
export type At<R, P> = P extends keyof R
  ? R[P]
  : P extends `${infer K}.${infer Rest}`
    ? K extends keyof R
      ? At<Exclude<R[K], null>, Rest> | Extract<R[K], null>
      : never
    : never

type IsNumber<V> = [V] extends [Timestamp | null] ? false : [V] extends [number | bigint | null] ? true : false

// The conditional around each of these makes the compiler print the names themselves, not the alias.

/** Columns of numbers and 64-bit integers; a timestamp is none. */
export type NumberColumn<R> = R extends infer S
  ? { [P in Path<S>]: IsNumber<At<S, P>> extends true ? P : never }[Path<S>]
  : never

/** Columns of moments that are always there. */
export type TimestampColumn<R> = R extends infer S
  ? { [P in Path<S>]: [At<S, P>] extends [Timestamp] ? P : never }[Path<S>]
  : never

/** Columns that have an order and can be compared: not arrays and records. */
export type KeyColumn<R> = R extends infer S
  ? { [P in Path<S>]: [At<S, P>] extends [string | number | bigint | boolean | null] ? P : never }[Path<S>]
  : never

/** Columns that can be null. */
export type NullableColumn<R> = R extends infer S
  ? { [P in Path<S>]: null extends At<S, P> ? P : never }[Path<S>]
  : never

/** Columns that hold an array of objects. */
export type ArrayColumn<R> = R extends infer S
  ? { [P in Path<S>]: Exclude<At<S, P>, null> extends readonly object[] ? P : never }[Path<S>]
  : never

type Head<P> = P extends `${infer H}.${string}` ? H | P : P
type Tail<P, K> = K extends string ? (P extends `${K}.${infer Rest}` ? Rest : never) : never

/** The columns named, in their nested form. */
export type PickPaths<R, P> = Flat<{
  [K in keyof R as K extends Head<P> ? K : never]: K extends P
    ? R[K]
    : PickPaths<Exclude<R[K], null>, Tail<P, K>> | Extract<R[K], null>
}>

/** All columns but those named. */
export type OmitPaths<R, P> = Flat<{
  [K in keyof R as K extends P ? never : K]: [Tail<P, K>] extends [never]
    ? R[K]
    : OmitPaths<Exclude<R[K], null>, Tail<P, K>> | Extract<R[K], null>
}>

/** The row after `require`: the columns named are not null, nor is an object on their way. */
export type RequirePaths<R, P> = Flat<{
  [K in keyof R]: K extends P
    ? Exclude<R[K], null>
    : [Tail<P, K>] extends [never]
      ? R[K]
      : RequirePaths<Exclude<R[K], null>, Tail<P, K>>
}>

/** The columns by path: the form in which two rows are compared. */
export type Leaves<R> = { [P in Path<R>]: At<R, P> }

export type { Timestamp }

/** Values that a lambda gets by name in its second argument; they are part of the plan. */
export interface ParameterValues {
  readonly [name: string]: Cell | readonly Cell[]
}
