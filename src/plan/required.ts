/** The fields of a schema that no record may leave out. */
import type { z } from 'zod'
import { definitionOf } from './zod-definition.ts'

/** Names of the columns that zod accepts no record without: it refuses the field where it is missing, be null allowed or not. */
export function requiredColumns(schema: z.ZodType): Set<string> {
  const names = new Set<string>()
  const visit = (field: z.ZodType, path: string): void => {
    if (acceptsMissing(field)) return
    const { shape } = definitionOf(withoutNull(field))
    if (shape === undefined) names.add(path)
    else for (const [key, inner] of Object.entries(shape)) visit(inner, path === '' ? key : `${path}.${key}`)
  }
  visit(schema, '')
  return names
}

/** A schema that throws (a check that is not synchronous) says nothing. */
function acceptsMissing(field: z.ZodType): boolean {
  try {
    return field.safeParse(undefined).success
  } catch {
    return true
  }
}

function withoutNull(field: z.ZodType): z.ZodType {
  const { type, innerType } = definitionOf(field)
  return (type === 'nullable' || type === 'readonly') && innerType !== undefined ? withoutNull(innerType) : field
}
