/** What stands between the cells of a row, as NDJSON or CSV. */
import type { Column } from '../plan/schema.ts'
import { escapeCsv } from './escaped-texts.ts'

const EMPTY_BYTES = new Uint8Array(0)

interface Layout {
  /** In the order of writing: what stands before the cell, and which column it is. */
  readonly cells: readonly { readonly prefix: Uint8Array; readonly column: number }[]
  readonly suffix: Uint8Array
  readonly header: Uint8Array
}

export function csvLayout(columns: readonly Column[]): Layout {
  return {
    cells: columns.map((_, column) => ({ prefix: Buffer.from(column === 0 ? '' : ','), column })),
    suffix: Buffer.from('\n'),
    header: Buffer.from(`${columns.map(column => escapeCsv(column.name)).join(',')}\n`),
  }
}

type Node = Map<string, Node | number>

/** What stands before and after the cells of a JSON object whose fields have these dotted names. */
export function jsonLayout(names: readonly string[], nested = true): Layout {
  const root: Node = new Map()
  names.forEach((name, index) => {
    const path = nested ? name.split('.') : [name]
    const last = path.pop()!
    let node: Node | null = root
    for (const part of path) {
      if (node === null) break
      const next: Node | number | undefined = node.get(part)
      if (next === undefined) {
        const made: Node = new Map()
        node.set(part, made)
        node = made
      } else node = typeof next === 'number' ? null : next
    }
    // A column `a` beside `a.b` cannot both be a value and an object: the longer name then stays as it is written.
    if (node === null || node.has(last)) root.set(name, index)
    else node.set(last, index)
  })
  const cells: { prefix: Uint8Array; column: number }[] = []
  let pending = ''
  const visit = (node: Node): void => {
    pending += '{'
    let first = true
    for (const [name, child] of node) {
      pending += `${first ? '' : ','}${JSON.stringify(name)}:`
      first = false
      if (typeof child === 'number') {
        cells.push({ prefix: Buffer.from(pending), column: child })
        pending = ''
      } else visit(child)
    }
    pending += '}'
  }
  visit(root)
  return { cells, suffix: Buffer.from(`${pending}\n`), header: EMPTY_BYTES }
}
