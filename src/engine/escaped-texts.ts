/** Texts as they stand in JSON or CSV: escaped once for each entry of a dictionary, not once a row. */
import type { Dictionary } from './batch.ts'

/** A CSV cell: quoted where it must be, and where it is empty, so that it differs from null. */
export function escapeCsv(text: string): string {
  return text === '' || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** The escaped forms of the entries of one dictionary, made when first asked for and kept in one buffer. */
export class EscapedTexts {
  readonly #csv: boolean
  #dictionary: Dictionary | null = null
  #bytes = Buffer.allocUnsafe(1024)
  #used = 0
  #starts = new Int32Array(64)
  /** -1: not made yet. */
  #ends = new Int32Array(64).fill(-1)

  constructor(csv: boolean) {
    this.#csv = csv
  }

  of(dictionary: Dictionary): this {
    if (this.#dictionary !== dictionary) {
      this.#dictionary = dictionary
      this.#ends.fill(-1)
      this.#used = 0
      // A dictionary with huge texts must not keep its room for ever.
      if (this.#bytes.length > 4 * 1024 * 1024) this.#bytes = Buffer.allocUnsafe(1024)
    }
    const size = dictionary.values.length
    if (this.#ends.length < size) {
      const capacity = Math.max(size, this.#ends.length * 2)
      const starts = new Int32Array(capacity)
      starts.set(this.#starts)
      const ends = new Int32Array(capacity).fill(-1)
      ends.set(this.#ends)
      this.#starts = starts
      this.#ends = ends
    }
    return this
  }

  /** Makes the entry if need be; returns its length in bytes. */
  prepare(code: number): number {
    const end = this.#ends[code]!
    return end >= 0 ? end - this.#starts[code]! : this.#make(code)
  }

  copy(code: number, target: Uint8Array, position: number): number {
    const bytes = this.#bytes
    const start = this.#starts[code]!
    const end = this.#ends[code]!
    if (end - start > 64) {
      target.set(bytes.subarray(start, end), position)
      return position + end - start
    }
    let at = position
    for (let index = start; index < end; index++) target[at++] = bytes[index]!
    return at
  }

  #make(code: number): number {
    const text = this.#dictionary!.values[code]!
    const need = text.length * 6 + 2
    if (this.#used + need > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#used + need))
      this.#bytes.copy(larger, 0, 0, this.#used)
      this.#bytes = larger
    }
    const escaped = this.#csv ? escapeCsv(text) : JSON.stringify(text)
    const length = this.#bytes.write(escaped, this.#used, 'utf8')
    this.#starts[code] = this.#used
    this.#used += length
    this.#ends[code] = this.#used
    return length
  }
}
