/**
 * Deduplication: walks each key's rows in the order of the log. A row is dropped when the last kept one of its key is at
 * most `within` of event time away and still remembered: the row's frontier is not beyond that time.
 */
import type { DedupeNode } from '../../plan/nodes.ts'
import { type Built, last, nextStep, Refusal, refuseUnknown } from './built.ts'
import { frontierBy } from './frontier.ts'
import { HIDDEN, quoted } from './text.ts'

export function dedupe(node: DedupeNode, input: Built): Built {
  refuseUnknown(node.key, input, node.location)
  if (input.timeless !== null) throw new Refusal(input.timeless, node.location)
  const { window } = input
  if (window !== null && !holdsKey(window.identity, node.key)) {
    const reason = 'windows of several keys end together, and which of them came first is not a function of the records'
    throw new Refusal(reason, node.location)
  }
  const keys = node.key.map(quoted).join(', ')
  const row = '"#number"'
  const numbered = nextStep(
    input,
    `SELECT *, row_number() OVER (ORDER BY ${input.order.join(', ')}) AS ${row} FROM ${last(input)}`,
  )
  const cell = `{'t': ${HIDDEN.time}, 'f': ${frontierBy(node.input, node.key)}, 'p': ${row}, 'kept': []::BIGINT[]}`
  const start = `{'t': NULL::BIGINT, 'f': NULL::BIGINT, 'p': NULL::BIGINT, 'kept': []::BIGINT[]}`
  // Names that no column has: DuckDB would take the column.
  const [a, x] = ['"#state"', '"#row"']
  const forgotten = `${a}.t IS NULL OR abs(${x}.t - ${a}.t) > ${node.within_us} OR ${x}.f > ${a}.t + ${node.within_us}`
  const next = `{'t': ${x}.t, 'f': ${x}.f, 'p': ${x}.p, 'kept': list_append(${a}.kept, ${x}.p)}`
  const walk = `list_reduce(list(${cell} ORDER BY ${row}), lambda ${a}, ${x}: CASE WHEN ${forgotten} THEN ${next} ELSE ${a} END, ${start})`
  const kept = `SELECT unnest((${walk}).kept) FROM ${last(numbered)} GROUP BY ${keys}`
  const deduped = nextStep(numbered, `SELECT * EXCLUDE (${row}) FROM ${last(numbered)} WHERE ${row} IN (${kept})`)
  // Behind a window there are last rows only: a second row of one would be a repeat.
  if (window !== null) return { ...deduped, window: { ...window, reopens: false } }
  if (input.relation.partitions < 2) return deduped
  const spread = `SELECT 1 FROM ${last(input)} GROUP BY ${keys} HAVING count(DISTINCT ${HIDDEN.partition}) > 1`
  const doubt = {
    sql: `WITH ${input.steps.join(',\n')}\nSELECT EXISTS (${spread})`,
    reason: `${node.key.join(', ')} comes in several partitions, and which of their records came first depends on how they were read`,
  }
  return { ...deduped, doubts: [...input.doubts, doubt] }
}

/** Whether each row of one key is of one group of the window, whose windows come out in order. */
export function holdsKey(identity: ReadonlyMap<string, string>, key: readonly string[]): boolean {
  return [...identity].every(([name, now]) => name === 'window_start' || key.includes(now))
}
