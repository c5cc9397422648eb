/**
 * Writes the loop of a chain. Steps are walked once, from the input on, with a table of what each column is at that
 * point (a `Slot`); a derived column is written out where it is first needed, so what a later filter drops costs nothing.
 *
 * Names in the source: `i` the row, `w` where it goes; n0, b0, t0, j0 the cells of input column 0, v0 its validity, d0
 * its dictionary's texts; T0 a table by dictionary entry, M0 a map to another dictionary; x0 a derived value, c0 the code
 * of a derived text; o0, p0 cells and validity of output 0; K0 a constant, F0 a function of the user's.
 */

import { toJavaScript } from '../../plan/expression/javascript.ts'
import type { Lambda } from '../../plan/expression/lambda.ts'
import { library } from '../../plan/expression/library.ts'
import { normalise } from '../../plan/expression/normalise.ts'
import { columnsOf, type Expression, truth } from '../../plan/expression/tree.ts'
import type { DeriveNode } from '../../plan/nodes.ts'
import type { Column, ColumnType } from '../../plan/schema.ts'
import type { StatelessNode } from '../steps.ts'
import { callerOf, checkedCallerOf, rowSource } from './row.ts'
import { MappedDictionary, ResultTable, type TableKind, type TextFunction } from './tables.ts'

/** Where the dictionary of a coded text comes from. */
export type DictionarySource =
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'constant'; readonly values: readonly string[] }
  | { readonly kind: 'mapped'; readonly from: DictionarySource; readonly map: MappedDictionary }

/** What a column is at one point of the chain. */
interface Slot {
  readonly type: ColumnType
  readonly nullable: boolean
  /** The input column that it still is, unchanged. */
  readonly input: number | null
  /** Source of its value; null where it may be null. */
  readonly value: () => string
  /** A text that stands as a code of a dictionary. */
  readonly coded: { readonly code: () => string; readonly dictionary: DictionarySource } | null
}

export type Output =
  | { readonly kind: 'none' }
  | { readonly kind: 'shared'; readonly input: number }
  | {
      readonly kind: 'number' | 'timestamp' | 'boolean'
      readonly validity: 'none' | 'written' | { readonly input: number }
    }
  | { readonly kind: 'coded'; readonly dictionary: DictionarySource }
  | { readonly kind: 'text' }
  | { readonly kind: 'json' }

export interface Generated {
  readonly source: string
  /** Names of the arguments that change with the batch, in the order of the loop's parameters after (length, origin). */
  readonly inputs: readonly {
    readonly name: string
    readonly array: 'values' | 'validity' | 'codes' | 'texts'
    readonly index: number
  }[]
  readonly dictionaries: readonly { readonly name: string; readonly source: DictionarySource }[]
  readonly tables: readonly {
    readonly name: string
    readonly table: ResultTable
    readonly dictionary: DictionarySource
  }[]
  readonly maps: readonly {
    readonly name: string
    readonly map: MappedDictionary
    readonly dictionary: DictionarySource
  }[]
  readonly outputs: readonly Output[]
  readonly filtering: boolean
  /** Values that stay: constants and functions. */
  readonly scope: ReadonlyMap<string, unknown>
}

export class Generator {
  private readonly input: readonly Column[]
  private readonly body: string[] = []
  private readonly inputs = new Map<string, Generated['inputs'][number]>()
  private readonly dictionaries: { name: string; source: DictionarySource }[] = []
  private readonly tables: { name: string; key: string; table: ResultTable; dictionary: DictionarySource }[] = []
  private readonly maps: { name: string; map: MappedDictionary; dictionary: DictionarySource }[] = []
  private readonly scope = new Map<string, unknown>([['$', library]])
  private readonly constants = new Map<string, string>()
  private locals = 0
  private filtering = false

  constructor(input: readonly Column[]) {
    this.input = input
  }

  /** `live[k]`: the columns that are needed after step k. */
  generate(
    steps: readonly StatelessNode[],
    live: readonly ReadonlySet<string>[],
    needed: ReadonlySet<string>,
  ): Generated {
    let slots: ReadonlyMap<string, Slot> = new Map(
      this.input.map((column, index) => [column.name, this.inputSlot(column, index)]),
    )
    let columns = this.input
    steps.forEach((step, index) => {
      slots = this.step(step, columns, slots, live[index]!)
      columns = step.columns
    })
    const outputs = columns.map((column, index) =>
      needed.has(column.name) ? this.output(slots.get(column.name)!, column, index) : ({ kind: 'none' } as const),
    )
    if (this.filtering) this.body.push('origin[w] = i')
    return {
      source: this.print(outputs),
      inputs: [...this.inputs.values()],
      dictionaries: this.dictionaries,
      tables: this.tables,
      maps: this.maps,
      outputs,
      filtering: this.filtering,
      scope: this.scope,
    }
  }

  private print(outputs: readonly Output[]): string {
    const names = [
      ...[...this.inputs.values(), ...this.dictionaries, ...this.tables, ...this.maps].map(({ name }) => name),
      ...outputs.flatMap((_, index) => [`o${index}`, `p${index}`]),
    ]
    return [
      "'use strict'",
      `return function (${['length', 'origin', ...names].join(', ')}) {`,
      '  let w = 0',
      '  for (let i = 0; i < length; i++) {',
      ...this.body.map(line => `    ${line}`),
      '    w++',
      '  }',
      '  return w',
      '}',
    ].join('\n')
  }

  private step(
    step: StatelessNode,
    columns: readonly Column[],
    slots: ReadonlyMap<string, Slot>,
    live: ReadonlySet<string>,
  ): ReadonlyMap<string, Slot> {
    switch (step.kind) {
      case 'filter': {
        const test =
          step.predicate.expression === null
            ? this.callOpaque(callerOf(step.predicate, '`filter`'), step.predicate, columns, slots)
            : this.javascript(truth(step.predicate.expression), slots)
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
          this.body.push(`if (${this.isNull(slot)}) continue`)
          next.set(name, this.presentSlot(slot))
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

  private array(prefix: string, array: Generated['inputs'][number]['array'], index: number): string {
    const name = `${prefix}${index}`
    this.inputs.set(name, { name, array, index })
    return name
  }

  private inputSlot(column: Column, index: number): Slot {
    const { type, nullable } = column
    if (type === 'text') {
      const code = () => `${this.array('t', 'codes', index)}[i]`
      return this.codedSlot(code, { kind: 'input', index }, nullable, index)
    }
    const cell =
      type === 'json'
        ? () => `(${this.array('j', 'values', index)}[i] ?? null)`
        : type === 'boolean'
          ? () => `(${this.array('b', 'values', index)}[i] === 1)`
          : () => `${this.array('n', 'values', index)}[i]`
    const value =
      nullable && type !== 'json' ? () => `(${this.array('v', 'validity', index)}[i] === 0 ? null : ${cell()})` : cell
    return { type, nullable, input: index, value, coded: null }
  }

  private codedSlot(code: () => string, dictionary: DictionarySource, nullable: boolean, input: number | null): Slot {
    const text = () => `${this.texts(dictionary)}[${code()}]`
    const value = nullable ? () => `(${code()} < 0 ? null : ${text()})` : text
    return { type: 'text', nullable, input, value, coded: { code, dictionary } }
  }

  private texts(source: DictionarySource): string {
    const known = this.dictionaries.find(each => sameDictionary(each.source, source))
    if (known) return known.name
    const name = `d${this.dictionaries.length}`
    this.dictionaries.push({ name, source })
    return name
  }

  /** The slot after it has been found not to be null. */
  private presentSlot(slot: Slot): Slot {
    if (slot.coded) return this.codedSlot(slot.coded.code, slot.coded.dictionary, false, slot.input)
    if (slot.input === null) return { ...slot, nullable: false }
    return this.inputSlot({ ...this.input[slot.input]!, nullable: false }, slot.input)
  }

  private isNull(slot: Slot): string {
    if (slot.coded) return `(${slot.coded.code()} < 0)`
    if (slot.input !== null && slot.type !== 'json') return `(${this.array('v', 'validity', slot.input)}[i] === 0)`
    return `(${slot.value()} === null)`
  }

  private javascript(expression: Expression, slots: ReadonlyMap<string, Slot>): string {
    return toJavaScript(expression, {
      column: node => {
        const slot = slots.get(node.name)!
        return (slot.nullable && !node.nullable ? this.presentSlot(slot) : slot).value()
      },
      columnIsNull: node => {
        const slot = slots.get(node.name)!
        return slot.nullable ? this.isNull(slot) : 'false'
      },
      replace: node => this.lookUp(node, slots),
      constant: source => this.constant(source),
    })
  }

  private constant(source: string): string {
    let name = this.constants.get(source)
    if (name === undefined) {
      name = `K${this.constants.size}`
      this.constants.set(source, name)
      this.scope.set(name, new Function(`'use strict'; return ${source}`)())
    }
    return name
  }

  /** The one coded text that an expression depends on, or null. */
  private soleText(node: Expression, slots: ReadonlyMap<string, Slot>): NonNullable<Slot['coded']> | null {
    if (node.kind === 'column' || node.kind === 'literal') return null
    if (node.kind === 'isNull' && node.operand.kind === 'column') return null
    let sole: Slot | null = null
    for (const name of columnsOf(node)) {
      const slot = slots.get(name)!
      if (sole !== null && slot !== sole) return null
      sole = slot
    }
    return sole?.coded ?? null
  }

  /** A read of a table in place of an expression over one text column; null for any other expression. */
  private lookUp(node: Expression, slots: ReadonlyMap<string, Slot>): string | null {
    if (node.type === 'date') return null
    const sole = this.soleText(node, slots)
    if (sole === null) return null
    const key = normalise(node)
    const kind: TableKind =
      node.nullable || node.type === 'text' ? 'values' : node.type === 'boolean' ? 'flags' : 'numbers'
    const code = sole.code()
    const known = this.tables.find(each => each.key === key && sameDictionary(each.dictionary, sole.dictionary))
    const name = known?.name ?? `T${this.tables.length}`
    if (!known)
      this.tables.push({
        name,
        key,
        table: new ResultTable(kind, this.textFunction(node)),
        dictionary: sole.dictionary,
      })
    const read = `${name}[${code} + 1]`
    return kind === 'flags' ? `(${read} === 1)` : read
  }

  /** The expression as a function of the one text that it reads. */
  private textFunction(node: Expression): TextFunction {
    const source = toJavaScript(node, { column: () => 'text', constant: each => this.constant(each) })
    const names = [...this.scope.keys()]
    return new Function(...names, `'use strict'; return text => ${source}`)(...names.map(name => this.scope.get(name)))
  }

  private derived(
    { name, lambda }: DeriveNode['derived'][number],
    columns: readonly Column[],
    slots: ReadonlyMap<string, Slot>,
  ): Slot {
    const { expression } = lambda
    const { type, nullable } = lambda.result
    if (expression === null) {
      // Written out at once: what it throws must not depend on what follows.
      const local = this.local('x')
      this.body.push(
        `const ${local} = ${this.callOpaque(checkedCallerOf(lambda, `\`${name}\``), lambda, columns, slots)}`,
      )
      return { type, nullable, input: null, value: () => local, coded: null }
    }
    if (expression.kind === 'column') {
      const slot = slots.get(expression.name)!
      return slot.nullable && !expression.nullable ? this.presentSlot(slot) : slot
    }
    if (type === 'text') {
      const sole = this.soleText(expression, slots)
      if (sole) {
        const map = new MappedDictionary(this.textFunction(expression))
        const mapName = `M${this.maps.length}`
        this.maps.push({ name: mapName, map, dictionary: sole.dictionary })
        const code = this.once('c', () => `${mapName}[${sole.code()} + 1]`)
        return this.codedSlot(code, { kind: 'mapped', from: sole.dictionary, map }, nullable, null)
      }
      if (isChoice(expression)) {
        const values: string[] = []
        const code = this.once('c', () => this.choice(expression, values, slots))
        for (const text of textsOf(expression)) if (!values.includes(text)) values.push(text)
        return this.codedSlot(code, { kind: 'constant', values }, nullable, null)
      }
    }
    return { type, nullable, input: null, value: this.once('x', () => this.javascript(expression, slots)), coded: null }
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
  private choice(node: Expression, values: readonly string[], slots: ReadonlyMap<string, Slot>): string {
    if (node.kind === 'literal') return node.value === null ? '-1' : String(values.indexOf(String(node.value)))
    if (node.kind !== 'conditional') throw new Error(`no choice: ${node.kind}`)
    const test = this.javascript(node.test, slots)
    return `(${test} ? ${this.choice(node.then, values, slots)} : ${this.choice(node.otherwise, values, slots)})`
  }

  private callOpaque(
    caller: (row: unknown) => unknown,
    lambda: Lambda,
    columns: readonly Column[],
    slots: ReadonlyMap<string, Slot>,
  ): string {
    const name = `F${this.scope.size}`
    this.scope.set(name, caller)
    return `${name}(${rowSource(columns, lambda, column => slots.get(column)!.value())})`
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
      this.body.push(`${target} = ${slot.value()}`)
      return { kind: 'json' }
    }
    if (slot.input !== null) {
      // The cell as it is, whatever stands where it is null.
      this.body.push(`${target} = ${this.array(type === 'boolean' ? 'b' : 'n', 'values', slot.input)}[i]`)
      if (!slot.nullable) return { kind: type, validity: 'none' }
      this.body.push(`p${index}[w] = ${this.array('v', 'validity', slot.input)}[i]`)
      return { kind: type, validity: { input: slot.input } }
    }
    const cell = (value: string) => (type === 'boolean' ? `${value} ? 1 : 0` : value)
    if (!slot.nullable) {
      this.body.push(`${target} = ${cell(slot.value())}`)
      return { kind: type, validity: 'none' }
    }
    const value = slot.value()
    this.body.push(`if (${value} === null) p${index}[w] = 0; else { p${index}[w] = 1; ${target} = ${cell(value)} }`)
    return { kind: type, validity: 'written' }
  }
}

function sameDictionary(a: DictionarySource, b: DictionarySource): boolean {
  if (a.kind === 'input') return b.kind === 'input' && a.index === b.index
  if (a.kind === 'constant') return b.kind === 'constant' && a.values === b.values
  return b.kind === 'mapped' && a.map === b.map
}

function isChoice(node: Expression): boolean {
  if (node.kind === 'literal') return node.value === null || typeof node.value === 'string'
  return node.kind === 'conditional' && isChoice(node.then) && isChoice(node.otherwise)
}

function textsOf(node: Expression): string[] {
  if (node.kind === 'literal') return typeof node.value === 'string' ? [node.value] : []
  return node.kind === 'conditional' ? [...textsOf(node.then), ...textsOf(node.otherwise)] : []
}
