/**
 * A zod schema read once: the columns of its rows, and the form of its messages.
 *
 * The rules. An object becomes columns of its leaves, `values.x`. A column is nullable when zod can give null or undefined
 * for it, or when an object above it can be missing. What zod checks beyond type and bounds (a refinement, a format, an
 * enum) becomes a predicate run by zod itself. What changes a value keeps the fast path only for the values that it does
 * not change. Types that JSON cannot hold, and transforms whose result zod does not name, are refused.
 */
import type { z } from 'zod'
import type { MillraceError } from '../system/errors.ts'
import type { Column, ColumnType } from './schema.ts'
import { meanings } from './types.ts'
import type { WireField, WireNode } from './wire.ts'
import { acceptsOutput, unchanged } from './zod-checks.ts'
import { type Definition, definitionOf, describe, hasChecks } from './zod-definition.ts'
import { exactInUnion } from './zod-exact.ts'
import { fillsMissing, withoutOptional } from './zod-missing.ts'
import { integerLeaf, type NumberLeaf, numberLeaf } from './zod-numbers.ts'
import { insteadOf, unsupported } from './zod-refusals.ts'

const REST = 'it keeps the fields that the schema does not name'

export interface SchemaReading {
  readonly columns: readonly Column[]
  readonly wire: WireNode
}

/** Reads the schema of a topic's messages. Throws SCHEMA_UNSUPPORTED for what cannot be columns, naming the field. */
export function readSchema(schema: z.ZodType): SchemaReading {
  const reader = new Reader()
  const reading = reader.read(schema, '')
  if (reading.shape !== 'object') {
    throw unsupported('', `a message must be an object, not ${describe(schema)}`, 'Wrap it: z.object({ ... }).')
  }
  return { columns: reader.columns, wire: reading.wire }
}

/** What an element of an array column is made of; null when it is not an object. */
function elementColumns(schema: z.ZodType, path: string, visiting: ReadonlySet<z.ZodType>): readonly Column[] | null {
  const reader = new Reader(visiting, `${path}[]`)
  const reading = reader.read(schema, '')
  if (reading.shape !== 'object') return null
  return reader.columns
}

interface Reading {
  readonly shape: 'object' | 'leaf'
  readonly wire: WireNode
  /** A missing field is accepted and gives null; with a default it is accepted too, but only the slow path knows. */
  readonly optional: boolean
}

class Reader {
  readonly columns: Column[] = []
  readonly #visiting: Set<z.ZodType>
  readonly #base: string

  constructor(visiting: ReadonlySet<z.ZodType> = new Set(), base = '') {
    this.#visiting = new Set(visiting)
    this.#base = base
  }

  read(schema: z.ZodType, path: string): Reading {
    if (this.#visiting.has(schema)) {
      throw this.#unsupported(path, 'it contains itself', 'Use z.array(...) or z.unknown() where it does.')
    }
    this.#visiting.add(schema)
    const reading = this.#read(schema, path)
    this.#visiting.delete(schema)
    return reading
  }

  #read(schema: z.ZodType, path: string): Reading {
    const definition = definitionOf(schema)
    const unit = meanings.get(schema)?.timestamp
    if (unit !== undefined) {
      const accepts = hasChecks(definition) ? acceptsOutput(schema, unit) : null
      return leaf({ kind: 'timestamp', column: this.#add(path, 'timestamp', { unit }), nullable: false, unit, accepts })
    }
    if (meanings.get(schema)?.rest === true) return this.#slow(path, 'json', REST, {}, true)
    switch (definition.type) {
      case 'object':
        return this.#object(definition, path)
      case 'bigint':
        return this.#number(path, integerLeaf(schema, definition))
      case 'number':
        return this.#number(path, numberLeaf(schema, definition, meanings.get(schema)?.decimal ?? null))
      case 'string':
        return this.#text(schema, path, hasChecks(definition) || definition.check !== undefined)
      case 'template_literal':
        return this.#text(schema, path, true)
      case 'boolean': {
        const accepts = hasChecks(definition) ? unchanged<boolean>(schema) : null
        return leaf({ kind: 'boolean', column: this.#add(path, 'boolean'), nullable: false, accepts })
      }
      case 'enum':
        return this.#oneOf(schema, Object.values(definition.entries ?? {}), path)
      case 'literal':
        return this.#oneOf(schema, definition.values ?? [], path)
      case 'optional': {
        const inner = this.#wrapped(definition, path)
        // Something inside that fills in a missing value (a default) is known to the slow path alone.
        const optional = inner.optional || !fillsMissing(definition.innerType!)
        return { ...this.#nullable(inner, path), optional }
      }
      case 'nullable': {
        const inner = this.#wrapped(definition, path)
        return { ...this.#nullable(inner, path), wire: acceptingNull(inner.wire) }
      }
      case 'default':
      case 'prefault':
      case 'nonoptional': {
        const inner = this.#wrapped(definition, path)
        return { ...inner, optional: false }
      }
      case 'catch':
        return { ...this.#wrapped(definition, path), optional: false }
      case 'readonly':
        return this.#wrapped(definition, path)
      case 'success':
        return this.#slow(path, 'boolean', 'it asks whether another type fits')
      case 'pipe': {
        if (definition.in !== undefined && definitionOf(definition.out!).type === 'transform') {
          throw this.#unsupported(
            path,
            'zod does not say what comes out of a transform',
            'Say it: .transform(...).pipe(z.number()).',
          )
        }
        const mark = this.columns.length
        const out = this.read(definition.out!, path)
        return { ...out, wire: this.#slowFrom(mark, 'it is a pipe or a transform'), optional: false }
      }
      case 'lazy':
        return this.#lazy(definition, path)
      case 'union':
        return this.#union(schema, definition, path)
      case 'intersection': {
        throw this.#unsupported(path, 'an intersection has no columns', 'Use one z.object(), or .extend().')
      }
      case 'array': {
        this.#refuseExactInUnions(schema, path)
        const element = elementColumns(definition.element!, this.#full(path), this.#visiting)
        return this.#slow(path, 'json', 'it is an array', element === null ? {} : { element })
      }
      case 'record':
      case 'tuple':
        this.#refuseExactInUnions(schema, path)
        return this.#slow(path, 'json', `it is a ${definition.type}`)
      case 'any':
      case 'unknown':
        return this.#slow(path, 'json', 'it can be anything', {}, true)
      case 'null':
        return this.#slow(path, 'json', 'it is always null', {}, true)
      case 'custom':
        return this.#slow(path, 'json', 'zod does not say what a custom type is')
      default:
        throw this.#unsupported(path, `${describe(schema)} has no column form`, insteadOf(definition.type))
    }
  }

  #number(path: string, { type, more, wire }: NumberLeaf): Reading {
    return leaf(wire(this.#add(path, type, more)))
  }

  #object(definition: Definition, path: string): Reading {
    const mark = this.columns.length
    const fields: WireField[] = []
    for (const [key, field] of Object.entries(definition.shape ?? {})) {
      const full = path === '' ? key : `${path}.${key}`
      if (key === '' || key.includes('.')) {
        const next = 'Dots separate the levels of a path: have the sender rename the field.'
        throw this.#unsupported(full, `${JSON.stringify(key)} cannot be the name of a column`, next)
      }
      // zod would find what each object inherits where the field is missing.
      if (key in Object.prototype) {
        const next = 'Have the sender rename the field, or leave it out.'
        throw this.#unsupported(full, `every JavaScript object has '${key}' already`, next)
      }
      const reading = this.read(field, full)
      fields.push({ key, optional: reading.optional, node: reading.wire })
    }
    const catchall = definition.catchall === undefined ? null : definitionOf(definition.catchall).type
    this.#checkRest(definition, catchall, path)
    const checksRest = catchall !== null && catchall !== 'never' && catchall !== 'unknown' && catchall !== 'any'
    const reason = hasChecks(definition)
      ? 'the object has a refinement of its own'
      : checksRest
        ? 'its other fields are checked too (catchall)'
        : null
    const wire: WireNode =
      reason === null
        ? { kind: 'object', fields, strict: catchall === 'never', nullable: false }
        : this.#slowFrom(mark, reason)
    return { shape: 'object', wire, optional: false }
  }

  /** What an object lets through beside its fields needs a column; in an array it is in the array's own. */
  #checkRest({ shape = {} }: Definition, catchall: string | null, path: string): void {
    if (this.#base.endsWith('[]')) return
    const rests = Object.entries(shape).filter(([, field]) => meanings.get(field)?.rest === true)
    const isLoose = catchall === 'unknown' || catchall === 'any'
    if (rests.length === 0 && isLoose) {
      const next =
        "Keep them in a json column: z.looseObject({ ..., ...rest('extra') }), with rest from 'millrace'. Or use z.object(): they are left out, and counted."
      throw this.#unsupported(path, 'a z.looseObject lets fields through that have no column', next)
    }
    if (rests.length > 1) throw this.#unsupported(path, 'it keeps its other fields twice', 'Leave one rest(...) out.')
    if (rests.length === 1 && (catchall === null || catchall === 'never')) {
      const next = 'Use z.looseObject({ ... }).'
      throw this.#unsupported(path, `rest('${rests[0]![0]}') keeps fields that only a z.looseObject lets through`, next)
    }
  }

  #wrapped(definition: Definition, path: string): Reading {
    const mark = this.columns.length
    // A default inside which a value is optional is as if it were not: what is missing is filled in.
    const fills = ['default', 'prefault', 'nonoptional'].includes(definition.type)
    const inner = this.read(fills ? withoutOptional(definition.innerType!) : definition.innerType!, path)
    if (!hasChecks(definition)) return inner
    return { ...inner, wire: this.#slowFrom(mark, `the refinement is on the ${definition.type}`), optional: false }
  }

  #text(schema: z.ZodType, path: string, checked: boolean, labels?: readonly string[]): Reading {
    const column = this.#add(path, 'text', labels === undefined ? {} : { labels })
    return leaf({ kind: 'text', column, nullable: false, accepts: checked ? unchanged<string>(schema) : null })
  }

  #oneOf(schema: z.ZodType, values: readonly unknown[], path: string): Reading {
    const some = values.filter(value => value !== null && value !== undefined)
    const type = typeof some[0]
    if (some.length === 0 || some.some(value => typeof value !== type)) {
      return this.#slow(path, 'json', 'its values are of several types', {}, some.length < values.length)
    }
    const reading = this.#primitive(schema, type, path, type === 'string' ? (some as string[]) : null)
    return values.includes(null) ? this.#nullable({ ...reading, wire: acceptingNull(reading.wire) }, path) : reading
  }

  /** A leaf of which zod itself decides what is accepted. */
  #primitive(schema: z.ZodType, type: string, path: string, labels: readonly string[] | null): Reading {
    if (type === 'string' || type === 'text') {
      return this.#text(schema, path, true, labels === null ? undefined : [...new Set(labels)])
    }
    if (type === 'number') {
      const accepts = unchanged<number>(schema)
      const column = this.#add(path, 'number')
      return leaf({ kind: 'number', column, nullable: false, integer: false, minimum: null, maximum: null, accepts })
    }
    if (type === 'boolean') {
      return leaf({ kind: 'boolean', column: this.#add(path, 'boolean'), nullable: false, accepts: unchanged(schema) })
    }
    if (type === 'int64') {
      return leaf({ kind: 'int64', column: this.#add(path, 'int64'), nullable: false, accepts: unchanged(schema) })
    }
    throw this.#unsupported(path, `a literal ${type} cannot come from JSON`, 'Use a text, a number or a boolean.')
  }

  #union(schema: z.ZodType, definition: Definition, path: string): Reading {
    this.#refuseExactInUnions(schema, path)
    const readings = (definition.options ?? []).map(option => {
      const reader = new Reader(this.#visiting, this.#full(path))
      const type = definitionOf(option).type
      if (type === 'null' || type === 'undefined') return { type: null, nullable: true, labels: [] }
      const { shape } = reader.read(option, '')
      const column = reader.columns[0]
      if (shape === 'object' || column === undefined) return { type: 'json' as const, nullable: false, labels: null }
      const { type: known, nullable, labels = null, decimal } = column
      return { type: known, nullable, labels, decimal }
    })
    const nullable = readings.some(reading => reading.nullable)
    const forms = readings.filter(reading => reading.type !== null)
    if (forms.length === 1 && forms[0]!.type === 'decimal') {
      return this.#slow(path, 'decimal', 'it is a union', { decimal: forms[0]!.decimal! }, nullable)
    }
    // Of several forms zod chooses by the double.
    const types = new Set(forms.map(({ type }) => (type === 'decimal' ? 'number' : type)))
    const [type] = types
    if (types.size !== 1 || type === undefined || type === 'json' || type === 'timestamp') {
      return this.#slow(path, 'json', 'it is a union', {}, nullable)
    }
    const labels = readings.flatMap<string | null>(reading => reading.labels ?? [null])
    const known = type === 'text' ? allOf(labels) : null
    const reading = this.#primitive(schema, type, path, known)
    if (!nullable) return reading
    const wire = unchanged<null>(schema)(null) ? acceptingNull(reading.wire) : reading.wire
    return this.#nullable({ ...reading, wire }, path)
  }

  #lazy(definition: Definition, path: string): Reading {
    const inner = definition.getter!()
    if (this.#visiting.has(inner)) return this.#slow(path, 'json', 'it contains itself')
    return { ...this.read(inner, path), optional: false }
  }

  /** A value whose digits count and that is one of several types cannot be told apart before zod has chosen. */
  #refuseExactInUnions(schema: z.ZodType, path: string): void {
    const found = exactInUnion(schema)
    if (found !== null)
      throw this.#unsupported(path, `${found} inside a union is not supported`, 'Use .nullable(), or z.number() there.')
  }

  #nullable(reading: Reading, path: string): Reading {
    for (const [index, column] of this.columns.entries()) {
      if (path === '' || column.name === path || column.name.startsWith(`${path}.`))
        this.columns[index] = { ...column, nullable: true }
    }
    return reading
  }

  #add(path: string, type: ColumnType, more: Partial<Column> = {}): number {
    return this.columns.push({ name: path, type, nullable: false, ...more }) - 1
  }

  #slow(path: string, type: ColumnType, reason: string, more: Partial<Column> = {}, nullable = false): Reading {
    const column = this.#add(path, type, { nullable, ...more })
    return leaf({ kind: 'slow', columns: [column], reason })
  }

  #slowFrom(mark: number, reason: string): WireNode {
    const columns = Array.from({ length: this.columns.length - mark }, (_, index) => mark + index)
    return { kind: 'slow', columns, reason }
  }

  #full(path: string): string {
    if (path === '') return this.#base
    return this.#base === '' ? path : `${this.#base}.${path}`
  }

  #unsupported(path: string, what: string, next: string): MillraceError {
    return unsupported(this.#full(path), what, next)
  }
}

function allOf(labels: readonly (string | null)[]): readonly string[] | null {
  const known = labels.filter(label => label !== null)
  return known.length === labels.length ? known : null
}

function leaf(wire: WireNode): Reading {
  return { shape: 'leaf', wire, optional: false }
}

function acceptingNull(wire: WireNode): WireNode {
  return wire.kind === 'slow' ? wire : { ...wire, nullable: true }
}
