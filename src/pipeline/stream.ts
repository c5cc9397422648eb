/** Streams: the steps between topics. Each method checks what it is given and returns the stream after one more step. */
import type { Duration } from '../plan/duration.ts'
import type { Library } from '../plan/expression/library.ts'
import { callerOf } from '../plan/location.ts'
import type { StreamNode } from '../plan/nodes.ts'
import type { Cell } from '../plan/schema.ts'
import type { Aggregate } from './aggregates.ts'
import type { Builder } from './builder.ts'
import { located, refusal } from './refuse.ts'
import type { ROW, Rows } from './rows.ts'
import * as steps from './steps.ts'
import type { Topic, UntypedTopic } from './topic.ts'
import type {
  ArrayColumn,
  At,
  Derived,
  Flat,
  KeyColumn,
  Leaves,
  NullableColumn,
  OmitPaths,
  ParameterValues,
  Path,
  PickPaths,
  RequirePaths,
  RowOf,
  Timestamp,
} from './types.ts'
import * as windowSteps from './window-step.ts'
import type { Window, WindowOptions } from './windows.ts'

type Element<R, P> = Exclude<At<R, P>, null> extends readonly (infer E)[] ? RowOf<E> : never

/** The keys of T that U has too, with a sentence for each. */
type Taken<T, U> = { [K in keyof T & keyof U & string]: `'${K}' is already a column of the result` }

type NameOf<V> = `${null extends V ? 'nullable ' : ''}${TypeName<Exclude<V, null>>}`

type TypeName<V> = [V] extends [Timestamp]
  ? 'timestamp'
  : [V] extends [number]
    ? 'number'
    : [V] extends [bigint]
      ? 'int64'
      : [V] extends [string]
        ? 'text'
        : [V] extends [boolean]
          ? 'boolean'
          : 'json'

/** A sentence for each column of the topic that the stream does not fit. */
type Misfit<R, T> = {
  [P in keyof T & string]: P extends keyof R
    ? R[P] extends T[P]
      ? never
      : `column '${P}' is ${NameOf<R[P]>}, the topic declares ${NameOf<T[P]>}`
    : `the topic declares column '${P}', the stream has none`
}[keyof T & string]

/** Rows on their way. */
export class Stream<R> implements Rows<R> {
  declare readonly [ROW]: R
  /** The last step. */
  readonly node: StreamNode
  readonly #builder: Builder

  constructor(builder: Builder, node: StreamNode) {
    this.node = Object.freeze(node)
    this.#builder = builder
  }

  /** Keeps the rows for which the predicate is true. `parameters` are values that it reads as `$.name`. */
  filter<P extends ParameterValues = Record<never, never>>(
    predicate: (row: R, $: Flat<P & Library>) => boolean,
    parameters?: P,
  ): Stream<R> {
    const location = callerOf(this.filter)
    return this.#next(located(location, () => steps.filter(this.node, predicate, parameters, location)))
  }

  /** Drops the rows in which one of the columns is null; afterwards their types say that they are not. */
  require<const P extends NullableColumn<R>>(...columns: readonly P[]): Stream<RequirePaths<R, P>> {
    const location = callerOf(this.require)
    return this.#next(steps.require(this.node, columns, location))
  }

  /** Adds columns, or replaces those of the same name; every function sees the row as it came in. `undefined` is null. */
  derive<D extends { readonly [name: string]: Cell | undefined }, P extends ParameterValues = Record<never, never>>(
    columns: { [K in keyof D]: (row: R, $: Flat<P & Library>) => D[K] },
    parameters?: P,
  ): Stream<Flat<Omit<R, keyof D> & Derived<D>>> {
    const location = callerOf(this.derive)
    return this.#next(located(location, () => steps.derive(this.node, columns, parameters, location)))
  }

  /** Keeps the columns named, in this order. */
  select<const P extends Path<R>>(...columns: readonly P[]): Stream<PickPaths<R, P>> {
    const location = callerOf(this.select)
    return this.#next(steps.select(this.node, columns, location))
  }

  /** Gives columns new names: `{ old: 'new' }`. */
  rename<const M extends { readonly [column: string]: string }>(
    names: {
      [K in keyof M]: K extends Path<R>
        ? M[K] extends keyof OmitPaths<R, keyof M>
          ? `'${M[K]}' is already a column of the result`
          : M[K]
        : `there is no column '${K & string}'`
    },
  ): Stream<Flat<OmitPaths<R, keyof M> & { -readonly [K in keyof M as M[K]]: At<R, K> }>> {
    const location = callerOf(this.rename)
    return this.#next(steps.rename(this.node, names as unknown as Record<string, string>, location))
  }

  /** Makes a row of each element of an array of objects: the other columns, then the element's own. */
  explode<const P extends ArrayColumn<R>>(
    array: keyof Taken<Element<R, P>, OmitPaths<R, P>> extends never
      ? P
      : Taken<Element<R, P>, OmitPaths<R, P>>[keyof Taken<Element<R, P>, OmitPaths<R, P>>],
  ): Stream<Flat<OmitPaths<R, P> & Element<R, P>>> {
    const location = callerOf(this.explode)
    return this.#next(steps.explode(this.node, array as string, location))
  }

  /** Drops a row whose key was seen at most `within` of event time before. */
  dedupe(options: { readonly key: KeyColumn<R> | readonly KeyColumn<R>[]; readonly within: Duration }): Stream<R> {
    const location = callerOf(this.dedupe)
    const { key, within } = options
    return this.#next(
      located(location, () => steps.dedupe(this.node, { key: key as string | string[], within }, location)),
    )
  }

  /** Puts rows with equal values in these columns together; a window says up to when. */
  groupBy<const P extends KeyColumn<R> = never>(...keys: readonly P[]): Grouped<R, P> {
    return new Grouped(this.#builder, this.node, keys)
  }

  /** Only the last word on each window: early and restated results become a stream without revisions. */
  finals(): Stream<Flat<Omit<R, 'revision' | 'is_final'>>> {
    const location = callerOf(this.finals)
    return this.#next(located(location, () => windowSteps.finals(this.node, location)))
  }

  /** Names the step before: its state is found again by this name, whatever changes around it. */
  named(name: string): Stream<R> {
    const location = callerOf(this.named)
    if (this.node.kind === 'read') {
      throw refusal('PIPELINE_INVALID', `named('${name}'): a topic has a name already; put a step before it`, location)
    }
    if (typeof name !== 'string' || !/^[\p{L}\p{N}_][\p{L}\p{N}._/-]*$/u.test(name)) {
      const next = 'Use letters, digits, dots, underscores, hyphens and slashes.'
      throw refusal('PIPELINE_INVALID', `named: ${JSON.stringify(name)} cannot be the name of a step`, location, next)
    }
    return this.#next({ ...this.node, identity: name })
  }

  /**
   * Makes the rows records of a topic. The stream goes on; where the topic declares an event time, what goes on are the
   * topic's records, by that time.
   */
  to<T>(
    topic: UntypedTopic | ([Misfit<Leaves<R>, Leaves<T>>] extends [never] ? Topic<T> : Misfit<Leaves<R>, Leaves<T>>),
  ): Stream<R> {
    const location = callerOf(this.to)
    const target = topic as UntypedTopic | Topic<unknown>
    located(location, () => this.#builder.produce(this.node, target, location))
    if (target.node.eventTime === null) return this
    return this.#next(located(location, () => this.#builder.read(target, location)))
  }

  #next<S>(node: StreamNode): Stream<S> {
    return new Stream<S>(this.#builder, node)
  }
}

/** Rows put together by key, waiting for a window. */
export class Grouped<R, P> {
  readonly #builder: Builder
  readonly #input: StreamNode
  readonly #keys: readonly string[]

  constructor(builder: Builder, input: StreamNode, keys: readonly string[]) {
    this.#builder = builder
    this.#input = input
    this.#keys = keys
  }

  /** Cuts event time into windows: `tumbling('15 m')` or `hopping({ size: '10 s', every: '2 s' })`. */
  window<const O extends WindowOptions = Record<never, never>>(window: Window, options?: O): Windowed<R, P, O> {
    return new Windowed(this.#builder, this.#input, this.#keys, window, options ?? {})
  }
}

type WindowColumns<O> = { window_start: Timestamp; window_end: Timestamp } & (O extends
  | { readonly late: 'restate' }
  | { readonly early: Duration }
  ? { revision: number; is_final: boolean }
  : unknown)

type Aggregated<A> = { -readonly [N in keyof A]: A[N] extends Aggregate<never, infer V> ? V : never }

/** Rows by key and window, waiting for what to make of them. */
export class Windowed<R, P, O> {
  readonly #builder: Builder
  readonly #input: StreamNode
  readonly #keys: readonly string[]
  readonly #window: Window
  readonly #options: WindowOptions

  constructor(builder: Builder, input: StreamNode, keys: readonly string[], window: Window, options: WindowOptions) {
    this.#builder = builder
    this.#input = input
    this.#keys = keys
    this.#window = window
    this.#options = options
  }

  /** One row a key and window: the keys, the aggregates by name, `window_start` and `window_end`. */
  aggregate<const A extends { readonly [name: string]: Aggregate<R, unknown> }>(
    aggregates: [keyof Taken<A, PickPaths<R, P> & WindowColumns<O>>] extends [never]
      ? A
      : Taken<A, PickPaths<R, P> & WindowColumns<O>>,
  ): Stream<Flat<PickPaths<R, P> & Aggregated<A> & WindowColumns<O>>> {
    const location = callerOf(this.aggregate)
    const node = located(location, () =>
      windowSteps.window(
        this.#input,
        this.#keys,
        this.#window,
        this.#options,
        aggregates as Readonly<Record<string, Aggregate<never, unknown>>>,
        location,
      ),
    )
    return new Stream(this.#builder, node)
  }
}
