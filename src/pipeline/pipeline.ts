/** A pipeline: what is ingested, what becomes of it, and where it goes. */
import { callerOf } from '../plan/location.ts'
import type { Plan, SinkReference, SourceReference } from '../plan/nodes.ts'
import type { Location } from '../plan/schema.ts'
import { Builder } from './builder.ts'
import { dashboardNode, type Panel, type Show, showOf } from './dashboard.ts'
import { refusal, refuseUnknown } from './refuse.ts'
import type { Rows } from './rows.ts'
import { Stream } from './stream.ts'
import type { Topic } from './topic.ts'
import type { KeyColumn } from './types.ts'

/** What the pipeline file exports by default. */
export interface Pipeline {
  readonly kind: 'pipeline'
  readonly plan: Plan
}

export interface PipelineOptions {
  /** Prefix of all stored names. Default `'default'`. */
  readonly namespace?: string
  /** File of the embedded warehouse, relative to the data directory. Default `'warehouse.duckdb'`. */
  readonly warehouse?: string
}

/** A table of the warehouse. */
export interface Table {
  /** Adds each row to the table. */
  appends<R>(rows: Rows<R>): void
  /** A row replaces the earlier one with the same key. */
  upserts<R>(rows: Rows<R>, options: { readonly key: KeyColumn<R> | readonly KeyColumn<R>[] }): void
}

/** What a pipeline's function is given. */
export interface Parts {
  /** Binds a source to a topic. */
  ingest<R>(source: SourceReference, topic: Topic<R>): void
  /** The records of a topic as a stream. */
  from<R>(topic: Topic<R>): Stream<R>
  /** Sends each row of a stream, or record of a topic, to a sink. */
  deliver<R>(rows: Rows<R>, sink: SinkReference): void
  readonly warehouse: {
    /** A table by its name, with its schema: `'RAW_DATA.ACTIVITY_RECORDS'`. */
    table(name: string): Table
  }
  /** A page of panels that `millrace run --console` shows live: `dashboard('Activities', show => [show.table(...)])`. */
  dashboard(title: string, panels: (show: Show) => readonly Panel[]): void
}

/**
 * Declares a pipeline; the file exports it by default. The function runs once, at once, and only declares: nothing is
 * read or written before `millrace run`. Throws PIPELINE_INVALID, with the place, for what cannot work.
 */
export function pipeline(
  name: string,
  ...rest: [build: (parts: Parts) => void] | [options: PipelineOptions, build: (parts: Parts) => void]
): Pipeline {
  const location = callerOf(pipeline)
  const build = rest.length === 1 ? rest[0] : rest[1]
  const options = rest.length === 1 ? {} : rest[0]
  refuseUnknown(options, ['namespace', 'warehouse'], `pipeline '${name}'`, location)
  const { namespace = 'default', warehouse = 'warehouse.duckdb' } = options
  checkName('pipeline', name, location)
  checkName('namespace', namespace, location)
  if (typeof warehouse !== 'string' || !/^[^\0]+$/.test(warehouse)) {
    throw refusal('PIPELINE_INVALID', `pipeline '${name}': warehouse must be the name of a file`, location)
  }
  if (typeof build !== 'function') {
    throw refusal(
      'PIPELINE_INVALID',
      `pipeline '${name}' has no function`,
      location,
      'Write pipeline(name, ({ from, warehouse }) => { ... }).',
    )
  }
  const builder = new Builder()
  const result: unknown = build(partsOf(builder))
  if (result instanceof Promise) {
    result.catch(() => {})
    throw refusal(
      'PIPELINE_INVALID',
      `pipeline '${name}': its function is async`,
      location,
      'Await what you need before pipeline().',
    )
  }
  const plan = builder.plan(name, { namespace, warehouse }, location)
  return Object.freeze({ kind: 'pipeline', plan })
}

function partsOf(builder: Builder): Parts {
  const nodeOf = (rows: Rows<unknown>, location: Location | null) => {
    if (rows instanceof Stream) return rows.node
    return builder.read(rows as Topic<unknown>, location)
  }
  function ingest(source: SourceReference, topic: Topic<unknown>): void {
    builder.ingest(source, topic, callerOf(ingest))
  }
  function from<R>(topic: Topic<R>): Stream<R> {
    return new Stream<R>(builder, builder.read(topic, callerOf(from)))
  }
  function deliver(rows: Rows<unknown>, sink: SinkReference): void {
    const location = callerOf(deliver)
    builder.deliver(nodeOf(rows, location), { kind: 'sink', sink }, location)
  }
  function table(name: string): Table {
    const made = callerOf(table)
    if (typeof name !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,2}$/.test(name)) {
      const next = "Use letters, digits and underscores, with a schema before a dot if you like: 'RAW_DATA.READINGS'."
      throw refusal(
        'PIPELINE_INVALID',
        `warehouse.table: ${JSON.stringify(name)} cannot be the name of a table`,
        made,
        next,
      )
    }
    function appends(rows: Rows<unknown>): void {
      const location = callerOf(appends)
      builder.deliver(nodeOf(rows, location), { kind: 'table', table: name, mode: 'append' }, location)
    }
    function upserts(rows: Rows<unknown>, options: { readonly key: string | readonly string[] }): void {
      const location = callerOf(upserts)
      const key = [options?.key ?? []].flat()
      builder.deliver(nodeOf(rows, location), { kind: 'table', table: name, mode: 'upsert', key }, location)
    }
    return { appends, upserts }
  }
  function dashboard(title: string, panels: (show: Show) => readonly Panel[]): void {
    const location = callerOf(dashboard)
    if (typeof panels !== 'function') {
      const next = "Write dashboard('Title', show => [show.table('Latest', stream)])."
      throw refusal('PIPELINE_INVALID', 'dashboard: the second argument is no function', location, next)
    }
    builder.show(dashboardNode(title, panels(showOf(nodeOf)), location))
  }
  return { ingest, from, deliver, warehouse: { table }, dashboard }
}

function checkName(what: string, name: unknown, location: Location | null): void {
  if (typeof name === 'string' && /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name)) return
  const next = 'Use letters, digits, dots, underscores and hyphens.'
  throw refusal('PIPELINE_INVALID', `${what}: ${JSON.stringify(name)} cannot be a name`, location, next)
}
