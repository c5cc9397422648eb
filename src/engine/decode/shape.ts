/**
 * The shape of a line: which fields stand in which order, with exactly which bytes between them.
 *
 * Machines write JSON the same way again and again. The decoder looks at one line closely, learns its shape, and from it
 * generates code that takes lines of the same shape at full speed and says 'not sure' at the first byte that differs.
 * Learning only ever answers a shape or null, never a value: what cannot be learned goes the slow way, through zod.
 */
import type { WireNode, WireObject, WireSlow } from '../../plan/wire.ts'

export type WireLeaf = Exclude<WireNode, WireObject | WireSlow>

export type ShapeStep =
  /** These bytes stand here (as latin1 text). */
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'value'; readonly node: WireLeaf }
  /** The column has no field in lines of this shape. */
  | { readonly kind: 'absent'; readonly column: number }
  /** A field that the schema does not know: any number, any text, or true, false or null. */
  | { readonly kind: 'extra'; readonly type: 'number' | 'text' | 'word' }

export interface Shape {
  readonly steps: readonly ShapeStep[]
  /** Paths of the fields that the schema does not know. */
  readonly undeclared: readonly string[]
  /** Equal for equal shapes. */
  readonly signature: string
}

/** Longer keys, deeper nesting or more fields than any sender's are left to the slow way. */
const FIELDS_MAX = 512
const DEPTH_MAX = 16

class NotSure extends Error {}

/**
 * Learns the shape of one line: `line` is its bytes as latin1, without the line feed. Null when it is not plain JSON, when
 * a required field is missing, or when the schema needs the slow way for one of its fields.
 */
export function learnShape(line: string, wire: WireNode): Shape | null {
  if (wire.kind !== 'object') return null
  const steps: ShapeStep[] = []
  const undeclared: string[] = []
  let position = 0
  let literal = ''

  const push = (step: ShapeStep) => {
    if (literal !== '') steps.push({ kind: 'literal', text: literal })
    literal = ''
    steps.push(step)
    if (steps.length > FIELDS_MAX) throw new NotSure()
  }
  const take = (count: number) => {
    literal += line.slice(position, position + count)
    position += count
  }
  const space = () => {
    while (' \t\r'.includes(line[position] ?? 'x')) take(1)
  }
  const expect = (character: string) => {
    if (line[position] !== character) throw new NotSure()
    take(1)
  }
  /** The text at the position, with its end; only texts without escapes. */
  const textEnd = () => {
    const end = line.indexOf('"', position + 1)
    if (line[position] !== '"' || end < 0) throw new NotSure()
    return end + 1
  }
  const skipToken = (): 'number' | 'text' | 'word' => {
    if (line[position] === '"') {
      position = textEnd()
      return 'text'
    }
    const token = /^(?:(true|false|null)|-?[0-9.eE+-]+)/.exec(line.slice(position, position + 40))
    if (!token) throw new NotSure()
    position += token[0].length
    return token[1] === undefined ? 'number' : 'word'
  }

  const absent = (node: WireNode) => {
    if (node.kind === 'object') for (const field of node.fields) absent(field.node)
    else if (node.kind === 'slow') for (const column of node.columns) steps.push({ kind: 'absent', column })
    else steps.push({ kind: 'absent', column: node.column })
  }

  const object = (node: WireObject | null, path: string, depth: number) => {
    if (depth > DEPTH_MAX) throw new NotSure()
    expect('{')
    space()
    const seen = new Set<string>()
    if (line[position] === '}') take(1)
    else {
      for (;;) {
        const end = textEnd()
        const key = line.slice(position + 1, end - 1)
        if (!/^[ !#-[\]-~]*$/.test(key) || seen.has(key)) throw new NotSure()
        seen.add(key)
        take(end - position)
        space()
        expect(':')
        space()
        value(node, key, path, depth)
        space()
        if (line[position] === '}') {
          take(1)
          break
        }
        expect(',')
        space()
      }
    }
    if (node === null) return
    for (const field of node.fields) {
      if (seen.has(field.key)) continue
      if (!field.optional) throw new NotSure()
      absent(field.node)
    }
  }

  const value = (parent: WireObject | null, key: string, path: string, depth: number) => {
    const full = path === '' ? key : `${path}.${key}`
    const field = parent?.fields.find(candidate => candidate.key === key)
    if (!field) {
      if (parent?.strict) throw new NotSure()
      if (parent !== null) undeclared.push(full)
      if (line[position] === '{') object(null, full, depth + 1)
      else push({ kind: 'extra', type: skipToken() })
      return
    }
    if (field.node.kind === 'slow') throw new NotSure()
    if (field.node.kind === 'object') {
      if (field.node.nullable && line.startsWith('null', position)) {
        take(4)
        absent(field.node)
      } else object(field.node, full, depth + 1)
      return
    }
    skipToken()
    push({ kind: 'value', node: field.node })
  }

  try {
    space()
    object(wire, '', 0)
    space()
    if (position !== line.length) return null
  } catch (error) {
    if (error instanceof NotSure) return null
    throw error
  }
  literal += '\n'
  steps.push({ kind: 'literal', text: literal })
  const signature = JSON.stringify(
    steps.map(step =>
      step.kind === 'value' ? step.node.column : step.kind === 'literal' ? step.text : [step.kind, step],
    ),
  )
  return { steps, undeclared, signature }
}
