/** What feeds a pipeline's topics, and the name of it by which a run is known again. */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { isPattern } from '../../connectors/support/paths.ts'
import { fingerprint } from '../../plan/fingerprint.ts'
import { formatLocation } from '../../plan/location.ts'
import type { Plan, SourceReference, StreamNode, TopicNode } from '../../plan/nodes.ts'
import { goesByTime } from '../../plan/traits.ts'
import { readOf, stepsOf } from '../../plan/walk.ts'
import { MillraceError } from '../../system/errors.ts'
import { filesMatching, statusOf } from '../../system/files.ts'
import type { RunOptions } from '../options.ts'

export type Sources = ReadonlyMap<TopicNode, readonly SourceReference[]>

/** The sources of each topic: those of the command line, else those that the pipeline declares. Throws INPUT_MISSING. */
export function sourcesOf(plan: Plan, inputs: RunOptions['inputs']): Sources {
  const sources = new Map<TopicNode, readonly SourceReference[]>()
  for (const topic of plan.topics) {
    const declared = plan.ingests.filter(ingest => ingest.topic.name === topic.name).map(ingest => ingest.source)
    const bound = inputs.get(topic.name) ?? declared
    if (bound.length === 0) continue
    if (plan.produces.some(produce => produce.topic.name === topic.name)) {
      const message = `Topic ${topic.name} would get records from a source and from a stream.`
      throw new MillraceError('PIPELINE_INVALID', message, { next: 'Use a topic for each.' })
    }
    refuseTwice(topic, bound)
    sources.set(topic, bound)
  }
  if (sources.size === 0) {
    const names = plan.topics.filter(topic => topic.schema !== null).map(topic => topic.name)
    throw new MillraceError(
      'INPUT_MISSING',
      `Nothing feeds the pipeline ${plan.name}: its topics are ${names.join(', ')}.`,
    )
  }
  return sources
}

/** A file that two sources of a topic name would count twice. */
function refuseTwice({ name }: TopicNode, references: readonly SourceReference[]): void {
  if (references.length < 2) return
  const seen = new Set<string>()
  for (const path of pathsOf(references).flatMap(each => (isPattern(each) ? filesMatching(each) : [each]))) {
    if (seen.has(path)) {
      const message = `The topic ${name} would read ${path} twice, and count its records twice.`
      throw new MillraceError('OPTION_INVALID', message, { next: 'Give each file once, by its name or by a pattern.' })
    }
    seen.add(path)
  }
}

/** A step that goes by event time needs a topic that has it. Throws PIPELINE_INVALID. */
export function refuseTimeless(plan: Plan): void {
  for (const step of stepsOf(plan)) {
    const { topic } = readOf(step)
    if (!goesByTime(step) || topic.eventTime !== null) continue
    const place = step.location === null ? '' : `${formatLocation(step.location)}: `
    const message = `${place}${step.identity} goes by event time, and topic '${topic.name}' has none`
    throw new MillraceError('PIPELINE_INVALID', message, {
      next: "Say which field it is: { eventTime: { field: 'time', disorder: '5 s' } }.",
    })
  }
}

/** Equal when a run reads the same bytes again; a file that is followed is the same while it grows. */
export function inputIdentity(sources: Sources, untilEnd: boolean): string {
  const inputs = [...sources].map(([topic, references]) => [
    topic.name,
    references.map(reference => [
      reference.connector,
      reference.options,
      pathOf(reference).map(path => (untilEnd ? bytesAt(path) : null)),
    ]),
  ])
  return digest(JSON.stringify(inputs))
}

/** By topic what feeds it, a line for each source: equal for two runs of which one can go on where the other stopped. */
export function inputTexts(sources: Sources, untilEnd: boolean): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    [...sources].map(([topic, references]) => [
      topic.name,
      references.map(reference => {
        // Files of a pattern may be added, and grow: what is new of them is read.
        const sizes = pathOf(reference).flatMap(path => (untilEnd && !isPattern(path) ? bytesAt(path) : []))
        const text = `${reference.connector} ${JSON.stringify(reference.options)}`
        const files = sizes.map(([path, bytes]) => `${path} of ${bytes} bytes`).join(', ')
        return untilEnd ? `${text}, read to its end${files === '' ? '' : `: ${files}`}` : `${text}, followed`
      }),
    ]),
  )
}

/** The files that the sources of a topic name. */
export function pathsOf(references: readonly SourceReference[]): string[] {
  return references.flatMap(pathOf)
}

/** 32 hexadecimal digits that stand for a text. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** Identity of what a stream makes of these inputs: rows of another one do not go on where its rows end. */
export function streamIncarnation(stream: StreamNode, inputs: string): string {
  return digest(`${fingerprint(stream)}\n${inputs}`)
}

function pathOf(source: SourceReference): string[] {
  const path = source.connector === 'file' ? source.options.path : source.options.export
  return typeof path === 'string' ? [resolve(path)] : []
}

/** Sizes of the file, or of the files that a pattern matches. */
function bytesAt(path: string): readonly (readonly [string, number])[] {
  const status = statusOf(path)
  const paths = status === null ? filesMatching(path) : [path]
  return paths.map(each => [each, statusOf(each)?.bytes ?? 0])
}
