/** Topics: named, kept logs of records. */
import type { z } from 'zod'
import { bytesOf, type Duration, microsecondsOf, type Size } from '../plan/duration.ts'
import { callerOf } from '../plan/location.ts'
import type { EventTime, Progress, TopicNode } from '../plan/nodes.ts'
import type { Column, Location, TimestampUnit } from '../plan/schema.ts'
import { meanings } from '../plan/types.ts'
import { readSchema } from '../plan/zod.ts'
import { columnNamed, located, refusal, refuseUnknown } from './refuse.ts'
import type { Rows } from './rows.ts'
import { COMPARABLE } from './step.ts'
import type { KeyColumn, RowOf, TimestampColumn } from './types.ts'

/** A topic whose records have a schema. */
export interface Topic<R> extends Rows<R> {
  readonly kind: 'topic'
  readonly name: string
  readonly node: TopicNode
}

/** A topic that takes the type of the stream sent to it. */
export interface UntypedTopic {
  readonly kind: 'untyped topic'
  readonly name: string
  /** Without columns, until a stream is sent to it. */
  readonly node: TopicNode
}

interface StorageOptions {
  /** Parts of the log that are read side by side; records of one key are always in the same one. Default 1. */
  readonly partitions?: number
  /** How long, and up to which size, records are kept. Default: for ever. */
  readonly retention?: { readonly time?: Duration; readonly size?: Size }
}

export interface TopicOptions<R> extends StorageOptions {
  /** Records with the same key keep their order. */
  readonly key?: KeyColumn<R> | readonly KeyColumn<R>[]
  readonly eventTime?: {
    /** The timestamp that says when it happened. */
    readonly field: TimestampColumn<R>
    /** How much later than a younger record an older one may arrive and still count. Default `'0 s'`. */
    readonly disorder?: Duration
    /** Whether lateness is judged within a record's partition (default) or among the records of its own key. */
    readonly progress?: Progress
    /** A record further ahead of its arrival than this is quarantined. Default: none is. */
    readonly maxAhead?: Duration
    /** With nothing arriving for this long, event time goes on with the wall clock. Default `'10 s'`. */
    readonly idleAfter?: Duration
  }
}

type OptionsOf<S> = S extends z.ZodType ? TopicOptions<RowOf<z.output<S>>> : StorageOptions
type TopicOf<S> = S extends z.ZodType ? Topic<RowOf<z.output<S>>> : UntypedTopic

/**
 * Declares a topic. With a zod object it has records of that form; without a schema (`topic('results')`) it takes the
 * type of the stream sent to it. Throws SCHEMA_UNSUPPORTED for types that have no column form, COLUMN_UNKNOWN,
 * COLUMN_TYPE and DURATION_INVALID for options.
 */
export function topic<S extends z.ZodType<object> | null = null>(
  name: string,
  schema?: S,
  options?: OptionsOf<S>,
): TopicOf<S> {
  const location = callerOf(topic)
  const node = located(location, () => topicNode(name, schema ?? null, options ?? {}, location))
  return Object.freeze({ kind: schema ? 'topic' : 'untyped topic', name, node }) as unknown as TopicOf<S>
}

function topicNode(
  name: string,
  schema: z.ZodType | null,
  options: TopicOptions<unknown>,
  location: Location | null,
): TopicNode {
  if (typeof name !== 'string' || !/^[A-Za-z0-9_][A-Za-z0-9._-]{0,248}$/.test(name)) {
    const next = 'Use up to 249 letters, digits, dots, underscores and hyphens.'
    throw refusal('PIPELINE_INVALID', `topic: ${JSON.stringify(name)} cannot be the name of a topic`, location, next)
  }
  const columns = schema === null ? [] : readSchema(schema).columns
  const { partitions = 1, retention } = options
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 4096) {
    throw refusal('PIPELINE_INVALID', `topic '${name}': partitions must be a whole number from 1 to 4096`, location)
  }
  const step = `topic '${name}'`
  refuseUnknown(options, ['key', 'eventTime', 'partitions', 'retention'], step, location)
  refuseUnknown(retention ?? {}, ['time', 'size'], `${step}, retention`, location)
  const key = [options.key ?? []].flat() as readonly string[]
  for (const path of key) columnNamed(columns, path, `${step}, key`, location, COMPARABLE)
  const eventTime =
    options.eventTime === undefined ? null : eventTimeOf(step, schema, columns, options.eventTime, location)
  if (eventTime?.progress === 'key' && key.length === 0) {
    throw refusal(
      'PIPELINE_INVALID',
      `${step}: progress 'key' needs a key`,
      location,
      "Give the topic a key: { key: 'deviceId' }.",
    )
  }
  return Object.freeze({
    kind: 'topic',
    name,
    schema,
    columns,
    key,
    eventTime,
    partitions,
    retention: Object.freeze({
      time_us: retention?.time === undefined ? null : microsecondsOf(retention.time, `${step}, retention time`),
      bytes: retention?.size === undefined ? null : bytesOf(retention.size, `${step}, retention size`),
    }),
    location,
  })
}

function eventTimeOf(
  step: string,
  schema: z.ZodType | null,
  columns: readonly Column[],
  options: NonNullable<TopicOptions<unknown>['eventTime']>,
  location: Location | null,
): EventTime {
  const known = ['field', 'disorder', 'progress', 'maxAhead', 'idleAfter']
  refuseUnknown(options, known, `${step}, event time`, location)
  const field = options.field as string
  const { nullable } = columnNamed(columns, field, `${step}, event time`, location, ['timestamp'])
  if (nullable) {
    const message = `${step}, event time: column '${field}' can be null`
    throw refusal('COLUMN_TYPE', message, location, 'A record without a time has no place: make the field required.')
  }
  const { progress = 'partition' } = options
  if (progress !== 'partition' && progress !== 'key') {
    throw refusal(
      'PIPELINE_INVALID',
      `${step}: progress is ${JSON.stringify(progress)}`,
      location,
      "Use 'partition' or 'key'.",
    )
  }
  return Object.freeze({
    column: field,
    unit: unitAt(schema, field),
    disorder_us: microsecondsOf(options.disorder ?? '0 s', `${step}, disorder`, 'zero'),
    progress,
    maxAhead_us: options.maxAhead === undefined ? null : microsecondsOf(options.maxAhead, `${step}, maxAhead`),
    idleAfter_us: microsecondsOf(options.idleAfter ?? '10 s', `${step}, idleAfter`),
  })
}

/** The unit in which messages write the time at a path. */
function unitAt(schema: z.ZodType | null, path: string): TimestampUnit {
  let node: z.ZodType | undefined = schema ?? undefined
  const steps = path.split('.')
  while (node !== undefined) {
    const unit = meanings.get(node)?.timestamp
    if (unit !== undefined) return unit
    const definition = node._zod.def as { innerType?: z.ZodType; out?: z.ZodType; shape?: Record<string, z.ZodType> }
    node =
      definition.shape === undefined ? (definition.innerType ?? definition.out) : definition.shape[steps.shift() ?? '']
  }
  return 'us'
}
