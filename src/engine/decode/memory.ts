/** The memory that generated code works in, and the views on it, made anew whenever it grows. */
import { isUtf8 } from 'node:buffer'
import type { Column } from '../../plan/schema.ts'
import { type Layout, layOut, writeConstants } from './layout.ts'

const PAGE_BYTES = 65536
const TEXT_BLOCK_BYTES = 1 << 18

interface TextBlocks {
  readonly addresses: number[]
  current: number
  used: number
}

export class DecoderMemory {
  readonly layout: Layout
  readonly memory: WebAssembly.Memory
  #next: number
  #bytes!: Buffer
  #words!: Int32Array
  readonly #texts = new WeakMap<object, TextBlocks>()

  constructor(columns: readonly Column[], wanted: ReadonlySet<string>, inputBytes: number) {
    this.layout = layOut(columns, wanted, inputBytes)
    this.#next = this.layout.end
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(this.layout.end / PAGE_BYTES) })
    this.#view()
    writeConstants(this.memory.buffer, this.layout)
  }

  get bytes(): Buffer {
    return this.#bytes
  }

  get words(): Int32Array {
    return this.#words
  }

  allocate(bytes: number): number {
    const address = this.#next
    this.#next += (bytes + 63) & ~63
    const missing = this.#next - this.#bytes.length
    if (missing > 0) {
      this.memory.grow(Math.ceil(missing / PAGE_BYTES))
      this.#view()
    }
    return address
  }

  /** The text that stands in memory, null when its bytes are not UTF-8. */
  text(start: number, length: number): string | null {
    const bytes = this.#bytes.subarray(start, start + length)
    return isUtf8(bytes) ? bytes.toString('utf8') : null
  }

  latin1(start: number, end: number): string {
    return this.#bytes.toString('latin1', start, end)
  }

  /** Copies a text, far shorter than a block, to where it stays; answers its address. */
  keepText(owner: object, start: number, length: number): number {
    let blocks = this.#texts.get(owner)
    if (!blocks) {
      blocks = { addresses: [], current: -1, used: TEXT_BLOCK_BYTES }
      this.#texts.set(owner, blocks)
    }
    if (blocks.used + length > TEXT_BLOCK_BYTES) {
      blocks.current++
      blocks.used = 0
      if (blocks.current === blocks.addresses.length) blocks.addresses.push(this.allocate(TEXT_BLOCK_BYTES))
    }
    const address = blocks.addresses[blocks.current]! + blocks.used
    this.#bytes.copyWithin(address, start, start + length)
    blocks.used += length
    return address
  }

  /** Forgets the owner's kept texts; their room is used again. */
  resetTexts(owner: object): void {
    const blocks = this.#texts.get(owner)
    if (!blocks) return
    blocks.current = -1
    blocks.used = TEXT_BLOCK_BYTES
  }

  #view(): void {
    this.#bytes = Buffer.from(this.memory.buffer)
    this.#words = new Int32Array(this.memory.buffer)
  }
}
