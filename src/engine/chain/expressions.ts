/**
 * Expressions as source over the slots of a chain. What depends on one coded text alone is not written into the loop: it
 * becomes a read of a table with an entry for each of the dictionary (tables.ts).
 */
import { decimalNumber } from '../../plan/exact.ts'
import { toJavaScript } from '../../plan/expression/javascript.ts'
import { library } from '../../plan/expression/library.ts'
import { normalise } from '../../plan/expression/normalise.ts'
import { columnsOf, type Expression } from '../../plan/expression/tree.ts'
import { plainJson } from '../../plan/json-text.ts'
import {
  type CodedText,
  type DictionarySource,
  type InputReads,
  type Slot,
  type Slots,
  sameDictionary,
} from './slots.ts'
import { MappedDictionary, ResultTable, type TableKind, type TextFunction } from './tables.ts'

/** A table by dictionary entry that the loop reads, under a name. */
export interface NamedTable {
  readonly name: string
  readonly table: ResultTable
  readonly dictionary: DictionarySource
}

/** A map to another dictionary that the loop reads, under a name. */
export interface NamedMap {
  readonly name: string
  readonly map: MappedDictionary
  readonly dictionary: DictionarySource
}

export class ExpressionWriter {
  readonly #reads: InputReads
  readonly tables: (NamedTable & { readonly key: string })[] = []
  readonly maps: NamedMap[] = []
  /** Values that stay: constants, functions of the user's, the library. */
  readonly scope = new Map<string, unknown>([
    ['$', library],
    ['plainJson', plainJson],
    ['decimalNumber', decimalNumber],
  ])
  readonly #constants = new Map<string, string>()

  constructor(reads: InputReads) {
    this.#reads = reads
  }

  javascript(expression: Expression, slots: Slots): string {
    return toJavaScript(expression, {
      column: node => {
        const slot = slots.get(node.name)!
        return (slot.nullable && !node.nullable ? this.#reads.present(slot) : slot).value()
      },
      columnIsNull: node => {
        const slot = slots.get(node.name)!
        return slot.nullable ? this.#reads.isNull(slot) : 'false'
      },
      replace: node => this.#lookUp(node, slots),
      constant: source => this.#constant(source),
    })
  }

  /** A text made of one coded text, as a map from its dictionary to another; null for any other expression. */
  mapped(
    expression: Expression,
    slots: Slots,
  ): { readonly code: () => string; readonly source: DictionarySource } | null {
    const sole = soleText(expression, slots)
    if (sole === null) return null
    const map = new MappedDictionary(this.#textFunction(expression))
    const name = `M${this.maps.length}`
    this.maps.push({ name, map, dictionary: sole.dictionary })
    return { code: () => `${name}[${sole.code()} + 1]`, source: { kind: 'mapped', from: sole.dictionary, map } }
  }

  /** Puts a function into the scope; answers its name. */
  function(value: (row: unknown) => unknown): string {
    const name = `F${this.scope.size}`
    this.scope.set(name, value)
    return name
  }

  /** A read of a table in place of an expression over one text column; null for any other expression. */
  #lookUp(node: Expression, slots: Slots): string | null {
    if (node.type === 'date') return null
    const sole = soleText(node, slots)
    if (sole === null) return null
    const key = normalise(node)
    const kind: TableKind =
      node.nullable || node.type === 'text' || node.type === 'int64'
        ? 'values'
        : node.type === 'boolean'
          ? 'flags'
          : 'numbers'
    const code = sole.code()
    const known = this.tables.find(each => each.key === key && sameDictionary(each.dictionary, sole.dictionary))
    const name = known?.name ?? `T${this.tables.length}`
    if (!known) {
      const table = new ResultTable(kind, this.#textFunction(node))
      this.tables.push({ name, key, table, dictionary: sole.dictionary })
    }
    const read = `${name}[${code} + 1]`
    return kind === 'flags' ? `(${read} === 1)` : read
  }

  /** The expression as a function of the one text that it reads. */
  #textFunction(node: Expression): TextFunction {
    const source = toJavaScript(node, { column: () => 'text', constant: each => this.#constant(each) })
    const names = [...this.scope.keys()]
    return new Function(...names, `'use strict'; return text => ${source}`)(...names.map(name => this.scope.get(name)))
  }

  #constant(source: string): string {
    let name = this.#constants.get(source)
    if (name === undefined) {
      name = `K${this.#constants.size}`
      this.#constants.set(source, name)
      this.scope.set(name, new Function(`'use strict'; return ${source}`)())
    }
    return name
  }
}

/** The one coded text that an expression depends on, or null. */
function soleText(node: Expression, slots: Slots): CodedText | null {
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
