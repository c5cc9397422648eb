/** `--input TOPIC=FILE` as sources of the topics that the plan knows. */
import type { Plan, SourceReference } from '../plan/nodes.ts'
import { MillraceError } from '../system/errors.ts'
import { unknownName } from './load-pipeline.ts'

/**
 * The sources given for each topic, in the order given.
 *
 * Errors: OPTION_INVALID for a word without `=`, TOPIC_UNKNOWN with the nearest topic, FILE_UNREADABLE.
 */
export async function inputsOf(plan: Plan, words: readonly string[]): Promise<Map<string, SourceReference[]>> {
  const inputs = new Map<string, SourceReference[]>()
  if (words.length === 0) return inputs
  const { sourceInPlaceOf } = await import('../connectors/input.ts')
  const produced = new Set(plan.produces.map(produce => produce.topic.name))
  const topics = plan.topics.map(topic => topic.name).filter(name => !produced.has(name))
  for (const word of words) {
    const at = word.indexOf('=')
    const topic = word.slice(0, at)
    const path = word.slice(at + 1)
    if (at <= 0 || path === '') {
      throw new MillraceError('OPTION_INVALID', `--input needs the form TOPIC=FILE, not '${word}'`, {
        next: `Write for example --input ${topics[0] ?? 'TOPIC'}=${at < 0 ? word : 'FILE'}`,
      })
    }
    if (produced.has(topic)) {
      throw new MillraceError('OPTION_INVALID', `The topic ${topic} is computed by the pipeline; it takes no --input.`)
    }
    if (!topics.includes(topic)) throw new MillraceError('TOPIC_UNKNOWN', unknownName('topic', topic, topics))
    const declared = plan.ingests.filter(ingest => ingest.topic.name === topic).map(({ source }) => source)
    inputs.set(topic, [...(inputs.get(topic) ?? []), sourceInPlaceOf(declared, path)])
  }
  return inputs
}
