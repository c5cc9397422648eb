/**
 * Gives the memory of a piece back at once. Bytes outside the heap weigh nothing for the collector until there are tens
 * of megabytes of them: of a body that is refused nothing should be left when its answer goes out.
 */
export function release(piece: Buffer): void {
  // A piece that shares its memory with another one stays.
  if (piece.byteLength === piece.buffer.byteLength && piece.buffer instanceof ArrayBuffer) piece.buffer.transfer(0)
}

/** What comes of one body, piece by piece. The pieces belong to it from then on. */
export class Pieces {
  #pieces: Buffer[] = []
  #byteLength = 0

  get byteLength(): number {
    return this.#byteLength
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#byteLength += piece.length
  }

  /** All of it in one; nothing is left here. */
  take(): Buffer {
    if (this.#pieces.length === 1) {
      const [whole] = this.#pieces
      this.#pieces = []
      this.#byteLength = 0
      return whole!
    }
    const whole = Buffer.concat(this.#pieces, this.#byteLength)
    this.release()
    return whole
  }

  release(): void {
    for (const piece of this.#pieces) release(piece)
    this.#pieces = []
    this.#byteLength = 0
  }
}
