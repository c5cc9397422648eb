/** What a pipeline file imports. */
export {
  type Aggregate,
  average,
  count,
  deviation,
  distinct,
  first,
  last,
  max,
  min,
  quantile,
  sum,
  variance,
} from './pipeline/aggregates.ts'
export type { Panel, Show } from './pipeline/dashboard.ts'
export { type Parts, type Pipeline, type PipelineOptions, pipeline, type Table } from './pipeline/pipeline.ts'
export type { Row } from './pipeline/rows.ts'
export type { Grouped, Stream, Windowed } from './pipeline/stream.ts'
export { type Topic, type TopicOptions, topic, type UntypedTopic } from './pipeline/topic.ts'
export { hopping, tumbling, type Window, type WindowOptions } from './pipeline/windows.ts'
export type { Duration, Size } from './plan/duration.ts'
export { rest } from './plan/rest.ts'
export { decimal, type Timestamp, timestamp } from './plan/types.ts'
export { MillraceError } from './system/errors.ts'
