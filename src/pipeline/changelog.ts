/** What a stream that revises its rows must not go through, and why. */
import type { StreamNode } from '../plan/nodes.ts'
import type { Column, Location } from '../plan/schema.ts'
import { refusal } from './refuse.ts'

/** What the row of a changelog says about itself. */
export const REVISION: readonly Column[] = [
  { name: 'revision', type: 'number', nullable: false, integer: true },
  { name: 'is_final', type: 'boolean', nullable: false },
]

export function refuseChangelog(input: StreamNode, step: string, location: Location | null): void {
  if (input.stream.kind === 'append') return
  const message = `${step}: this stream revises its windows (early results or late: 'restate'), and ${step} would count a row twice`
  throw refusal(
    'PIPELINE_INVALID',
    message,
    location,
    `Put .finals() before .${step}(): only the last word on each window.`,
  )
}

/** A later revision that a filter drops would leave the earlier one standing where it was delivered. */
export function refuseChangelogFilter(
  input: StreamNode,
  step: string,
  reads: readonly string[],
  location: Location | null,
): void {
  if (input.stream.kind === 'append') return
  const { key } = input.stream
  const other = reads.find(name => !key.includes(name))
  if (other === undefined) return
  const message = `${step}: this stream revises its windows, and '${other}' may differ between two revisions of a row`
  throw refusal(
    'PIPELINE_INVALID',
    message,
    location,
    `Put .finals() before .${step}(), or read only the key: ${key.join(', ')}.`,
  )
}

/** The columns that identify a row, and its revision. */
export function keptByChangelog(input: StreamNode): readonly string[] {
  return input.stream.kind === 'append' ? [] : [...input.stream.key, ...REVISION.map(({ name }) => name)]
}

/** A changelog may be kept row by row only where each row says which revision it is. */
export function refuseWithoutRevision(input: StreamNode, step: string, location: Location | null): void {
  if (input.stream.kind === 'append') return
  const lost = REVISION.find(({ name }) => !input.columns.some(column => column.name === name))
  if (lost === undefined) return
  const message = `${step}: this stream revises its windows, and its rows no longer say '${lost.name}'`
  throw refusal(
    'PIPELINE_INVALID',
    message,
    location,
    `Keep 'revision' and 'is_final', or put .finals() before ${step}.`,
  )
}
