/**
 * The plan: what a pipeline means, as frozen data.
 *
 * `src/pipeline` builds these nodes, everything else reads them. A node knows its input, so a stream is a chain that ends
 * at a topic. Nodes hold column names, never functions of ours; the only functions in a plan are the user's lambdas,
 * beside the expression tree that was read out of them. Most dispatches over `kind` are exhaustive, so that a new node does
 * not compile until they know it; CONTRIBUTING.md names those that are not.
 *
 * All durations are whole microseconds and end in `_us`.
 */
import type { z } from 'zod'
import type { Lambda } from './expression/lambda.ts'
import type { Column, Location, TimestampUnit } from './schema.ts'

/** How far event time has come is judged by the record's own partition or by its own key. */
export type Progress = 'partition' | 'key'

export interface EventTime {
  /** The timestamp column that says when it happened. */
  readonly column: string
  readonly unit: TimestampUnit
  /** How much later than a younger record an older one may arrive and still count. */
  readonly disorder_us: number
  readonly progress: Progress
  /** A record further ahead of its arrival than this is quarantined; null for historic input. */
  readonly maxAhead_us: number | null
  /** With nothing arriving for this long, and no backlog known, event time goes on with the wall clock. */
  readonly idleAfter_us: number
}

export interface TopicNode {
  readonly kind: 'topic'
  readonly name: string
  /** The zod object of one message; null for a topic that takes the type of the stream sent to it. */
  readonly schema: z.ZodType | null
  readonly columns: readonly Column[]
  readonly key: readonly string[]
  readonly eventTime: EventTime | null
  readonly partitions: number
  readonly retention: { readonly time_us: number | null; readonly bytes: number | null }
  readonly location: Location | null
}

/** `append`: rows are only added. `changelog`: a row replaces the earlier one with the same key. */
export type StreamKind = { readonly kind: 'append' } | { readonly kind: 'changelog'; readonly key: readonly string[] }

interface StreamBase {
  /** Columns of the rows that leave this step, in order. */
  readonly columns: readonly Column[]
  readonly stream: StreamKind
  /** Stable name of the step: `activity/window-1`; state and `tap` go by it. */
  readonly identity: string
  readonly location: Location | null
}

export interface ReadNode extends StreamBase {
  readonly kind: 'read'
  readonly topic: TopicNode
}

export interface FilterNode extends StreamBase {
  readonly kind: 'filter'
  readonly input: StreamNode
  readonly predicate: Lambda
}

/** Drops the rows in which one of the columns is null; the columns are not nullable after it. */
export interface RequireNode extends StreamBase {
  readonly kind: 'require'
  readonly input: StreamNode
  readonly required: readonly string[]
}

/** Adds columns, or replaces those of the same name; all lambdas see the row as it came in. */
export interface DeriveNode extends StreamBase {
  readonly kind: 'derive'
  readonly input: StreamNode
  readonly derived: readonly { readonly name: string; readonly lambda: Lambda }[]
}

/** Keeps columns in the order given, each perhaps under a new name (`select` and `rename` both become this). */
export interface ProjectNode extends StreamBase {
  readonly kind: 'project'
  readonly input: StreamNode
  readonly projected: readonly { readonly name: string; readonly from: string }[]
}

/** Each element of an array column becomes a row: the other columns, then the element's own. */
export interface ExplodeNode extends StreamBase {
  readonly kind: 'explode'
  readonly input: StreamNode
  readonly array: string
}

/** Drops a row whose key was seen at most `within_us` of event time before. */
export interface DedupeNode extends StreamBase {
  readonly kind: 'dedupe'
  readonly input: StreamNode
  readonly key: readonly string[]
  readonly within_us: number
}

export type LatePolicy = 'drop' | 'quarantine' | 'restate'

export type AggregateFunction =
  | 'count'
  | 'sum'
  | 'average'
  | 'min'
  | 'max'
  | 'first'
  | 'last'
  | 'variance'
  | 'deviation'
  | 'distinct'
  | 'quantile'

/**
 * Null cells are skipped, as in SQL; `count` without a column counts rows. An aggregate over no value at all is null
 * (count and distinct: 0). `variance` and `deviation` are those of a sample (n - 1), null below two values. `quantile`
 * interpolates linearly, like SQL's percentile_cont. `first` and `last` go by event time, then by order in the log.
 */
export interface AggregateNode {
  readonly name: string
  readonly function: AggregateFunction
  readonly column: string | null
  /** The fraction of a quantile, 0..1. */
  readonly fraction: number | null
}

/**
 * Aggregates by key over event-time windows that begin at multiples of `every_us` since the epoch: [start, start + size).
 * A tumbling window is one with `every_us` = `size_us`. Columns out: the keys, the aggregates, `window_start`,
 * `window_end`; a changelog (early results, restated windows) adds `revision` and `is_final`. A window that was closed by
 * idleness and is changed by a later record comes out again in either form.
 */
export interface WindowNode extends StreamBase {
  readonly kind: 'window'
  readonly input: StreamNode
  readonly keys: readonly string[]
  readonly size_us: number
  readonly every_us: number
  readonly aggregates: readonly AggregateNode[]
  readonly late: LatePolicy
  /** With `restate`: how long after its end a window can still be corrected. */
  readonly allowedLateness_us: number
  /** Emit the window's state so far each time this much event time has passed; null: only at its end. */
  readonly early_us: number | null
}

/** Only the last word on each window: turns a changelog of windows into an append stream. */
export interface FinalsNode extends StreamBase {
  readonly kind: 'finals'
  readonly input: StreamNode
}

export type StreamNode =
  | ReadNode
  | FilterNode
  | RequireNode
  | DeriveNode
  | ProjectNode
  | ExplodeNode
  | DedupeNode
  | WindowNode
  | FinalsNode

/** A source bound to a topic. */
export interface IngestNode {
  readonly kind: 'ingest'
  readonly source: SourceReference
  readonly topic: TopicNode
  readonly location: Location | null
}

/** A stream whose rows are records of a named topic. */
export interface ProduceNode {
  readonly kind: 'produce'
  readonly stream: StreamNode
  readonly topic: TopicNode
  readonly location: Location | null
}

/** A stream delivered to a sink, or to a table of the warehouse. */
export interface DeliverNode {
  readonly kind: 'deliver'
  /** Of the output, within the pipeline: the table, the path, or the connector; its ledger goes by it. */
  readonly name: string
  readonly stream: StreamNode
  readonly target:
    | { readonly kind: 'sink'; readonly sink: SinkReference }
    | { readonly kind: 'table'; readonly table: string; readonly mode: 'append' }
    | { readonly kind: 'table'; readonly table: string; readonly mode: 'upsert'; readonly key: readonly string[] }
  readonly location: Location | null
}

/** What the panels of a page have in common: rows of a stream, and where the page shows them. */
interface PanelBase {
  readonly title: string
  /** Stable name, of the dashboard's title and the panel's own: `activities/magnitude`. */
  readonly identity: string
  readonly stream: StreamNode
  readonly location: Location | null
}

/** The column that says when, and how far back from now the panel looks. */
interface Timed {
  readonly time: string
  readonly span_us: number
}

/** A line through the values of each series. */
export interface TimeSeriesNode extends PanelBase, Timed {
  readonly kind: 'time-series'
  readonly value: string
  /** The column by which rows are told into series; null: one series. */
  readonly by: string | null
  readonly unit: string | null
}

/** A bar for each series, coloured by the state it was in. */
export interface StateTimelineNode extends PanelBase, Timed {
  readonly kind: 'state-timeline'
  readonly state: string
  readonly by: string
}

export type PanelAggregate = 'last' | 'count' | 'sum' | 'average' | 'min' | 'max'

/** One number, of all rows of the span. */
export interface StatNode extends PanelBase, Timed {
  readonly kind: 'stat'
  /** null: rows are counted. */
  readonly value: string | null
  readonly aggregate: PanelAggregate
  readonly unit: string | null
}

/** A bar for each category: how many rows of the span it has, or the sum of a value. */
export interface BarsNode extends PanelBase, Timed {
  readonly kind: 'bars'
  readonly category: string
  readonly value: string | null
  readonly unit: string | null
}

/** The latest row of each key, or the latest rows of all when there is none. */
export interface TableNode extends PanelBase {
  readonly kind: 'table'
  readonly shown: readonly string[]
  readonly latestBy: readonly string[]
  readonly limit: number
  /** The column by which a row is later than another; null: order of arrival. */
  readonly time: string | null
}

/** Where each series is, and was during the span. */
export interface MapNode extends PanelBase, Timed {
  readonly kind: 'map'
  readonly latitude: string
  readonly longitude: string
  readonly by: string | null
  readonly label: string | null
}

export type PanelNode = TimeSeriesNode | StateTimelineNode | StatNode | BarsNode | TableNode | MapNode

/** A page of panels, in the order in which they are shown. */
export interface DashboardNode {
  readonly kind: 'dashboard'
  readonly title: string
  readonly panels: readonly PanelNode[]
  readonly location: Location | null
}

/** What a connector's `describe.ts` makes: its name and checked options. `open.ts` is loaded only when it runs. */
export interface SourceReference {
  /** `source-and-sink`: the same reference can be read from and delivered to (a file). */
  readonly kind: 'source' | 'source-and-sink'
  readonly connector: string
  readonly options: Readonly<Record<string, unknown>>
  /** Loads the code that does the work: a module of the connector's folder. */
  readonly open: () => Promise<unknown>
}

export interface SinkReference {
  readonly kind: 'sink' | 'source-and-sink'
  readonly connector: string
  readonly options: Readonly<Record<string, unknown>>
  /** Files that it writes and nobody else may, each absolute or in the data directory. Absent: none. */
  readonly files?: readonly string[]
  readonly open: () => Promise<unknown>
}

export interface Plan {
  readonly kind: 'plan'
  readonly name: string
  /** Prefix of all stored names; `default` unless the pipeline says otherwise. */
  readonly namespace: string
  /** File of the embedded warehouse, relative to the data directory. */
  readonly warehouseFile: string
  readonly topics: readonly TopicNode[]
  readonly ingests: readonly IngestNode[]
  readonly produces: readonly ProduceNode[]
  readonly delivers: readonly DeliverNode[]
  readonly dashboards: readonly DashboardNode[]
  readonly location: Location | null
}
