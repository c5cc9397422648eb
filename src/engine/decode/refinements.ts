import type { WireNode } from '../../plan/wire.ts'

/** The schema's own refinements, by column. */
export function refinements(wire: WireNode, columns: number): (((value: never) => boolean) | null)[] {
  const found: (((value: never) => boolean) | null)[] = new Array(columns).fill(null)
  const visit = (node: WireNode) => {
    if (node.kind === 'object') for (const field of node.fields) visit(field.node)
    else if (node.kind !== 'slow') found[node.column] = node.accepts
  }
  visit(wire)
  return found
}
