/**
 * Writes the loop of a chain. Steps are walked once, from the input on, with a table of what each column is at that
 * point (slots.ts); a derived column is written out where it is first needed, so what a later filter drops costs nothing.
 *
 * Names in the source: `i` the row, `w` where it goes; n0, b0, t0, j0 the cells of input column 0, v0 its validity, d0
 * its dictionary's texts; T0 a table by dictionary entry, M0 a map to another dictionary; x0 a derived value, c0 the code
 * of a derived text; o0, p0 cells and validity of output 0; K0 a constant, F0 a function of the user's.
 */
import type { Lambda } from '../../plan/expression/lambda.ts'
import { type Expression, truth } from '../../plan/expression/tree.ts'
import type { DeriveNode } from '../../plan/nodes.ts'
import type { Column } from '../../plan/schema.ts'
import type { StatelessNode } from '../steps.ts'
import { ExpressionWriter, type NamedMap, type NamedTable } from './expressions.ts'
import { callerOf, checkedCallerOf, rowSource } from './row.ts'
import {
  type DictionarySource,
  type DictionaryTexts,
  type InputArray,
  InputReads,
  type Slot,
  type Slots,
} from './slots.ts'

type OutputValidity = 'none' | 'written' | { readonly input: number }

export type Output =
  | { readonly kind: 'none' }
  | { readonly kind: 'shared'; readonly input: number }
  | {
      readonly kind: 'number' | 'int64' | 'timestamp' | 'boolean'
      readonly validity: OutputValidity
    }
  | { readonly kind: 'decimal'; readonly scale: number; readonly validity: OutputValidity }
  | { readonly kind: 'coded'; readonly dictionary: DictionarySource }
  | { readonly kind: 'text' }
  | { readonly kind: 'json' }

export interface Generated {
  readonly source: string
  /** Names of the arguments that change with the batch, in the order of the loop's parameters after (length, origin). */
  readonly inputs: readonly InputArray[]
  readonly dictionaries: readonly DictionaryTexts[]
  readonly tables: readonly NamedTable[]
  readonly maps: readonly NamedMap[]
  readonly outputs: readonly Output[]
  readonly filtering: boolean
  /** Values that stay: constants and functions. */
  readonly scope: ReadonlyMap<string, unknown>
}

export class Generator {
  private readonly input: readonly Column[]
  private readonly reads: InputReads
  private readonly expressions: ExpressionWriter
  private readonly body: string[] = []
  private locals = 0
  private filtering = false

  constructor(input: readonly Column[]) {
    this.input = input
    this.reads = new InputReads(input)
    this.expressions = new ExpressionWriter(this.reads)
  }

  /** `live[k]`: the columns that are needed after step k. */
  generate(
    steps: readonly StatelessNode[],
    live: readonly ReadonlySet<string>[],
    needed: ReadonlySet<string>,
  ): Generated {
    const { reads, expressions } = this
    let slots = reads.slots()
    let columns = this.input
    steps.forEach((step, index) => {
      slots = this.step(step, columns, slots, live[index]!)
      columns = step.columns
    })
    // A result beyond 64 bits drops its row.
    if (columns.some(({ name, type }) => type === 'int64' && needed.has(name) && slots.get(name)!.input === null)) {
      this.filtering = true
    }
    const outputs = columns.map((column, index) =>
      needed.has(column.name) ? this.output(slots.get(column.name)!, column, index) : ({ kind: 'none' } as const),
    )
    if (this.filtering) this.body.push('origin[w] = i')
    return {
      source: this.print(outputs),
      inputs: reads.arrays,
      dictionaries: reads.dictionaries,
      tables: expressions.tables,
      maps: expressions.maps,
      outputs,
      filtering: this.filtering,
      scope: expressions.scope,
    }
  }

  private print(outputs: readonly Output[]): string {
    const { reads, expressions } = this
    const names = [
      ...[...reads.arrays, ...reads.dictionaries, ...expressions.tables, ...expressions.maps].map(({ name }) => name),
      ...outputs.flatMap((_, index) => [`o${index}`, `p${index}`]),
    ]
    return [
      "'use strict'",
      `return function (${['length', 'origin', 'refuse', ...names].join(', ')}) {`,
      '  let w = 0',
      '  for (let i = 0; i < length; i++) {',
      ...this.body.map(line => `    ${line}`),
      '    w++',
      '  }',
      '  return w',
      '}',
    ].join('\n')
  }

  private step(step: StatelessNode, columns: readonly Column[], slots: Slots, live: ReadonlySet<string>): Slots {
    switch (step.kind) {
      case 'filter': {
        const test =
          step.predicate.expression === null
            ? this.callOpaque(callerOf(step.predicate, '`filter`'), step.predicate, columns, slots)
            : this.expressions.javascript(truth(step.predicate.expression), slots)
        this.filtering = true
        this.body.push(`if (!${test}) continue`)
        return slots
      }
      case 'require': {
        const next = new Map(slots)
        for (const name of step.required) {
          const slot = slots.get(name)!
          if (!slot.nullable) continue
          this.filtering = true
          this.body.push(`if (${this.reads.isNull(slot)}) continue`)
          next.set(name, this.reads.present(slot))
        }
        return next
      }
      case 'derive': {
        const next = new Map(slots)
        for (const each of step.derived)
          if (live.has(each.name)) next.set(each.name, this.derived(each, columns, slots))
        return next
      }
      case 'project':
        return new Map(step.projected.map(({ name, from }) => [name, slots.get(from)!]))
    }
  }

  private derived({ name, lambda }: DeriveNode['derived'][number], columns: readonly Column[], slots: Slots): Slot {
    const { expression } = lambda
    const { type, nullable } = lambda.result
    if (expression === null) {
      // Written out at once: what it throws must not depend on what follows.
      const local = this.local('x')
      const source = this.callOpaque(checkedCallerOf(lambda, `\`${name}\``), lambda, columns, slots)
      this.body.push(`const ${local} = ${type === 'text' ? wellFormed(source, nullable) : source}`)
      return { type, nullable, input: null, value: () => local, coded: null }
    }
    if (expression.kind === 'column') {
      const known = slots.get(expression.name)!
      const slot = known.nullable && !expression.nullable ? this.reads.present(known) : known
      // What a lambda gives of a decimal is a number.
      return slot.type === type ? slot : { type, nullable, input: null, value: slot.value, coded: null }
    }
    if (type === 'text') {
      const mapped = this.expressions.mapped(expression, slots)
      if (mapped) return this.reads.coded(this.once('c', mapped.code), mapped.source, nullable, null)
      if (isChoice(expression)) {
        const values: string[] = []
        const code = this.once('c', () => this.choice(expression, values, slots))
        for (const text of textsOf(expression).map(each => each.toWellFormed()))
          if (!values.includes(text)) values.push(text)
        return this.reads.coded(code, { kind: 'constant', values }, nullable, null)
      }
    }
    return {
      type,
      nullable,
      input: null,
      value: this.once('x', () => {
        const source = this.expressions.javascript(expression, slots)
        return type === 'text' ? wellFormed(source, nullable) : source
      }),
      coded: null,
    }
  }

  /** A value that is written into the loop where it is first asked for. */
  private once(prefix: string, source: () => string): () => string {
    let local: string | null = null
    return () => {
      if (local === null) {
        const text = source()
        local = this.local(prefix)
        this.body.push(`const ${local} = ${text}`)
      }
      return local
    }
  }

  private local(prefix: string): string {
    return `${prefix}${this.locals++}`
  }

  /** A choice among constant texts, as their codes. */
  private choice(node: Expression, values: readonly string[], slots: Slots): string {
    if (node.kind === 'literal')
      return node.value === null ? '-1' : String(values.indexOf(String(node.value).toWellFormed()))
    if (node.kind !== 'conditional') throw new Error(`no choice: ${node.kind}`)
    const test = this.expressions.javascript(node.test, slots)
    return `(${test} ? ${this.choice(node.then, values, slots)} : ${this.choice(node.otherwise, values, slots)})`
  }

  private callOpaque(
    caller: (row: unknown) => unknown,
    lambda: Lambda,
    columns: readonly Column[],
    slots: Slots,
  ): string {
    return `${this.expressions.function(caller)}(${rowSource(columns, lambda, column => slots.get(column)!.value())})`
  }

  private output(slot: Slot, column: Column, index: number): Output {
    if (slot.input !== null && !this.filtering) return { kind: 'shared', input: slot.input }
    const target = `o${index}[w]`
    if (slot.coded) {
      this.body.push(`${target} = ${slot.coded.code()}`)
      return { kind: 'coded', dictionary: slot.coded.dictionary }
    }
    const { type } = column
    if (type === 'text') {
      this.body.push(`${target} = p${index}(${slot.value()})`)
      return { kind: 'text' }
    }
    if (type === 'json') {
      this.body.push(`${target} = ${slot.input === null ? slot.value() : this.reads.json(slot.input)}`)
      return { kind: 'json' }
    }
    if (slot.input !== null) {
      // The cell as it is, whatever stands where it is null.
      this.body.push(`${target} = ${this.reads.cell(type, slot.input)}`)
      if (!slot.nullable) return scalar(column, 'none')
      this.body.push(`p${index}[w] = ${this.reads.validity(slot.input)}`)
      return scalar(column, { input: slot.input })
    }
    if (type === 'int64') this.refuseBeyond64Bits(slot, index)
    const cell = (value: string) => (type === 'boolean' ? `${value} ? 1 : 0` : value)
    if (!slot.nullable) {
      this.body.push(`${target} = ${cell(slot.value())}`)
      return scalar(column, 'none')
    }
    const value = slot.value()
    this.body.push(`if (${value} === null) p${index}[w] = 0; else { p${index}[w] = 1; ${target} = ${cell(value)} }`)
    return scalar(column, 'written')
  }

  /** The array would wrap. */
  private refuseBeyond64Bits(slot: Slot, index: number): void {
    const value = slot.value()
    const isBeyond = `BigInt.asIntN(64, ${value}) !== ${value}`
    const test = slot.nullable ? `${value} !== null && ${isBeyond}` : isBeyond
    this.body.push(`if (${test}) { refuse(i, ${index}, ${value}); continue }`)
  }
}

/** A lambda that cuts a text inside a character leaves half of one: U+FFFD in a column, as UTF-8 would write it. */
function wellFormed(source: string, nullable: boolean): string {
  return nullable ? `(${source})?.toWellFormed() ?? null` : `(${source}).toWellFormed()`
}

function scalar(column: Column, validity: OutputValidity): Output {
  const { type, decimal } = column
  if (type === 'text' || type === 'json') throw new TypeError(`a ${type} has no validity of its own`)
  return type === 'decimal' ? { kind: type, scale: decimal!.scale, validity } : { kind: type, validity }
}

function isChoice(node: Expression): boolean {
  if (node.kind === 'literal') return node.value === null || typeof node.value === 'string'
  return node.kind === 'conditional' && isChoice(node.then) && isChoice(node.otherwise)
}

function textsOf(node: Expression): string[] {
  if (node.kind === 'literal') return typeof node.value === 'string' ? [node.value] : []
  return node.kind === 'conditional' ? [...textsOf(node.then), ...textsOf(node.otherwise)] : []
}
