/**
 * What a step means, in lines for people: the same parts that its fingerprint is made of, so that whatever changes the one
 * changes the other.
 */
import { formatDuration } from './duration.ts'
import { type FingerprintPart, partsOf } from './fingerprint.ts'
import type { StreamNode } from './nodes.ts'
import { formatUnit, type TimestampUnit } from './schema.ts'

/** From the topic to the step, in order. */
export function meaningOf(node: StreamNode): readonly string[] {
  return partsOf(node).flatMap(linesOf)
}

type Typed = readonly [name: string, type: string, nullable: boolean]
type Window = readonly [string, string[], number, number, string, number, number | null, Aggregate[]]
type Aggregate = readonly [name: string, function_: string, column: string | null, fraction: number | null]
type Time = readonly [column: string, unit: TimestampUnit, disorder_us: number, progress: string, ahead: number | null]

function linesOf(part: FingerprintPart): readonly string[] {
  switch (part[0]) {
    case 'read': {
      const [, name, time, key, , columns] = part as readonly [string, string, Time | null, string[], unknown, Typed[]]
      return [`topic ${name}: ${timeText(time, key)}`, `columns read: ${columns.map(typedText).join(', ')}`]
    }
    case 'filter':
      return [`filter ${lambdaText(part[1])}`]
    case 'derive':
      return (part[1] as [string, unknown][]).map(([name, lambda]) => `${name} = ${lambdaText(lambda)}`)
    case 'require':
      return [`not null: ${(part[1] as string[]).join(', ')}`]
    case 'rename':
      return (part[1] as [string, string][]).map(([name, from]) => `${name} is ${from}`)
    case 'explode':
      return [`a row of each element of ${part[1]}: ${(part[2] as Typed[]).map(typedText).join(', ')}`]
    case 'dedupe':
      return [`dedupe by ${(part[1] as string[]).join(', ')} within ${formatDuration(part[2] as number)}`]
    case 'window':
      return windowLines(part as unknown as Window)
    case 'finals':
      return ['only the last word on each window']
    default:
      return [JSON.stringify(part)]
  }
}

function timeText(time: Time | null, key: readonly string[]): string {
  if (time === null) return 'no event time'
  const [column, unit, disorder_us, progress, ahead_us] = time
  const ahead = ahead_us === null ? '' : `, at most ${formatDuration(ahead_us)} ahead`
  const by = progress === 'key' ? `key ${key.join(', ')}` : progress
  return `event time ${column} (${formatUnit(unit)}), disorder ${formatDuration(disorder_us)}, progress by ${by}${ahead}`
}

function windowLines([, keys, size_us, every_us, late, lateness_us, early_us, aggregates]: Window): readonly string[] {
  const every = every_us === size_us ? '' : ` every ${formatDuration(every_us)}`
  const by = keys.length === 0 ? '' : ` by ${keys.join(', ')}`
  const restated = late === 'restate' ? `restate for ${formatDuration(lateness_us)}` : late
  const early = early_us === null ? '' : `, early results every ${formatDuration(early_us)}`
  return [
    `window of ${formatDuration(size_us)}${every}${by}, late rows: ${restated}${early}`,
    ...aggregates.map(([name, function_, column, fraction]) => {
      const operands = [...(column === null ? [] : [column]), ...(fraction === null ? [] : [String(fraction)])]
      return `${name} = ${function_}(${operands.join(', ')})`
    }),
  ]
}

function lambdaText(meaning: unknown): string {
  if (typeof meaning === 'string') return meaning
  const [, text, parameters] = meaning as readonly [string, string, object]
  return Object.keys(parameters).length === 0 ? text : `${text} with ${JSON.stringify(parameters)}`
}

const typedText = ([name, type, nullable]: Typed) => `${name} ${type}${nullable ? '?' : ''}`
