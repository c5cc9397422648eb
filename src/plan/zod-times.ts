/** Where in a schema the times are. */
import type { z } from 'zod'
import { isNumberUnit } from './schema.ts'
import { meanings } from './types.ts'
import { type Definition, definitionOf } from './zod-definition.ts'

/** One level of the way to a time: a key, or any element or value. */
export type TimeStep = string | null

/**
 * The ways to all times written as numbers, so that their digits can be put there before zod sees them. Not those behind
 * a function of the user's, which must see a plain number.
 */
export function timePaths(schema: z.ZodType): readonly (readonly TimeStep[])[] {
  const paths: TimeStep[][] = []
  const walk = (node: z.ZodType, path: readonly TimeStep[], above: readonly z.ZodType[]): void => {
    if (above.includes(node)) return
    const unit = meanings.get(node)?.timestamp
    if (unit !== undefined) {
      if (isNumberUnit(unit)) paths.push([...path])
      return
    }
    const { innerType, element, valueType, items, rest, shape } = definitionOf(node)
    const below = [...above, node]
    if (innerType) walk(innerType, path, below)
    for (const child of [element, valueType, rest]) if (child) walk(child, [...path, null], below)
    items?.forEach((child, index) => {
      walk(child, [...path, String(index)], below)
    })
    for (const [key, child] of Object.entries(shape ?? {})) walk(child, [...path, key], below)
  }
  walk(schema, [], [])
  return paths
}

/** Whether a time is one of several forms that zod tries. */
export function timeInUnion(schema: z.ZodType, inUnion = false, seen = new Set<z.ZodType>()): boolean {
  if (seen.has(schema)) return false
  seen.add(schema)
  if (meanings.get(schema)?.timestamp !== undefined) return inUnion
  const definition = definitionOf(schema)
  const below = inUnion || definition.type === 'union'
  return childrenOf(definition).some(child => timeInUnion(child, below, seen))
}

function childrenOf(definition: Definition): readonly z.ZodType[] {
  const { innerType, element, valueType, items, rest, options, in: input, out, shape } = definition
  const children = [innerType, element, valueType, rest, input, out, ...(items ?? []), ...(options ?? [])]
  return [...children, ...Object.values(shape ?? {})].filter(child => child !== undefined && child !== null)
}
