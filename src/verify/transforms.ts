/** Columns that code in a topic's schema makes: they would be recomputed by the same code, which proves nothing. */
import type { z } from 'zod'
import type { TopicNode } from '../plan/nodes.ts'
import { meanings } from '../plan/types.ts'
import { type Definition, definitionOf } from '../plan/zod-definition.ts'

/** By column the reason why it is not recomputed. */
export function transformedColumns(topic: TopicNode): ReadonlyMap<string, string> {
  const paths: string[] = []
  if (topic.schema !== null) collect(topic.schema, '', paths, new Set())
  const reasons = new Map<string, string>()
  for (const { name } of topic.columns) {
    const path = paths.find(found => found === '' || name === found || name.startsWith(`${found}.`))
    if (path === undefined) continue
    const what = path === '' ? 'the schema' : path
    reasons.set(name, `${what} of topic ${topic.name} goes through a transform, whose own code would be its only proof`)
  }
  return reasons
}

function collect(schema: z.ZodType, path: string, found: string[], visiting: ReadonlySet<z.ZodType>): void {
  // Times are the product's own.
  if (visiting.has(schema) || meanings.get(schema)?.timestamp !== undefined) return
  const definition = definitionOf(schema)
  const inside = new Set([...visiting, schema])
  if (definition.type === 'transform' || 'transform' in definition) {
    found.push(path)
    return
  }
  for (const [key, field] of Object.entries(definition.shape ?? {})) {
    collect(field, path === '' ? key : `${path}.${key}`, found, inside)
  }
  for (const inner of innerOf(definition)) collect(inner, path, found, inside)
}

/** Schemas that stand in the place of the whole value, or are a part of a value that is one column. */
function innerOf(definition: Definition): readonly z.ZodType[] {
  const { innerType, element, valueType, items = [], rest, options = [], in: input, out, getter, catchall } = definition
  const some = [innerType, element, valueType, ...items, rest, ...options, input, out, catchall]
  return [...some, ...(getter === undefined ? [] : [getter()])].filter(inner => inner !== undefined && inner !== null)
}
