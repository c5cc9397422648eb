/** `rest('extra')`: the json column that keeps the fields which a z.looseObject does not name. */
import { z } from 'zod'
import { meanings } from './types.ts'
import { definitionOf } from './zod-definition.ts'

/**
 * A column of the fields that a `z.looseObject` does not name, by their names; null for a record that has none:
 * `z.looseObject({ id: z.string(), ...rest('extra') })`. A field with the column's own name is among them.
 */
export function rest<const Name extends string>(
  name: Name,
): { readonly [N in Name]: z.ZodType<Readonly<Record<string, unknown>> | null, unknown> } {
  const column = z.unknown().optional().register(meanings, { rest: true }) as unknown
  return { [name]: column } as { readonly [N in Name]: z.ZodType<Readonly<Record<string, unknown>> | null, unknown> }
}

/** The name of the column that keeps an object's other fields, null when there is none. */
export function restName(schema: z.ZodType): string | null {
  for (const [key, field] of Object.entries(definitionOf(schema).shape ?? {})) {
    if (meanings.get(field)?.rest === true) return key
  }
  return null
}

/** Where a schema keeps other fields: the path of the object, the column's name, and the fields that have their own. */
export interface RestPlace {
  readonly path: string
  readonly declared: ReadonlySet<string>
}

/** By column the object whose other fields it keeps. */
export function restPlaces(schema: z.ZodType): ReadonlyMap<string, RestPlace> {
  const places = new Map<string, RestPlace>()
  const walk = (node: z.ZodType, path: string, above: readonly z.ZodType[]): void => {
    if (above.includes(node)) return
    const { innerType, shape } = definitionOf(node)
    const below = [...above, node]
    if (innerType !== undefined) walk(innerType, path, below)
    const name = restName(node)
    const pathOf = (key: string) => (path === '' ? key : `${path}.${key}`)
    for (const [key, field] of Object.entries(shape ?? {})) {
      if (key === name) {
        const declared = new Set(Object.keys(shape ?? {}).filter(other => other !== name))
        places.set(pathOf(key), { path, declared })
      } else walk(field, pathOf(key), below)
    }
  }
  walk(schema, '', [])
  return places
}

/** The other fields of an object, null when there are none. */
export function restOf(value: unknown, declared: ReadonlySet<string>): Readonly<Record<string, unknown>> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const others = Object.entries(value).filter(([key, cell]) => !declared.has(key) && cell !== undefined)
  return others.length === 0 ? null : Object.fromEntries(others)
}
