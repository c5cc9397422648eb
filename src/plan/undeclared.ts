/** Fields of a record that its schema does not name: zod leaves them out, and somebody should know. */
import type { z } from 'zod'
import { restName } from './rest.ts'
import { meanings } from './types.ts'
import { definitionOf } from './zod-definition.ts'

/** An object whose fields the schema names, or a list of such; null below what holds any value. */
type Level =
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, Level | null>; readonly isStripped: boolean }
  | { readonly kind: 'list'; readonly element: Level }

const NONE: readonly string[] = []

/**
 * Makes a function that answers the paths of a record's undeclared fields, each once: `note`, `values.z`, `samples[].x`.
 * What stands in one of several forms (a union), in a record or in an unknown value is not looked into.
 */
export function undeclaredFinder(schema: z.ZodType): (record: unknown) => readonly string[] {
  const level = levelOf(schema, [])
  if (level === null) return () => NONE
  return record => {
    const found = new Set<string>()
    search(record, level, '', found)
    return found.size === 0 ? NONE : [...found]
  }
}

function levelOf(schema: z.ZodType, above: readonly z.ZodType[]): Level | null {
  if (above.includes(schema) || meanings.get(schema)?.timestamp !== undefined) return null
  const { type, innerType, element, shape, catchall, in: input } = definitionOf(schema)
  const below = [...above, schema]
  if (innerType !== undefined) return levelOf(innerType, below)
  if (type === 'pipe' && input !== undefined) return levelOf(input, below)
  if (type === 'array' && element !== undefined) {
    const inner = levelOf(element, below)
    return inner === null ? null : { kind: 'list', element: inner }
  }
  if (shape === undefined) return null
  const fields = new Map(Object.entries(shape).map(([key, field]) => [key, levelOf(field, below)]))
  // In a list the whole value is kept, with what zod lets through; a strict object has no others.
  const keepsRest = restName(schema) !== null || (catchall !== undefined && above.some(isList))
  return { kind: 'object', fields, isStripped: !keepsRest }
}

const isList = (schema: z.ZodType) => definitionOf(schema).type === 'array'

function search(value: unknown, level: Level, path: string, found: Set<string>): void {
  if (typeof value !== 'object' || value === null) return
  if (level.kind === 'list') {
    if (Array.isArray(value)) for (const item of value) search(item, level.element, `${path}[]`, found)
    return
  }
  if (Array.isArray(value)) return
  for (const key in value) {
    const inner = level.fields.get(key)
    if (inner === undefined) {
      if (level.isStripped) found.add(path === '' ? key : `${path}.${key}`)
    } else if (inner !== null) {
      search((value as Record<string, unknown>)[key], inner, path === '' ? key : `${path}.${key}`, found)
    }
  }
}
