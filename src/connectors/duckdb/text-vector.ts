/**
 * Texts into a DuckDB vector. One of up to 12 bytes lies in DuckDB's 16-byte cell itself and is written there directly; a
 * longer one is handed over once for each vector, and its cell (length, prefix, pointer) is copied for the other rows that
 * hold the same dictionary entry.
 */
import type { Dictionary } from '../../engine/batch.ts'
import { type Bindings, maskWords, VECTOR_ROWS, type VectorWriter, writeMask } from './mask.ts'

const INLINE_BYTES = 12

/** For text columns and for JSON columns, whose cells are written as JSON. */
export function textWriter(bindings: Bindings): VectorWriter {
  const cells = new Int32Array(VECTOR_ROWS * 4)
  const entries = new TextEntries()
  /** Codes of longer texts: where in this vector the text was handed over, plus one; valid while `stamps` says so. */
  let slots = new Int32Array(256)
  let stamps = new Int32Array(256)
  let stamp = 0

  return (vector, data, from, rows) => {
    let codes: Int32Array
    let offset = from
    if (data?.type === 'text') {
      codes = data.codes
      entries.use(data.dictionary)
    } else {
      // JSON cells are written as they come: a dictionary of this vector's own.
      const texts: string[] = []
      codes = new Int32Array(rows)
      offset = 0
      const values = data?.type === 'json' ? data.values : []
      for (let row = 0; row < rows; row++) {
        const value = values[from + row]
        const text = value === null || value === undefined ? undefined : JSON.stringify(value)
        codes[row] = text === undefined ? -1 : texts.push(text) - 1
      }
      entries.use({ values: texts })
    }
    if (slots.length < entries.size) {
      slots = new Int32Array(Math.max(entries.size, slots.length * 2))
      stamps = new Int32Array(slots.length)
      stamp = 0
    }
    stamp++
    let handed = 0
    let nulls = false
    maskWords.fill(0xffffffff)
    for (let row = 0; row < rows; row++) {
      const code = codes[offset + row]!
      if (code < 0) {
        nulls = true
        maskWords[row >>> 5]! &= ~(1 << (row & 31))
        continue
      }
      if (entries.isInline(code)) {
        entries.copyInline(code, cells, row * 4)
      } else if (stamps[code] !== stamp) {
        // The cells 0, 1, 2, ... of the vector are used to hand texts over; all cells are overwritten below.
        bindings.vector_assign_string_element_len(vector, handed, entries.bytes(code))
        stamps[code] = stamp
        slots[code] = handed++
      }
    }
    if (handed > 0) {
      const made = bindings.vector_get_data(vector, handed * 16)
      const words = new Int32Array(made.buffer.slice(made.byteOffset, made.byteOffset + handed * 16))
      for (let row = 0; row < rows; row++) {
        const code = codes[offset + row]!
        if (code < 0 || entries.isInline(code)) continue
        const slot = slots[code]! * 4
        const at = row * 4
        cells[at] = words[slot]!
        cells[at + 1] = words[slot + 1]!
        cells[at + 2] = words[slot + 2]!
        cells[at + 3] = words[slot + 3]!
      }
    }
    bindings.copy_data_to_vector(vector, 0, cells.buffer, 0, rows * 16)
    if (nulls) writeMask(bindings, vector)
  }
}

/** The UTF-8 forms of a dictionary's entries, made when first asked for. */
class TextEntries {
  #dictionary: Dictionary = { values: [] }
  #buffer = Buffer.allocUnsafeSlow(4096)
  #words = new Int32Array(this.#buffer.buffer, 0, 1024)
  #used = 0
  /** Start of an entry in `#buffer`, a multiple of 16; -1: not made yet. An inline entry is kept as DuckDB's whole cell. */
  #starts = new Int32Array(256).fill(-1)
  #lengths = new Int32Array(256)

  get size(): number {
    return this.#dictionary.values.length
  }

  use(dictionary: Dictionary): void {
    if (this.#dictionary !== dictionary) {
      this.#dictionary = dictionary
      this.#starts.fill(-1)
      this.#used = 0
    }
    const size = dictionary.values.length
    if (this.#starts.length < size) {
      const capacity = Math.max(size, this.#starts.length * 2)
      const starts = new Int32Array(capacity).fill(-1)
      starts.set(this.#starts)
      const lengths = new Int32Array(capacity)
      lengths.set(this.#lengths)
      this.#starts = starts
      this.#lengths = lengths
    }
  }

  isInline(code: number): boolean {
    if (this.#starts[code]! < 0) this.#make(code)
    return this.#lengths[code]! <= INLINE_BYTES
  }

  copyInline(code: number, cells: Int32Array, at: number): void {
    const words = this.#words
    const start = this.#starts[code]! >>> 2
    cells[at] = words[start]!
    cells[at + 1] = words[start + 1]!
    cells[at + 2] = words[start + 2]!
    cells[at + 3] = words[start + 3]!
  }

  bytes(code: number): Uint8Array {
    const start = this.#starts[code]!
    return this.#buffer.subarray(start, start + this.#lengths[code]!)
  }

  #make(code: number): void {
    const text = this.#dictionary.values[code]!
    const need = text.length * 3 + 32
    if (this.#used + need > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.ceil(Math.max(this.#buffer.length * 2, this.#used + need) / 16) * 16)
      this.#buffer.copy(larger, 0, 0, this.#used)
      this.#buffer = larger
      this.#words = new Int32Array(larger.buffer, 0, larger.length >>> 2)
    }
    const start = this.#used
    // Written behind the place for the length, where an inline cell has its bytes.
    const length = this.#buffer.write(text, start + 4, 'utf8')
    if (length <= INLINE_BYTES) {
      this.#buffer.fill(0, start + 4 + length, start + 16)
      this.#words[start >>> 2] = length
      this.#used = start + 16
    } else {
      this.#buffer.copyWithin(start, start + 4, start + 4 + length)
      this.#used = Math.ceil((start + length) / 16) * 16
    }
    this.#starts[code] = start
    this.#lengths[code] = length
  }
}
