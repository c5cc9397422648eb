/** zod's own description of its types, as far as columns need it. */
import type { z } from 'zod'

export interface Definition {
  readonly type: string
  readonly checks?: readonly { readonly _zod: { readonly def: CheckDefinition } }[]
  readonly check?: string
  readonly format?: string
  readonly coerce?: boolean
  readonly innerType?: z.ZodType
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly catchall?: z.ZodType
  readonly element?: z.ZodType
  readonly valueType?: z.ZodType
  readonly items?: readonly z.ZodType[]
  readonly rest?: z.ZodType | null
  readonly options?: readonly z.ZodType[]
  readonly entries?: Readonly<Record<string, string | number>>
  readonly values?: readonly unknown[]
  readonly in?: z.ZodType
  readonly out?: z.ZodType
  readonly getter?: () => z.ZodType
}

export interface CheckDefinition {
  readonly check: string
  readonly value?: unknown
  readonly inclusive?: boolean
  readonly format?: string
}

export const definitionOf = (schema: z.ZodType) => schema._zod.def as unknown as Definition

export function hasChecks(definition: Definition): boolean {
  return (definition.checks?.length ?? 0) > 0
}

/** `z.array()`, for messages. */
export function describe(schema: z.ZodType): string {
  return `z.${definitionOf(schema).type}()`
}
