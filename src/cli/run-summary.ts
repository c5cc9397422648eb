/** The end of a run as a person reads it, with the command to give next. */
import type { Plan } from '../plan/nodes.ts'
import type { OutputProgress, RunSummary, TopicProgress } from '../runtime/options.ts'
import { shortest } from './paths.ts'
import { isBehind, keptText } from './progress.ts'
import { elapsedText, grouped, type Style, short, tableLines } from './terminal.ts'

/** So many undeclared fields are named to a person. */
const UNDECLARED_SHOWN = 5

/** A topic that the pipeline writes and nothing reads is told among the outputs. */
export function shownAsTopic(plan: Plan): (topic: TopicProgress) => boolean {
  const written = new Set(plan.produces.map(produce => produce.topic.name))
  return topic => topic.records > 0 || !written.has(topic.topic)
}

/** What is told where there is any. */
const RARE: readonly { readonly title: string; readonly of: (topic: TopicProgress) => number }[] = [
  // Where it is all of the dead letters, their number says it.
  { title: 'rejected', of: topic => (topic.rejected === topic.deadLetters ? 0 : topic.rejected) },
  { title: 'duplicates', of: topic => topic.duplicates },
  { title: 'partly late', of: topic => topic.partly_late },
  { title: 'repeats', of: topic => topic.repeats },
]

export function summaryLines(plan: Plan, path: string, summary: RunSummary, style: Style): string[] {
  const seconds = Math.max(summary.elapsed_ms, 1) / 1000
  const deadLetters = summary.topics.reduce((sum, topic) => sum + topic.deadLetters, 0)
  const directory = shortest(summary.dataDirectory)
  const extra = RARE.filter(({ of }) => summary.topics.some(topic => of(topic) > 0))
  const lines = [
    `${style.bold(plan.name)} ${summary.reason === 'ended' ? 'has read its inputs to their end' : 'was stopped'} after ${elapsedText(summary.elapsed_ms)}: ${grouped(summary.newRecords)} records, ${short(summary.newRecords / seconds)} a second`,
    '',
    ...tableLines(
      [
        { title: 'topic' },
        { title: 'records', align: 'right' },
        { title: 'dead letters', align: 'right' },
        { title: 'late', align: 'right' },
        ...extra.map(({ title }) => ({ title, align: 'right' as const })),
      ],
      summary.topics
        .filter(shownAsTopic(plan))
        .map(topic => [
          topic.topic,
          grouped(topic.records),
          topic.deadLetters > 0 ? style.yellow(grouped(topic.deadLetters)) : '0',
          grouped(topic.late),
          ...extra.map(({ of }) => grouped(of(topic))),
        ]),
      style,
    ),
  ]
  if (summary.outputs.length > 0) {
    lines.push('', ...outputLines(summary.outputs, style))
  }
  lines.push('', `data      ${directory}`, ...summary.topics.flatMap(undeclaredLines))
  if (deadLetters > 0) lines.push(`refused   millrace deadletters list --data-dir ${directory}`)
  const verify = `millrace verify ${path} --data-dir ${directory}`
  const lacking = summary.outputs.filter(isBehind)
  // Before the sinks have what they lack, a comparison finds nothing but that.
  if (lacking.length === 0) return [...lines, `next      ${verify}`]
  for (const output of lacking) {
    lines.push(`kept      ${keptText(output)}`)
    const { error } = output.behind
    if (error !== null) lines.push(`          ${style.yellow(error.code)}: ${error.message} ${error.next}`)
  }
  return [...lines, `next      the same run again, then ${verify}`]
}

/** Fields that are in no column, the most frequent ones by name. */
function undeclaredLines({ topic, undeclared_fields: fields }: TopicProgress): string[] {
  if (fields.length === 0) return []
  const named = fields.filter(({ field }) => field !== null).slice(0, UNDECLARED_SHOWN)
  const more = fields.length - named.length
  const texts = named.map(({ field, records }) => `${JSON.stringify(field)} in ${grouped(records)}`)
  const others = more === 0 ? '' : `, and ${grouped(more)} more${more === 1 ? '' : ' (--json names them)'}`
  return [
    `ignored   ${topic} has fields that its schema does not name: ${texts.join(', ')} records${others}`,
    "          they are in no column: declare them, or keep them with z.looseObject and rest('extra')",
  ]
}

/** What went into each output; of sinks that are behind also what they lack. */
function outputLines(outputs: readonly OutputProgress[], style: Style): string[] {
  const lacks = outputs.some(isBehind)
  const titles = ['rows', ...(lacks ? ['lacks'] : [])]
  const rows = outputs.map(({ output, rows, behind }) => [
    output,
    grouped(rows),
    ...(lacks ? [behind === null ? '0' : style.yellow(grouped(behind.rows))] : []),
  ])
  return tableLines([{ title: 'output' }, ...titles.map(title => ({ title, align: 'right' as const }))], rows, style)
}
