/**
 * Stateless steps fused into one loop over a batch.
 *
 * `compileChain` writes one function for the whole chain: filters, requires, derived columns and projections in one pass,
 * only the needed columns written, surviving rows moved together. `plainChain` is the same by the user's own lambdas, row
 * by row: the reference that tests hold the loop against.
 */
import type { Column } from '../plan/schema.ts'
import { MillraceError } from '../system/errors.ts'
import type { Batch, ColumnData, Dictionary } from './batch.ts'
import { Generator, type Output } from './chain/generate.ts'
import type { DictionarySource } from './chain/slots.ts'
import { DictionaryBuilder } from './chain/tables.ts'
import { pick } from './operators/pick.ts'
import type { OnOverflow } from './overflow.ts'
import type { StatelessNode } from './steps.ts'

export { plainChain } from './chain/plain.ts'

export interface Chain {
  /** Columns of the batches that leave the chain. */
  readonly columns: readonly Column[]
  /** Names of the input columns that it needs: the others may have null data. */
  readonly reads: ReadonlySet<string>
  /**
   * The rows that survive, with `origin` telling where in the input batch's origin they stood. The input is not changed;
   * arrays of columns that pass through a chain without filters are shared with it.
   */
  run(batch: Batch): Batch
}

/**
 * Compiles the steps for batches of the input columns. Only the columns in `needed` are written, all when it is null. A row
 * with a result beyond 64 bits is dropped and `onOverflow` told.
 * Running throws LAMBDA_FAILED when a lambda that could not be translated throws.
 */
export function compileChain(
  steps: readonly StatelessNode[],
  input: readonly Column[],
  needed: ReadonlySet<string> | null,
  onOverflow: OnOverflow = refuseNowhere,
): Chain {
  const columns = steps.at(-1)?.columns ?? input
  const wanted = new Set(columns.map(({ name }) => name).filter(name => needed === null || needed.has(name)))
  const live = liveness(steps, wanted)
  const reads = live[0]!
  const generated = new Generator(input).generate(steps, live.slice(1), wanted)
  const { outputs, filtering } = generated
  const isIdle = !filtering && outputs.every(output => output.kind === 'none' || output.kind === 'shared')
  const names = [...generated.scope.keys()]
  const loop = isIdle
    ? null
    : (new Function(...names, generated.source)(...names.map(name => generated.scope.get(name))) as Loop)
  const builders = outputs.map(output => (output.kind === 'text' ? new DictionaryBuilder() : null))

  return {
    columns,
    reads,
    run(batch) {
      const { length } = batch
      const data = (index: number): ColumnData => {
        const found = batch.data[index]
        if (!found)
          throw new MillraceError(
            'INTERNAL',
            `the chain reads the column ${input[index]!.name}, which the batch does not hold`,
          )
        return found
      }
      if (loop === null) {
        return {
          length,
          columns,
          data: outputs.map(output => (output.kind === 'shared' ? data(output.input) : null)),
          origin: batch.origin,
        }
      }
      const dictionary = (source: DictionarySource) => dictionaryOf(source, data)
      const cells = outputs.map(output => cellsOf(output, length))
      const validity = outputs.map(output =>
        'validity' in output && output.validity !== 'none' ? new Uint8Array(length) : null,
      )
      const origin = filtering ? new Int32Array(length) : null
      const refuse = (row: number, output: number, value: bigint) =>
        onOverflow({ column: columns[output]!, value, row: pick(batch, Int32Array.of(row)) })
      const kept = loop(
        length,
        origin,
        refuse,
        ...generated.inputs.map(each => arrayOf(data(each.index), each.array, length)),
        ...generated.dictionaries.map(each => dictionary(each.source).values),
        ...generated.tables.map(each => each.table.of(dictionary(each.dictionary))),
        ...generated.maps.map(each => each.map.of(dictionary(each.dictionary)).codes),
        ...outputs.flatMap((_, index) => [cells[index], builders[index]?.code ?? validity[index]]),
      )
      return {
        length: kept,
        columns,
        data: outputs.map((output, index) =>
          finished(output, cells[index]!, validity[index]!, builders[index]!, data, dictionary),
        ),
        origin: kept === length ? batch.origin : composed(origin!, kept, batch.origin),
      }
    },
  }
}

const refuseNowhere: OnOverflow = ({ column, value }) => {
  throw new MillraceError('INTEGER_OVERFLOW', `${column.name}: ${value} is beyond 64 bits`)
}

// One data form a type: the casts below follow the type of the input column.
type Refuse = (row: number, output: number, value: bigint) => void
type Loop = (length: number, origin: Int32Array | null, refuse: Refuse, ...arrays: unknown[]) => number
type Cells = Float64Array | BigInt64Array | Uint8Array | Int32Array | unknown[]

/** For each step, and before the first one, the columns that something after it needs. */
function liveness(steps: readonly StatelessNode[], wanted: ReadonlySet<string>): ReadonlySet<string>[] {
  const live: ReadonlySet<string>[] = [wanted]
  for (const step of [...steps].reverse()) live.unshift(neededBefore(step, live[0]!))
  return live
}

function neededBefore(step: StatelessNode, after: ReadonlySet<string>): ReadonlySet<string> {
  switch (step.kind) {
    case 'filter':
      return new Set([...after, ...step.predicate.reads])
    case 'require':
      return new Set([...after, ...step.required])
    case 'derive': {
      const before = new Set(after)
      const used = step.derived.filter(({ name }) => after.has(name))
      for (const { name } of used) before.delete(name)
      for (const { lambda } of used) for (const name of lambda.reads) before.add(name)
      return before
    }
    case 'project':
      return new Set(step.projected.filter(({ name }) => after.has(name)).map(({ from }) => from))
  }
}

let ones = new Uint8Array(0)

/** Validity of a column without nulls; nobody writes to it. */
function allValid(length: number): Uint8Array {
  if (ones.length < length) ones = new Uint8Array(Math.max(length, ones.length * 2)).fill(1)
  return ones
}

function arrayOf(data: ColumnData, array: 'values' | 'validity' | 'codes' | 'texts', length: number): unknown {
  if (array === 'codes') return (data as Extract<ColumnData, { type: 'text' }>).codes
  if (array === 'values') return (data as Extract<ColumnData, { validity: unknown }>).values
  return (data as Extract<ColumnData, { validity: unknown }>).validity ?? allValid(length)
}

function dictionaryOf(source: DictionarySource, data: (index: number) => ColumnData): Dictionary {
  switch (source.kind) {
    case 'input':
      return (data(source.index) as Extract<ColumnData, { type: 'text' }>).dictionary
    case 'constant':
      return constantDictionary(source.values)
    case 'mapped':
      return source.map.of(dictionaryOf(source.from, data)).dictionary
  }
}

const constants = new WeakMap<readonly string[], Dictionary>()

/** One object a dictionary, because tables are kept by it. */
function constantDictionary(values: readonly string[]): Dictionary {
  let dictionary = constants.get(values)
  if (dictionary === undefined) {
    dictionary = { values }
    constants.set(values, dictionary)
  }
  return dictionary
}

function cellsOf(output: Output, length: number): Cells | null {
  switch (output.kind) {
    case 'number':
    case 'timestamp':
      return new Float64Array(length)
    case 'int64':
    case 'decimal':
      return new BigInt64Array(length)
    case 'boolean':
      return new Uint8Array(length)
    case 'coded':
    case 'text':
      return new Int32Array(length)
    case 'json':
      return []
    case 'none':
    case 'shared':
      return null
  }
}

function finished(
  output: Output,
  cells: Cells | null,
  validity: Uint8Array | null,
  builder: DictionaryBuilder | null,
  data: (index: number) => ColumnData,
  dictionary: (source: DictionarySource) => Dictionary,
): ColumnData | null {
  switch (output.kind) {
    case 'none':
      return null
    case 'shared':
      return data(output.input)
    case 'json':
      return { type: 'json', values: cells as unknown[] }
    case 'coded':
      return { type: 'text', codes: cells as Int32Array, dictionary: dictionary(output.dictionary) }
    case 'text':
      return { type: 'text', codes: cells as Int32Array, dictionary: builder!.take() }
    case 'boolean':
      return { type: 'boolean', values: cells as Uint8Array, validity: written(output, validity, data) }
    case 'int64':
      return { type: 'int64', values: cells as BigInt64Array, validity: written(output, validity, data) }
    case 'decimal': {
      const { scale } = output
      return { type: 'decimal', scale, values: cells as BigInt64Array, validity: written(output, validity, data) }
    }
    case 'number':
    case 'timestamp':
      return { type: output.kind, values: cells as Float64Array, validity: written(output, validity, data) }
  }
}

/** A column that had no nulls in this batch has none after it. */
function written(
  output: Extract<Output, { validity: unknown }>,
  validity: Uint8Array | null,
  data: (index: number) => ColumnData,
): Uint8Array | null {
  if (typeof output.validity !== 'object') return validity
  return (data(output.validity.input) as Extract<ColumnData, { validity: unknown }>).validity === null ? null : validity
}

/** Rows of the input batch's origin. */
function composed(origin: Int32Array, kept: number, before: Int32Array | null): Int32Array {
  const rows = origin.subarray(0, kept)
  if (before !== null) for (let row = 0; row < kept; row++) rows[row] = before[rows[row]!]!
  return rows
}
