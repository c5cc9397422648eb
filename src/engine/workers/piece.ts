/**
 * What a thread makes of one range: decoded rows that have gone through the first stateless steps, packed to be handed to
 * another thread without copying them again.
 *
 * Dictionaries of the decoder grow; only what is new travels, and the receiver keeps a copy under the same number. Other
 * dictionaries travel whole.
 */
import type { Column } from '../../plan/schema.ts'
import { type Batch, type ColumnData, copyNumbers, type Dictionary, type NumbersColumn } from '../batch.ts'
import type { DecodedBatch } from '../decode/decoder.ts'
import type { UndeclaredCount } from '../decode/undeclared.ts'

type PackedColumn =
  | NumbersColumn
  | { readonly type: 'text'; readonly codes: Int32Array; readonly dictionary: PackedDictionary }

interface PackedDictionary {
  readonly thread: number
  readonly number: number
  /** Code of the first of `values`: those before it are known to the receiver. */
  readonly from: number
  readonly values: readonly string[]
}

interface PackedBatch {
  readonly length: number
  readonly data: readonly (PackedColumn | null)[]
  readonly origin: Int32Array | null
}

export interface PackedRows {
  /** The rows as they came from the topic: only the columns that time is read from. */
  readonly source: PackedBatch
  /** For each row where its line begins; null where nobody asks for the line of a row. */
  readonly rowStarts: Int32Array | null
  /** The rows after the first steps. */
  readonly prepared: PackedBatch
}

/** One batch of a piece, and where it ends: position in the file, and lines of the piece until there. */
export interface PieceRows extends PackedRows {
  readonly end: number
  readonly linesEnd: number
}

export interface Piece {
  /** Number of the range. */
  readonly index: number
  /** false: a line needs the slow way, which this thread does not have; the range must be decoded by the main thread. */
  readonly isWhole: boolean
  /** Position in the file of the byte from which `rowStarts` count. */
  readonly position: number
  readonly bytes: number
  readonly rows: readonly PieceRows[]
  /** Fields that the schema does not name. */
  readonly undeclared: readonly UndeclaredCount[]
}

export class Packer {
  readonly #thread: number
  #numbers = new WeakMap<Dictionary, { number: number; sent: number }>()
  #next = 0

  constructor(thread: number) {
    this.#thread = thread
  }

  pack(source: DecodedBatch, prepared: Batch, timeColumns: ReadonlySet<number>, withRowStarts: boolean): PackedRows {
    const growing = new Set(source.data.flatMap(data => (data?.type === 'text' ? [data.dictionary] : [])))
    return {
      source: this.#batch(source, growing, index => timeColumns.has(index)),
      rowStarts: withRowStarts ? source.rowStarts.slice() : null,
      prepared: this.#batch(prepared, growing, () => true),
    }
  }

  #batch(batch: Batch, growing: ReadonlySet<Dictionary>, isWanted: (column: number) => boolean): PackedBatch {
    const data = batch.data.map((cells, index) =>
      cells && isWanted(index) ? this.#column(cells, batch.length, growing) : null,
    )
    return { length: batch.length, data, origin: batch.origin?.slice(0, batch.length) ?? null }
  }

  #column(data: ColumnData, length: number, growing: ReadonlySet<Dictionary>): PackedColumn {
    switch (data.type) {
      case 'text':
        return {
          type: 'text',
          codes: data.codes.slice(0, length),
          dictionary: this.#dictionary(data.dictionary, growing.has(data.dictionary)),
        }
      case 'json':
        throw new TypeError('json columns stay in their thread')
      default:
        return copyNumbers(data, length)
    }
  }

  #dictionary(dictionary: Dictionary, grows: boolean): PackedDictionary {
    if (!grows) return { thread: this.#thread, number: -1, from: 0, values: dictionary.values }
    let known = this.#numbers.get(dictionary)
    if (!known) {
      known = { number: this.#next++, sent: 0 }
      this.#numbers.set(dictionary, known)
    }
    const from = known.sent
    known.sent = dictionary.values.length
    return { thread: this.#thread, number: known.number, from, values: dictionary.values.slice(from) }
  }
}

/** Arrays that can change hands instead of being copied. */
export function transferables(piece: Piece): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = []
  const add = (array: { buffer: ArrayBufferLike } | null) => {
    if (array !== null) buffers.push(array.buffer as ArrayBuffer)
  }
  for (const { source, rowStarts, prepared } of piece.rows) {
    add(rowStarts)
    for (const batch of [source, prepared]) {
      add(batch.origin)
      for (const data of batch.data) {
        if (data?.type === 'text') add(data.codes)
        else if (data) {
          add(data.values)
          add(data.validity)
        }
      }
    }
  }
  return buffers
}

export class Unpacker {
  /** By thread: the dictionaries that still grow, by number. Renewed ones take the place of the old. */
  readonly #dictionaries = new Map<number, Map<number, { values: string[] }>>()

  unpack(batch: PackedBatch, columns: readonly Column[]): Batch {
    return {
      length: batch.length,
      columns,
      data: batch.data.map(data =>
        data?.type === 'text' ? { ...data, dictionary: this.#dictionary(data.dictionary) } : data,
      ),
      origin: batch.origin,
    }
  }

  #dictionary({ thread, number, from, values }: PackedDictionary): Dictionary {
    if (number < 0) return { values }
    let known = this.#dictionaries.get(thread)
    if (!known) {
      known = new Map()
      this.#dictionaries.set(thread, known)
    }
    let dictionary = known.get(number)
    if (!dictionary) {
      dictionary = { values: [] }
      known.set(number, dictionary)
      // Numbers grow: a dictionary far behind the newest has been renewed and does not come again.
      known.delete(number - DICTIONARIES_KEPT)
    }
    if (from + values.length > dictionary.values.length) {
      for (const value of values.slice(dictionary.values.length - from)) dictionary.values.push(value)
    }
    return dictionary
  }
}

const DICTIONARIES_KEPT = 256
