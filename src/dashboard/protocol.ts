/**
 * What the console's server and its page say to each other. Types only: the page and the server both import them.
 *
 * The page is served to anybody who may connect: it holds no data. It asks `GET /session` with
 * `Authorization: Bearer <key>` (left out when it has none): 204 when that is enough, 401 when a key is needed or this
 * one is not right. Then it opens a WebSocket at `/live` with the subprotocols `millrace.v1` and, when it has a key,
 * `millrace.key.<key>`; the server chooses `millrace.v1`. A socket whose key stops being right is closed with code 4401.
 *
 * Over the socket the server says JSON texts: first one `hello`, then for each panel one `rows` with what it holds
 * (`reset: true`), then `rows` and `status` as things happen. The page sends nothing. It takes messages of the same
 * panel in their order, may miss none, and forgets everything when the connection is lost: a new one begins with `hello`.
 *
 * Times are whole or fractional milliseconds since 1970, UTC. Missing values are null. Cells of 64-bit integers and decimals
 * are texts of all their digits, and numbers that JSON has no form for are texts (NaN, Infinity, -Infinity): a browser would
 * round the one and could not read the other. What is drawn (values of lines, stats and bars, coordinates) is a number: the
 * nearest double, null where there is none.
 */
export type ServerMessage = Hello | PanelRows | Status

export interface Hello {
  readonly kind: 'hello'
  readonly protocol: 1
  readonly pipeline: string
  readonly namespace: string
  readonly dataDirectory: string
  /** Where records can be sent to. */
  readonly addresses: readonly { readonly topic: string; readonly connector: string; readonly address: string }[]
  /** Whether one who sends records to `addresses` must give a key. */
  readonly keysNeeded: boolean
  readonly dashboards: readonly Dashboard[]
  readonly graph: Graph
  readonly started_ms: number
  readonly now_ms: number
}

export interface Dashboard {
  readonly title: string
  readonly panels: readonly Panel[]
}

export type Panel = TimeSeriesPanel | StatPanel | StateTimelinePanel | BarsPanel | TablePanel | MapPanel
export type PanelKind = Panel['kind']

export interface PanelBase {
  /** Unique among all panels of all dashboards; stable over restarts. */
  readonly id: string
  readonly title: string
  readonly unit: string | null
}

/** Columns of its rows: `time`, `value`, `by`. A row takes the place of an earlier one with the same time and series. */
export interface TimeSeriesPanel extends PanelBase {
  readonly kind: 'time-series'
  readonly time: string
  readonly value: string
  /** null: all rows are one series. */
  readonly by: string | null
  readonly span_ms: number
}

/** Columns of its rows: `time`, `state`, `by`. The state holds from this row's time to the next row's of the series. */
export interface StateTimelinePanel extends PanelBase {
  readonly kind: 'state-timeline'
  readonly time: string
  readonly state: string
  readonly by: string
  readonly span_ms: number
}

export type StatAggregate = 'last' | 'count' | 'sum' | 'average' | 'min' | 'max'

/**
 * The server counts each row, however fast they come: its rows are parts of `over_ms` with the fixed columns `time` (the
 * part's beginning), `count`, `sum`, `min`, `max`, `last`. A part takes the place of an earlier one with the same time.
 * A part is at least `over_ms / 240` long, so a panel holds at most about 240 of them.
 */
export interface StatPanel extends PanelBase {
  readonly kind: 'stat'
  readonly value: string | null
  readonly aggregate: StatAggregate
  readonly over_ms: number
}

/** As a stat, one part for each time and category: the fixed columns are `time`, `category`, `count`, `sum`. */
export interface BarsPanel extends PanelBase {
  readonly kind: 'bars'
  readonly category: string
  /** The bar is the sum of this column; null: how many rows there were. */
  readonly value: string | null
  readonly over_ms: number
}

export type CellType = 'number' | 'string' | 'boolean' | 'timestamp' | 'other'

/**
 * Columns of its rows: those named in `columns`, and those of `latestBy`. With `latestBy` a row takes the place of the
 * earlier one with the same values there; without, the newest `limit` rows are shown. `other` comes as JSON text.
 */
export interface TablePanel extends PanelBase {
  readonly kind: 'table'
  readonly columns: readonly { readonly name: string; readonly type: CellType }[]
  readonly latestBy: readonly string[]
  readonly limit: number
}

/** Columns of its rows: `time`, `latitude`, `longitude` (degrees), `by`, `label`. */
export interface MapPanel extends PanelBase {
  readonly kind: 'map'
  readonly time: string
  readonly latitude: string
  readonly longitude: string
  readonly by: string | null
  readonly label: string | null
  readonly span_ms: number
}

export type Cell = number | string | boolean | null

/** New rows of one panel, as columns of one length. */
export interface PanelRows {
  readonly kind: 'rows'
  /** `Panel.id` */
  readonly panel: string
  /** true: what the page holds of this panel is forgotten first. */
  readonly reset: boolean
  readonly length: number
  readonly columns: Readonly<Record<string, readonly Cell[]>>
}

export type GraphNodeKind = 'source' | 'topic' | 'step' | 'sink'

export interface GraphNode {
  readonly id: string
  readonly kind: GraphNodeKind
  /** A few words: `filter`, `raw_sensor_data`, `window 10 s every 2 s`. */
  readonly title: string
  /** One line more; may be empty. */
  readonly detail: string
}

/** The plan as it runs: no cycles, each edge in the direction in which data flows. */
export interface Graph {
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly { readonly from: string; readonly to: string }[]
}

export interface NodeStatus {
  readonly records: number
  readonly perSecond: number
  readonly late?: number
  /** Of a window: rows that are late for some of the windows that hold them; of a dedupe: rows that it dropped. */
  readonly partly_late?: number
  readonly repeats?: number
  readonly deadLetters?: number
  /** Event time up to which windows are closed; null before the first record. */
  readonly watermark_ms?: number | null
  /** How far this node is behind what it reads from; null when it cannot be said. */
  readonly lag_ms?: number | null
  /** A sink that does not hold all rows of its stream yet because it is slow or fails; absent or null: it keeps up. */
  readonly behind?: SinkBehind | null
}

export interface SinkBehind {
  /** Rows that it lacks; they are kept for it. */
  readonly rows: number
  /** What it failed with last; null: it is only slow, or catches up. */
  readonly error: { readonly code: string; readonly message: string; readonly next: string } | null
}

/** About twice a second. */
export interface Status {
  readonly kind: 'status'
  readonly now_ms: number
  readonly uptime_ms: number
  /** Number of the last epoch that was committed; 0: none. */
  readonly epoch: number
  /** Why nothing is taken in just now; null when all is well. */
  readonly held: { readonly code: string; readonly message: string; readonly next: string } | null
  /** What the run goes on in spite of, each once. */
  readonly warnings: readonly { readonly code: string; readonly message: string; readonly next: string }[]
  /** By `GraphNode.id`; nodes of which nothing is known are left out. */
  readonly nodes: Readonly<Record<string, NodeStatus>>
  readonly memory_bytes: number
  readonly logBytes: number
  /** null: not known. */
  readonly diskFree_bytes: number | null
}
