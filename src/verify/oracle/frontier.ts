/**
 * The frontier of each record, in SQL.
 *
 * With progress by key, where keys are scattered over partitions, a key that is new in a partition starts at the largest
 * time of that partition so far. Where they are not, it starts, for steps whose groups hold rows of several keys, at the
 * lowest time of the keys that are known: that is what those groups have been closed by.
 */
import { hasOwnTime } from '../../plan/event-time.ts'
import type { EventTime, StreamNode, TopicNode } from '../../plan/nodes.ts'
import { chainOf } from '../../plan/walk.ts'
import { HIDDEN, quoted } from './text.ts'

const { time, frontier, joint, position, partition } = HIDDEN

/** The hidden column by which a step with these keys judges its rows. */
export function frontierBy(input: StreamNode, keys: readonly string[]): string {
  return hasOwnTime(input, keys) ? frontier : joint
}

export interface Frontiers {
  /** Common table expressions. */
  readonly steps: readonly string[]
  /** The relation with the records and the hidden columns. */
  readonly rows: string
  readonly hidden: readonly string[]
}

export interface RecordsOfTopic {
  /** The SQL name of the relation with the topic's records. */
  readonly relation: string
  /** Whether records of one key may be in several partitions. Default false. */
  readonly isScattered?: boolean
  /** Whether any step asks for `joint`, which takes a look at all pairs of keys. Default false. */
  readonly hasJointGroups?: boolean
}

/** Whether a step behind the topic has groups with rows of several progress keys. */
export function hasJointGroups(stream: StreamNode): boolean {
  return chainOf(stream).some(
    node =>
      (node.kind === 'window' && !hasOwnTime(node.input, node.keys)) ||
      (node.kind === 'dedupe' && !hasOwnTime(node.input, node.key)),
  )
}

/** Adds the event time and the frontiers to the records of a topic. */
export function frontiers(
  topic: TopicNode,
  { column, disorder_us, progress }: EventTime,
  { relation, isScattered = false, hasJointGroups = false }: RecordsOfTopic,
): Frontiers {
  const at = `${quoted(column)}::BIGINT`
  const hidden = [time, frontier, joint, position]
  const keys = topic.key.map(quoted)
  const own = progress === 'key' ? [partition, ...keys] : [partition]
  const running = (values: string, groups: readonly string[], frame = 'ROWS UNBOUNDED PRECEDING') =>
    `max(${values}) OVER (PARTITION BY ${groups.join(', ')} ORDER BY ${position} ${frame})`
  const timed = `SELECT *, ${at} AS ${time}, ${running(at, own)} AS "#own" FROM ${relation}`
  if (progress === 'partition') {
    const rows = `(SELECT *, "#own" - ${disorder_us} AS ${frontier}, ${frontier} AS ${joint} FROM (${timed}))`
    return { steps: [], rows, hidden }
  }
  const first = (values: string) =>
    `first_value(${values}) OVER (PARTITION BY ${own.join(', ')} ORDER BY ${position} ROWS UNBOUNDED PRECEDING)`
  if (isScattered) {
    const before = running(at, [partition], 'ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING')
    const started = `SELECT *, ${first('"#before"')} AS "#start" FROM (SELECT *, ${before} AS "#before" FROM (${timed}))`
    const reached = `greatest("#own", coalesce("#start", "#own")) - ${disorder_us}`
    return {
      steps: [],
      rows: `(SELECT *, ${reached} AS ${frontier}, ${frontier} AS ${joint} FROM (${started}))`,
      hidden,
    }
  }
  if (!hasJointGroups) {
    return {
      steps: [],
      rows: `(SELECT *, "#own" - ${disorder_us} AS ${frontier}, ${frontier} AS ${joint} FROM (${timed}))`,
      hidden,
    }
  }
  const steps = [
    // A key has a time from one of its records to the next.
    `"#spans" AS MATERIALIZED (SELECT ${[...own, position].join(', ')}, "#own",
  coalesce(lead(${position}) OVER (PARTITION BY ${own.join(', ')} ORDER BY ${position}), 9223372036854775807) AS "#until",
  ${first(position)} = ${position} AS "#isFirst" FROM (${timed}))`,
    // The lowest time of the keys before each first record; never less than before an earlier one.
    `"#starts" AS (SELECT ${partition}, ${position}, max("#lowest") OVER (PARTITION BY ${partition} ORDER BY ${position}) AS "#start" FROM (
  SELECT f.${partition}, f.${position}, min(s."#own") AS "#lowest" FROM "#spans" f JOIN "#spans" s
  ON f.${partition} = s.${partition} AND s.${position} < f.${position} AND s."#until" >= f.${position}
  WHERE f."#isFirst" GROUP BY f.${partition}, f.${position}))`,
    `"#timed" AS (SELECT r.*, s."#start" AS "#new" FROM (${timed}) r LEFT JOIN "#starts" s USING (${partition}, ${position}))`,
  ]
  const reached = `greatest("#own", coalesce(${first('"#new"')}, "#own")) - ${disorder_us}`
  const rows = `(SELECT *, "#own" - ${disorder_us} AS ${frontier}, ${reached} AS ${joint} FROM "#timed")`
  return { steps, rows, hidden }
}
