/** What the steps of a query have in common: the common table expressions so far, and what is known of their rows. */
import { type DecimalType, DOUBLE_DIGITS } from '../../plan/exact.ts'
import { reasonWithoutDuckDb, toDuckDb } from '../../plan/expression/duckdb.ts'
import type { Lambda } from '../../plan/expression/lambda.ts'
import type { TopicNode } from '../../plan/nodes.ts'
import type { Column, Location } from '../../plan/schema.ts'
import { quoted } from './text.ts'

export interface OracleColumn extends Column {
  /** false: sums in another order may differ in the last digits, so the column is compared with a tolerance. */
  readonly exact: boolean
  /** Why its cells cannot be recomputed (they are NULL in the query); null: they are. */
  readonly unknown: string | null
}

/** The records of a topic, as the query reads them. */
export interface OracleRelation {
  /** SQL of a relation with the topic's columns, `#partition` and `#position`. */
  readonly sql: string
  readonly columns: readonly OracleColumn[]
  /** Whether records of one key may be in several partitions. */
  readonly isScattered: boolean
  /** Partitions that the topic has; more than one: which record came first is known within each of them only. */
  readonly partitions: number
  /** SQL of the numbers of the partitions that have ended (a subquery or a list); null: none has. */
  readonly ended: string | null
  /** Why the order of the records is not known; null: it is. */
  readonly unordered: string | null
  /** Whether a partition that has not ended has brought no record yet: no window is due before it does. */
  readonly waits: boolean
}

export interface OracleSource {
  readonly relation: (topic: TopicNode) => OracleRelation
  /** Whether the input was read to its end and every window closed: then no window is open. */
  readonly ended: boolean
  /** Whether silence may have closed windows before their time: a later record then gives them out again. */
  readonly live: boolean
}

/** A question to the records whose answer `true` means that the stream cannot be recomputed, for this reason. */
export interface Doubt {
  readonly sql: string
  readonly reason: string
}

/** The window whose results the rows are. */
export interface WindowedRows {
  /** By key column of the window what it is called now; '' where it was dropped. `window_start` is among them. */
  readonly identity: ReadonlyMap<string, string>
  /** Whether a window comes out again when it is closed, or when a record corrects it. */
  readonly restates: boolean
  /** How long after its end a window can still be corrected. */
  readonly allowed_us: number
  /** Added to a window's end for the moment at which it must have been delivered: `allowed_us` behind `.finals()`. */
  readonly delay_us: number
  /** Whether rows of windows come before their end, which say nothing of the window's last row. */
  readonly early: boolean
  /** Whether a window that silence closed comes out again, when a record changes it. */
  readonly reopens: boolean
}

/** What stands so far. */
export interface Built {
  /** Why the rows have no event time; null: they have. */
  readonly timeless: string | null
  readonly steps: readonly string[]
  readonly columns: readonly OracleColumn[]
  /** Hidden columns that are still carried, quoted. */
  readonly hidden: readonly string[]
  /** Columns that order the rows as the log does. */
  readonly order: readonly string[]
  readonly window: WindowedRows | null
  readonly relation: OracleRelation
  readonly doubts: readonly Doubt[]
}

/** Why a stream cannot be recomputed at all, and where in the user's file the reason stands. */
export class Refusal extends Error {
  readonly location: Location | null

  constructor(reason: string, location: Location | null) {
    super(reason)
    this.location = location
  }
}

export const last = (built: Built) => `step${built.steps.length}`

/** The next common table expression. */
export function nextStep(built: Built, select: string, changes: Partial<Omit<Built, 'steps'>> = {}): Built {
  const seen = new Map<string, string>()
  for (const { name } of changes.columns ?? built.columns) {
    const other = seen.get(name.toLowerCase())
    if (other !== undefined) throw new Refusal(`DuckDB cannot tell the columns ${other} and ${name} apart`, null)
    seen.set(name.toLowerCase(), name)
  }
  const step = `step${built.steps.length + 1} AS (${select})`
  return { ...built, ...changes, steps: [...built.steps, step] }
}

/** Why a lambda has no answer here; null when it has. */
export function unknownLambda(lambda: Lambda, input: Built): string | null {
  if (lambda.expression === null) {
    const why = lambda.opaque === null ? '' : `: ${lambda.opaque.reason}; ${lambda.opaque.wayOut}`
    return `the lambda ${shortened(lambda.text)} has no SQL${why}`
  }
  for (const name of lambda.reads) {
    const unknown = unknownColumn(name, input)
    if (unknown !== null) return unknown
  }
  const reason = reasonWithoutDuckDb(lambda.expression)
  return reason === null ? null : `the lambda ${shortened(lambda.text)} has no SQL: ${reason}`
}

function unknownColumn(name: string, input: Built): string | null {
  const column = input.columns.find(candidate => candidate.name === name)
  return column === undefined ? `there is no column ${name}` : column.unknown
}

/** Throws Refusal where a step that decides which rows there are reads a column that is not known. */
export function refuseUnknown(names: readonly string[], input: Built, location: Location | null): void {
  for (const name of names) {
    const unknown = unknownColumn(name, input)
    if (unknown !== null) throw new Refusal(`which rows there are depends on ${name}: ${unknown}`, location)
  }
}

/** A lambda that has SQL, over columns by their names. */
export function lambdaSql(lambda: Lambda, columns: readonly Column[]): string {
  const decimals = new Map(
    columns.flatMap(({ name, type, decimal }) => (type === 'decimal' ? [[name, decimal!] as const] : [])),
  )
  return `(${toDuckDb(lambda.expression!, name => asLambdasSee(quoted(name), decimals.get(name)))})`
}

/** Of a decimal the nearest double: where it has many digits by its text. */
const asLambdasSee = (cell: string, decimal: DecimalType | undefined) =>
  decimal === undefined
    ? cell
    : `CAST(${decimal.precision > DOUBLE_DIGITS ? `CAST(${cell} AS VARCHAR)` : cell} AS DOUBLE)`

const shortened = (text: string) => (text.length > 60 ? `${text.slice(0, 57)}...` : text)
