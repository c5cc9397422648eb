/** What a disk in memory is made of: bytes and names as they are now, as they are safe, and the changes in between. */
import type { Random } from '../../src/system/random.ts'

export type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly length: number }

/** Bytes that grow. */
class Content {
  bytes = Buffer.alloc(0)
  length = 0

  apply(change: Change): void {
    if (change.kind === 'truncate') {
      if (change.length > this.length) this.#grow(change.length)
      else this.bytes.fill(0, change.length, this.length)
      this.length = change.length
      return
    }
    const end = change.position + change.bytes.length
    this.#grow(end)
    this.bytes.set(change.bytes, change.position)
    this.length = Math.max(this.length, end)
  }

  copy(): Content {
    const content = new Content()
    content.bytes = Buffer.from(this.bytes.subarray(0, this.length))
    content.length = this.length
    return content
  }

  #grow(length: number): void {
    if (length <= this.bytes.length) return
    const larger = Buffer.alloc(Math.max(length, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }
}

export class Node {
  now = new Content()
  safe = new Content()
  /** Changes that are not safe yet, numbered in their order. */
  pending: { readonly number: number; readonly change: Change }[] = []
}

/** Names that change together; null: the name goes. */
export type Naming = readonly (readonly [name: string, node: Node | null])[]

export class Folder {
  names = new Map<string, Node>()
  safe = new Map<string, Node>()
  pending: Naming[] = []
}

export function rename(names: Map<string, Node>, naming: Naming): void {
  for (const [name, node] of naming) {
    if (node === null) names.delete(name)
    else names.set(name, node)
  }
}

/** Which of the changes that were not safe are there after a loss of power. */
export function surviving<T>(
  changes: readonly T[],
  random: Random,
  tear: (change: T, random: Random) => T = one => one,
): T[] {
  switch (random.integer(4)) {
    case 0:
      return []
    case 1: {
      const kept = changes.slice(0, random.integer(changes.length + 1))
      const last = kept.pop()
      return last === undefined ? kept : [...kept, tear(last, random)]
    }
    case 2:
      return changes.filter(() => random.integer(2) === 0)
    default:
      return [...changes]
  }
}

export function torn(change: Change, random: Random): Change {
  if (change.kind === 'truncate') return change
  return { ...change, bytes: change.bytes.subarray(0, random.integer(change.bytes.length + 1)) }
}
