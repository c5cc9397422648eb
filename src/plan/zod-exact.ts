/** Where in a schema the values are whose own digits count: times, 64-bit integers and decimals. */
import type { z } from 'zod'
import { type DecimalType, EXACT_DIGITS_MAX } from './exact.ts'
import { isNumberUnit } from './schema.ts'
import { meanings } from './types.ts'
import { type Definition, definitionOf } from './zod-definition.ts'

/** One level of the way to a value: a key, or any element or value. */
export type PathStep = string | null

export interface ExactPath {
  readonly path: readonly PathStep[]
  /** A decimal's type; else what zod is given in place of the number. */
  readonly kind: 'time' | 'int64' | DecimalType
}

/**
 * The ways to all of them that are written as numbers, so that their digits are known beside what zod sees. Not those
 * behind a function of the user's, which must see a plain number.
 */
export function exactPaths(schema: z.ZodType): readonly ExactPath[] {
  const paths: ExactPath[] = []
  const walk = (node: z.ZodType, path: readonly PathStep[], above: readonly z.ZodType[]): void => {
    if (above.includes(node)) return
    const kind = kindOf(node)
    if (kind !== null) {
      if (kind !== 'text') paths.push({ path, kind })
      return
    }
    const { innerType, element, valueType, items, rest, shape, options } = definitionOf(node)
    const below = [...above, node]
    if (innerType) walk(innerType, path, below)
    for (const child of options ?? []) if (isOnlyForm(options!, child)) walk(child, path, below)
    for (const child of [element, valueType, rest]) if (child) walk(child, [...path, null], below)
    items?.forEach((child, index) => {
      walk(child, [...path, String(index)], below)
    })
    for (const [key, child] of Object.entries(shape ?? {})) walk(child, [...path, key], below)
  }
  walk(schema, [], [])
  return paths
}

function kindOf(node: z.ZodType): ExactPath['kind'] | 'text' | null {
  const meaning = meanings.get(node)
  if (meaning?.timestamp !== undefined) return isNumberUnit(meaning.timestamp) ? 'time' : 'text'
  if (meaning?.decimal !== undefined) return meaning.decimal.precision <= EXACT_DIGITS_MAX ? meaning.decimal : null
  return definitionOf(node).type === 'bigint' ? 'int64' : null
}

/** In words a time or 64-bit integer that is one of several types that zod tries; null when there is none. */
export function exactInUnion(schema: z.ZodType, inUnion = false, seen = new Set<z.ZodType>()): string | null {
  if (seen.has(schema)) return null
  seen.add(schema)
  const kind = kindOf(schema)
  if (kind !== null) {
    // Of a decimal among others zod chooses by the double.
    if (!inUnion || typeof kind === 'object') return null
    return kind === 'int64' ? 'a 64-bit integer' : 'a timestamp'
  }
  const definition = definitionOf(schema)
  for (const child of childrenOf(definition)) {
    const isChoice =
      definition.type === 'union' &&
      !(isOnlyForm(definition.options!, child) && kindOf(child) !== 'time' && kindOf(child) !== 'text')
    const found = exactInUnion(child, inUnion || isChoice, seen)
    if (found !== null) return found
  }
  return null
}

/** Whether all other options of a union are null or nothing. */
function isOnlyForm(options: readonly z.ZodType[], option: z.ZodType): boolean {
  return options.every(other => other === option || ['null', 'undefined'].includes(definitionOf(other).type))
}

function childrenOf(definition: Definition): readonly z.ZodType[] {
  const { innerType, element, valueType, items, rest, options, in: input, out, shape } = definition
  const children = [innerType, element, valueType, rest, input, out, ...(items ?? []), ...(options ?? [])]
  return [...children, ...Object.values(shape ?? {})].filter(child => child !== undefined && child !== null)
}
