/** What zod makes of a value that is missing: whether something inside a type fills it in. */
import type { z } from 'zod'
import { meanings } from './types.ts'
import { definitionOf, hasChecks } from './zod-definition.ts'

/** The type as it is inside a default, where nothing is missing any more. */
export function withoutOptional(schema: z.ZodType): z.ZodType {
  const definition = definitionOf(schema)
  return definition.type === 'optional' && !hasChecks(definition) ? withoutOptional(definition.innerType!) : schema
}

/** Whether zod puts a value where there is none, somewhere inside. */
export function fillsMissing(schema: z.ZodType): boolean {
  const definition = definitionOf(schema)
  if (['default', 'prefault', 'catch', 'pipe', 'lazy', 'custom', 'any', 'unknown'].includes(definition.type)) {
    return meanings.get(schema)?.timestamp === undefined
  }
  return definition.innerType !== undefined && fillsMissing(definition.innerType)
}
