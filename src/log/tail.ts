/** The newest blocks of a log, kept in memory so that who follows it closely reads no file. */
import type { Block } from './block.ts'

const TAIL_BYTES = 4 * 1024 * 1024
/** What a block costs beside its bytes, about: many small ones count as what they are. */
const BLOCK_COSTS_BYTES = 1024

export class Tail {
  #blocks: { readonly block: Block; readonly bytes: number }[] = []
  #bytes = 0

  /** The block that holds an offset, or null when it is not here. */
  find(offset: number): Block | null {
    const blocks = this.#blocks
    if (blocks.length === 0 || offset < blocks[0]!.block.header.firstOffset) return null
    let low = 0
    for (let high = blocks.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1
      if (blocks[middle]!.block.header.firstOffset <= offset) low = middle
      else high = middle - 1
    }
    const { block } = blocks[low]!
    return offset < block.header.firstOffset + block.header.records ? block : null
  }

  /** Adds the block that comes next; the oldest ones go for it. */
  add(block: Block, bytes: number): void {
    this.#blocks.push({ block, bytes: bytes + BLOCK_COSTS_BYTES })
    this.#bytes += bytes + BLOCK_COSTS_BYTES
    while (this.#bytes > TAIL_BYTES && this.#blocks.length > 1) this.#bytes -= this.#blocks.shift()!.bytes
  }

  /** Forgets the blocks from an offset on. */
  cutBack(offset: number): void {
    this.#blocks = this.#blocks.filter(({ block }) => block.header.firstOffset < offset)
    this.#bytes = this.#blocks.reduce((sum, { bytes }) => sum + bytes, 0)
  }
}
