/** Whose event time a step goes by. */
import type { StreamNode } from './nodes.ts'
import { readOf } from './walk.ts'

/** Whether rows that are alike in these columns share a progress key, so that its time alone decides. */
export function hasOwnTime(input: StreamNode, columns: readonly string[]): boolean {
  const { topic } = readOf(input)
  const sources = new Set(columns.map(name => sourceColumn(input, name)))
  return topic.eventTime?.progress === 'key' && topic.key.every(name => sources.has(name))
}

/** The column of a step's input that holds the event time of its rows, null when a step before dropped or replaced it. */
export function timeColumnOf(input: StreamNode): string | null {
  const { eventTime } = readOf(input).topic
  const column = input.columns.find(({ name }) => sourceColumn(input, name) === eventTime?.column)
  return column?.name ?? null
}

/** The topic's column whose cells a column of a later step holds unchanged, null when it was computed. */
function sourceColumn(stream: StreamNode, name: string): string | null {
  switch (stream.kind) {
    case 'read':
      return name
    case 'derive':
      return stream.derived.some(derived => derived.name === name) ? null : sourceColumn(stream.input, name)
    case 'project': {
      const projected = stream.projected.find(candidate => candidate.name === name)
      return projected ? sourceColumn(stream.input, projected.from) : null
    }
    case 'explode':
      return stream.input.columns.some(column => column.name === name) ? sourceColumn(stream.input, name) : null
    case 'window':
      return stream.keys.includes(name) ? sourceColumn(stream.input, name) : null
    case 'filter':
    case 'require':
    case 'dedupe':
    case 'finals':
      return sourceColumn(stream.input, name)
  }
}
