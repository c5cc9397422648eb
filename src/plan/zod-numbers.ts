/** The numbers of a schema: the type of their column, and what they look like on the wire. */
import type { z } from 'zod'
import { type DecimalType, decimalOfDigits, EXACT_DIGITS_MAX } from './exact.ts'
import type { Column, ColumnType } from './schema.ts'
import { decimalLimit } from './types.ts'
import type { WireNode } from './wire.ts'
import { boundsOf, unchanged } from './zod-checks.ts'
import { type Definition, hasChecks } from './zod-definition.ts'

export interface NumberLeaf {
  readonly type: ColumnType
  readonly more: Partial<Column>
  readonly wire: (column: number) => WireNode
}

/** A `z.bigint()` of any format: of all of them a column holds 64 bits. */
export function integerLeaf(schema: z.ZodType, definition: Definition): NumberLeaf {
  const isPlain = (definition.format ?? 'int64') === 'int64' && !hasChecks(definition)
  const accepts = isPlain ? null : unchanged<bigint>(schema)
  return { type: 'int64', more: {}, wire: column => ({ kind: 'int64', column, nullable: false, accepts }) }
}

export function numberLeaf(schema: z.ZodType, definition: Definition, decimal: DecimalType | null): NumberLeaf {
  const { integer, minimum, maximum, exact } = boundsOf(definition)
  if (decimal !== null && decimal.precision <= EXACT_DIGITS_MAX) {
    const limit = decimalLimit(decimal)
    const isPlain = exact && !integer && minimum?.value === -limit && maximum?.value === limit
    const accepts = isPlain ? null : unchanged<number>(schema)
    return {
      type: 'decimal',
      more: { decimal },
      wire: column => ({ kind: 'decimal', column, nullable: false, ...decimal, accepts }),
    }
  }
  const fits = unchanged<number>(schema)
  const ofDecimal = (value: number) => fits(value) && decimalOfDigits(String(value), decimal!) !== null
  const accepts = decimal !== null ? ofDecimal : exact ? null : fits
  return {
    type: 'number',
    more: { ...(decimal && { decimal }), ...(integer && { integer }) },
    wire: column => ({ kind: 'number', column, nullable: false, integer, minimum, maximum, accepts }),
  }
}
