/** What the page shows: panels over streams and topics, declared beside what fills them. */
import { type Duration, microsecondsOf } from '../plan/duration.ts'
import { callerOf } from '../plan/location.ts'
import type { DashboardNode, PanelAggregate, PanelNode, StreamNode } from '../plan/nodes.ts'
import type { ColumnType, Location } from '../plan/schema.ts'
import { readOf } from '../plan/walk.ts'
import { columnNamed, located, refusal, refuseUnknown } from './refuse.ts'
import type { Rows } from './rows.ts'
import { COMPARABLE, NUMERIC, typedColumn } from './step.ts'
import type { KeyColumn, NumberColumn, Path, TimestampColumn } from './types.ts'

const ROWS_DEFAULT = 100
const ROWS_MAX = 1_000
const SPAN_DEFAULT = '15 m'
const TEXT_CHARACTERS_MAX = 200
const AGGREGATES: readonly PanelAggregate[] = ['last', 'count', 'sum', 'average', 'min', 'max']

/** One picture on a dashboard, made by a function of `Show`. */
export interface Panel {
  readonly kind: 'panel'
  readonly node: PanelNode
}

interface TimeOption<R> {
  /** The column that says when. Default: `window_end` of windows, else the topic's event time. */
  readonly time?: TimestampColumn<R>
}

interface SpanOptions<R> extends TimeOption<R> {
  /** How much time is shown. Default `'15 m'`. */
  readonly span?: Duration
}

interface OverOptions<R> extends TimeOption<R> {
  /** How far back rows count. Default `'15 m'`. */
  readonly over?: Duration
  /** Shown after the number: `'m/s²'`. */
  readonly unit?: string
}

/** The kinds of panels. Each takes a title, a stream or topic, and the columns to show. */
export interface Show {
  /** Lines over time, one a value of `by`. */
  timeSeries<R>(
    title: string,
    rows: Rows<R>,
    options: SpanOptions<R> & {
      readonly value: NumberColumn<R>
      readonly by?: KeyColumn<R>
      /** Shown beside the axis: `'m/s²'`. */
      readonly unit?: string
    },
  ): Panel
  /** Bars over time, coloured by state, one a value of `by`. */
  stateTimeline<R>(
    title: string,
    rows: Rows<R>,
    options: SpanOptions<R> & { readonly state: KeyColumn<R>; readonly by: KeyColumn<R> },
  ): Panel
  /** One number: the last value (default), or an aggregate over all rows of the time; `count` needs no value. */
  stat<R>(
    title: string,
    rows: Rows<R>,
    options: OverOptions<R> & { readonly value?: NumberColumn<R>; readonly aggregate?: PanelAggregate },
  ): Panel
  /** A bar for each category: how many rows it has, or the sum of `value`. */
  bars<R>(
    title: string,
    rows: Rows<R>,
    options: OverOptions<R> & { readonly category: KeyColumn<R>; readonly value?: NumberColumn<R> },
  ): Panel
  /** The latest rows, at most `limit` (default 100, at most 1,000); with `latestBy` only the latest of each key. */
  table<R>(
    title: string,
    rows: Rows<R>,
    options?: TimeOption<R> & {
      /** The columns to show, in this order. Default: all. */
      readonly columns?: readonly Path<R>[]
      readonly latestBy?: KeyColumn<R> | readonly KeyColumn<R>[]
      readonly limit?: number
    },
  ): Panel
  /** Where each value of `by` is, and was; degrees. */
  map<R>(
    title: string,
    rows: Rows<R>,
    options: SpanOptions<R> & {
      readonly latitude: NumberColumn<R>
      readonly longitude: NumberColumn<R>
      readonly by?: KeyColumn<R>
      /** A column whose latest value stands beside the point. */
      readonly label?: KeyColumn<R>
    },
  ): Panel
}

type NodeOf = (rows: Rows<unknown>, location: Location | null) => StreamNode

/** The functions that a dashboard is made with; `nodeOf` finds the step behind a stream or topic. */
export function showOf(nodeOf: NodeOf): Show {
  const panel = (
    location: Location | null,
    kind: string,
    title: string,
    rows: Rows<unknown>,
    options: object,
    known: readonly string[],
    make: (at: Place) => PanelParts,
  ): Panel => {
    const step = `${kind} ${JSON.stringify(title)}`
    checkText(title, `${kind}: the title`, location)
    const stream = located(location, () => nodeOf(rows, location))
    refuseUnknown(options, known, step, location)
    const parts = located(location, () => make({ stream, step, location }))
    return Object.freeze({
      kind: 'panel',
      node: Object.freeze({ ...parts, title, stream, identity: '', location }) as PanelNode,
    })
  }

  function timeSeries(title: string, rows: Rows<unknown>, options: Given): Panel {
    return panel(callerOf(timeSeries), 'timeSeries', title, rows, options, ['value', 'by', 'unit', ...SPAN], at => ({
      kind: 'time-series',
      value: column(at, 'value', options.value, NUMERIC),
      by: optional(at, 'by', options.by, COMPARABLE),
      unit: unitOf(at, options.unit),
      ...timed(at, options.time, options.span, 'span'),
    }))
  }
  function stateTimeline(title: string, rows: Rows<unknown>, options: Given): Panel {
    return panel(callerOf(stateTimeline), 'stateTimeline', title, rows, options, ['state', 'by', ...SPAN], at => ({
      kind: 'state-timeline',
      state: column(at, 'state', options.state, COMPARABLE),
      by: column(at, 'by', options.by, COMPARABLE),
      ...timed(at, options.time, options.span, 'span'),
    }))
  }
  function stat(title: string, rows: Rows<unknown>, options: Given): Panel {
    return panel(callerOf(stat), 'stat', title, rows, options, ['value', 'aggregate', 'unit', ...OVER], at => ({
      kind: 'stat',
      ...aggregated(at, options),
      unit: unitOf(at, options.unit),
      ...timed(at, options.time, options.over, 'over'),
    }))
  }
  function bars(title: string, rows: Rows<unknown>, options: Given): Panel {
    return panel(callerOf(bars), 'bars', title, rows, options, ['category', 'value', 'unit', ...OVER], at => ({
      kind: 'bars',
      category: column(at, 'category', options.category, COMPARABLE),
      value: optional(at, 'value', options.value, NUMERIC),
      unit: unitOf(at, options.unit),
      ...timed(at, options.time, options.over, 'over'),
    }))
  }
  function table(title: string, rows: Rows<unknown>, options: Given = {}): Panel {
    return panel(callerOf(table), 'table', title, rows, options, ['columns', 'latestBy', 'limit', 'time'], at => ({
      kind: 'table',
      shown: Object.freeze(
        options.columns?.map(name => columnNamed(at.stream.columns, name, `${at.step}, columns`, at.location).name) ??
          at.stream.columns.map(({ name }) => name),
      ),
      latestBy: Object.freeze([options.latestBy ?? []].flat().map(name => column(at, 'latestBy', name, COMPARABLE))),
      limit: limitOf(at, options.limit),
      time: options.time === undefined ? usualTime(at.stream) : timeOf(at, options.time),
    }))
  }
  function map(title: string, rows: Rows<unknown>, options: Given): Panel {
    return panel(callerOf(map), 'map', title, rows, options, ['latitude', 'longitude', 'by', 'label', ...SPAN], at => ({
      kind: 'map',
      latitude: column(at, 'latitude', options.latitude, NUMERIC),
      longitude: column(at, 'longitude', options.longitude, NUMERIC),
      by: optional(at, 'by', options.by, COMPARABLE),
      label: optional(at, 'label', options.label, COMPARABLE),
      ...timed(at, options.time, options.span, 'span'),
    }))
  }
  return { timeSeries, stateTimeline, stat, bars, table, map } as Show
}

/** The dashboard of these panels; they get their names when the pipeline is complete. */
export function dashboardNode(title: string, panels: unknown, location: Location | null): DashboardNode {
  checkText(title, 'dashboard: the title', location)
  const isPanel = (candidate: unknown): candidate is Panel => (candidate as Panel | null)?.kind === 'panel'
  if (!Array.isArray(panels) || panels.length === 0 || !panels.every(isPanel)) {
    const next = "Write dashboard('Title', show => [show.table('Latest', stream)])."
    throw refusal('PIPELINE_INVALID', `dashboard ${JSON.stringify(title)}: expected a list of panels`, location, next)
  }
  return Object.freeze({ kind: 'dashboard', title, panels: Object.freeze(panels.map(({ node }) => node)), location })
}

/** Options as they are when nothing has been checked. */
interface Given {
  readonly value?: string
  readonly state?: string
  readonly category?: string
  readonly latitude?: string
  readonly longitude?: string
  readonly by?: string
  readonly label?: string
  readonly time?: string
  readonly span?: Duration
  readonly over?: Duration
  readonly unit?: string
  readonly aggregate?: PanelAggregate
  readonly columns?: readonly string[]
  readonly latestBy?: string | readonly string[]
  readonly limit?: number
}

/** What a panel's node has beside title, stream and place. */
type PanelParts = PanelNode extends infer N ? (N extends PanelNode ? Omit<N, keyof Common> : never) : never
type Common = Pick<PanelNode, 'title' | 'identity' | 'stream' | 'location'>

interface Place {
  readonly stream: StreamNode
  readonly step: string
  readonly location: Location | null
}

const SPAN = ['time', 'span']
const OVER = ['time', 'over']

function column(at: Place, option: string, name: string | undefined, types: readonly ColumnType[]): string {
  if (name !== undefined) return typedColumn(at.stream, name, `${at.step}, ${option}`, at.location, types).name
  const usable = at.stream.columns.filter(({ type }) => types.includes(type)).map(candidate => candidate.name)
  const next = `Name a column: { ${option}: '${usable[0] ?? 'name'}' }.`
  throw refusal('PIPELINE_INVALID', `${at.step}: ${option} is missing`, at.location, next)
}

function optional(at: Place, option: string, name: string | undefined, types: readonly ColumnType[]): string | null {
  return name === undefined ? null : column(at, option, name, types)
}

function aggregated(at: Place, { value, aggregate = 'last' }: Given): Pick<StatParts, 'value' | 'aggregate'> {
  if (!AGGREGATES.includes(aggregate)) {
    const next = `Use ${AGGREGATES.map(name => `'${name}'`).join(', ')}.`
    throw refusal('PIPELINE_INVALID', `${at.step}: aggregate is ${JSON.stringify(aggregate)}`, at.location, next)
  }
  if (aggregate === 'count') return { value: optional(at, 'value', value, NUMERIC), aggregate }
  return { value: column(at, 'value', value, NUMERIC), aggregate }
}
type StatParts = Extract<PanelNode, { readonly kind: 'stat' }>

function timed(
  at: Place,
  time: string | undefined,
  span: Duration | undefined,
  option: string,
): { readonly time: string; readonly span_us: number } {
  return { time: timeOf(at, time), span_us: microsecondsOf(span ?? SPAN_DEFAULT, `${at.step}, ${option}`) }
}

function timeOf(at: Place, given: string | undefined): string {
  const name = given ?? usualTime(at.stream)
  const times = at.stream.columns.filter(({ type }) => type === 'timestamp').map(candidate => candidate.name)
  if (name === null) {
    const next =
      times.length === 0
        ? 'Keep a timestamp column in the stream.'
        : `Say it: { time: '${times[0]}' }. Timestamps are: ${times.join(', ')}.`
    throw refusal('PIPELINE_INVALID', `${at.step}: no column is known to be the time`, at.location, next)
  }
  const { nullable } = columnNamed(at.stream.columns, name, `${at.step}, time`, at.location, ['timestamp'])
  if (!nullable) return name
  const next = `Put .require('${name}') before it.`
  throw refusal('COLUMN_TYPE', `${at.step}, time: column '${name}' can be null`, at.location, next)
}

/** The end of a window, else the topic's event time, where the stream still has it. */
function usualTime(stream: StreamNode): string | null {
  const names = ['window_end', readOf(stream).topic.eventTime?.column]
  const found = stream.columns.find(
    ({ name, type, nullable }) => names.includes(name) && type === 'timestamp' && !nullable,
  )
  return found?.name ?? null
}

function unitOf(at: Place, unit: string | undefined): string | null {
  if (unit !== undefined) checkText(unit, `${at.step}, unit`, at.location)
  return unit ?? null
}

function limitOf(at: Place, limit = ROWS_DEFAULT): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= ROWS_MAX) return limit
  throw refusal('PIPELINE_INVALID', `${at.step}: limit must be a whole number from 1 to ${ROWS_MAX}`, at.location)
}

function checkText(text: unknown, what: string, location: Location | null): void {
  if (typeof text === 'string' && text.trim() !== '' && text.length <= TEXT_CHARACTERS_MAX) return
  const message = `${what} must be a text of 1 to ${TEXT_CHARACTERS_MAX} characters`
  throw refusal('PIPELINE_INVALID', message, location, 'Write a short text.')
}
