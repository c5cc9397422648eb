/**
 * Bytes of NDJSON -> columns.
 *
 * Lines whose shape is known go through generated code (emit.ts); at a line of another shape the decoder tries its other
 * shapes, learns a new one, or takes the slow way through JSON and zod, which has the last word. So there is one
 * validator, and the fast way only ever says yes or 'not sure'.
 *
 * One decoder serves one topic and one caller: `load` or fill `input`, `begin`, then `next` until it answers null.
 */
import type { Column } from '../../plan/schema.ts'
import type { RefusalCode, SlowResult } from '../../plan/slow.ts'
import { NOT_UTF8 } from '../../plan/unicode.ts'
import { isBlank } from '../../plan/white-space.ts'
import { slowReason, type WireNode } from '../../plan/wire.ts'
import type { Batch, ColumnData } from '../batch.ts'
import { emitShape } from './emit.ts'
import { INPUT_PADDING, ROWS_MAX } from './layout.ts'
import { DecoderMemory } from './memory.ts'
import type { DecoderImports } from './module-functions.ts'
import { refinements } from './refinements.ts'
import { learnShape } from './shape.ts'
import { textTimeReaders } from './text-times.ts'
import { TextTable } from './texts.ts'
import { type UndeclaredCount, UndeclaredCounts } from './undeclared.ts'

/** More shapes than this and the sender is not a machine with a few kinds of message: the rest goes the slow way. */
const SHAPES_MAX = 24
/** Lines that may be looked at in vain: so many, and one more with each so many lines of any kind. */
const LEARN_ATTEMPTS_MAX = 500
const LINES_PER_LEARN_ATTEMPT = 1000
/** Lines on the slow way that one batch may have: as many as are read and checked within some milliseconds. */
const SLOW_LINES_MAX = 2048
const LINE_FEED = 10
const JSON_NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/

/** A line that the schema refuses. Offsets are those of the loaded input. */
export interface RefusedLine {
  readonly start: number
  readonly length: number
  /** Counts from 0 at the first line of the loaded input. */
  readonly line: number
  readonly code: RefusalCode
  readonly reason: string
  /** Path of the field that was refused, empty for the record as a whole. */
  readonly path: string
}

export interface DecodedBatch extends Batch {
  /** For each row where its line begins in the loaded input. */
  readonly rowStarts: Int32Array
  /** Lines of the stretch of input that this batch came from, refused and blank ones included. */
  readonly refused: readonly RefusedLine[]
  /** Fields that the schema does not name, in the rows of this batch. */
  readonly undeclared: readonly UndeclaredCount[]
  /** Where decoding stands after this batch, and how many lines the loaded input had until there. */
  readonly inputEnd: number
  readonly linesEnd: number
}

export interface DecoderSchema {
  readonly columns: readonly Column[]
  readonly wire: WireNode
  readonly slow: (text: string) => SlowResult
}

/** A shape whose code has been generated and compiled. */
export interface LearnedShape {
  readonly signature: string
  readonly undeclared: readonly string[]
  readonly module: WebAssembly.Module
}

type ShapeDecoder = (position: number, end: number, row: number) => number

export class Decoder {
  readonly #schema: DecoderSchema
  readonly #memory: DecoderMemory
  readonly #tables: (TextTable | null)[]
  readonly #imports: Record<string, WebAssembly.ImportValue>
  readonly #shapes: ShapeDecoder[] = []
  readonly #signatures = new Set<string>()
  readonly #learned: LearnedShape[] = []
  readonly #undeclared = new UndeclaredCounts()
  /** Which shape last took over where another one stopped. */
  readonly #successors: number[] = []
  readonly #inputBytes: number
  readonly #values: (unknown[] | null)[]
  readonly #learns: boolean
  #learnAttempts = 0
  /** Lines of all loads, up to the batch that is being filled. */
  #linesBefore = 0
  #current = 0
  #position = 0
  #end = 0
  #lines = 0

  /**
   * `wanted`: names of the columns that something reads; the others are checked and left out. `learned`: what a decoder
   * of the same schema, columns and size has learned in another thread.
   */
  constructor(
    schema: DecoderSchema,
    wanted: ReadonlySet<string>,
    inputBytes: number,
    learned: readonly LearnedShape[] = [],
  ) {
    this.#schema = schema
    this.#inputBytes = inputBytes
    this.#memory = new DecoderMemory(schema.columns, wanted, inputBytes)
    const accepts = refinements(schema.wire, schema.columns.length)
    this.#tables = schema.columns.map((column, index) =>
      column.type === 'text'
        ? new TextTable(
            this.#memory,
            this.#memory.layout.columns[index]!.table,
            accepts[index] as ((value: string) => boolean) | null,
          )
        : null,
    )
    this.#values = schema.columns.map(column => (column.type === 'json' && wanted.has(column.name) ? [] : null))
    this.#learns = slowReason(schema.wire) === null
    const times = textTimeReaders(schema.wire, this.#memory)
    const imports: DecoderImports = {
      newText: (column, start, length, hash) => this.#tables[column]!.add(start, length, hash),
      numberElsewhere: (start, end) => {
        const text = this.#memory.latin1(start, end)
        const value = JSON_NUMBER.test(text) ? Number(text) : Number.NaN
        return Number.isFinite(value) ? value : Number.NaN
      },
      textTime: (column, start, length) => times[column]!(start, length),
      accepts: (column, value) => {
        const isBoolean = schema.columns[column]!.type === 'boolean'
        return accepts[column]!((isBoolean ? value === 1 : value) as never) ? 1 : 0
      },
      acceptsInteger: (column, value) => (accepts[column]!(value as never) ? 1 : 0),
    }
    this.#imports = { memory: this.#memory.memory, ...imports } as unknown as Record<string, WebAssembly.ImportValue>
    for (const shape of learned) {
      this.#signatures.add(shape.signature)
      this.#keep(shape, this.#instantiate(shape.module))
    }
  }

  /** The shapes that this decoder knows, to be given to others like it. */
  get learned(): readonly LearnedShape[] {
    return this.#learned
  }

  /** Where the bytes of the next input go: at most `inputBytes`. Valid until the next call of the decoder. */
  get input(): Buffer {
    const start = this.#memory.layout.input
    return this.#memory.bytes.subarray(start, start + this.#inputBytes)
  }

  /** Says that the bytes of `input` from `start` to `length` are whole lines (the last may lack its line feed). */
  begin(length: number, start = 0): void {
    const { input } = this.#memory.layout
    const { bytes } = this.#memory
    // The padding ends the last line and stops every wide load at bytes that belong to no token.
    bytes.fill(LINE_FEED, input + length, input + length + INPUT_PADDING)
    this.#position = input + start
    this.#end = input + length
    this.#lines = 0
  }

  load(bytes: Uint8Array): void {
    this.input.set(bytes)
    this.begin(bytes.length)
  }

  /** The bytes of the line that begins at an offset of the loaded input, without its line feed. */
  lineAt(start: number): Buffer {
    const from = this.#memory.layout.input + start
    return this.#memory.bytes.subarray(from, this.#lineEnd(from))
  }

  /** Whether the loaded input has been read to its end. */
  get isDone(): boolean {
    return this.#position >= this.#end
  }

  /** The next rows, null when the loaded input has been read. The batch is lent until the next call. */
  next(): DecodedBatch | null {
    if (this.#position >= this.#end) return null
    for (const table of this.#tables) table?.renewWhenLarge()
    for (const values of this.#values) if (values) values.length = 0
    const refused: RefusedLine[] = []
    const origin = this.#memory.layout.input
    let row = 0
    let position = this.#position
    let blank = 0
    let slow = 0
    while (position < this.#end && row < ROWS_MAX && slow < SLOW_LINES_MAX) {
      const fast = this.#fast(position, row)
      if (fast > position) {
        position = fast
        const next = this.#memory.words[this.#memory.layout.rowCount >> 2]!
        this.#undeclared.addRows(this.#current, next - row)
        row = next
        continue
      }
      const end = this.#lineEnd(position)
      const bytes = this.#memory.bytes.subarray(position, end)
      if (isBlank(bytes)) blank++
      else {
        slow++
        const refusal = this.#slow(bytes, row)
        if (refusal === null) {
          this.#memory.words[(this.#memory.layout.rowStarts >> 2) + row] = position - origin
          row++
        } else {
          const line = this.#lines + row + blank + refused.length
          refused.push({ start: position - origin, length: bytes.length, line, ...refusal })
        }
      }
      position = end + 1
    }
    this.#position = position
    const lines = row + blank + refused.length
    this.#lines += lines
    this.#linesBefore += lines
    return this.#batch(row, refused)
  }

  /** Runs the shapes from the position on; answers how far they came. */
  #fast(position: number, row: number): number {
    const shapes = this.#shapes
    if (shapes.length > 0) {
      const reached = shapes[this.#current]!(position, this.#end, row)
      if (reached > position) return reached
      const before = this.#current
      const guess = this.#successors[before]!
      for (let attempt = -1; attempt < shapes.length; attempt++) {
        const index = attempt < 0 ? guess : attempt
        if (index === before || (attempt >= 0 && index === guess)) continue
        const progress = shapes[index]!(position, this.#end, row)
        if (progress > position) {
          this.#successors[before] = index
          this.#current = index
          return progress
        }
      }
    }
    return this.#learn(position, row)
  }

  #learn(position: number, row: number): number {
    const attemptsMax = LEARN_ATTEMPTS_MAX + this.#linesBefore / LINES_PER_LEARN_ATTEMPT
    if (!this.#learns || this.#shapes.length >= SHAPES_MAX || this.#learnAttempts >= attemptsMax) return position
    this.#learnAttempts++
    const shape = learnShape(this.#memory.latin1(position, this.#lineEnd(position)), this.#schema.wire)
    if (shape === null || this.#signatures.has(shape.signature)) return position
    this.#signatures.add(shape.signature)
    const module = new WebAssembly.Module(emitShape(shape, this.#memory.layout))
    const decode = this.#instantiate(module)
    const reached = decode(position, this.#end, row)
    if (reached > position) {
      this.#keep({ signature: shape.signature, undeclared: shape.undeclared, module }, decode)
      this.#learnAttempts--
    }
    return reached
  }

  #instantiate(module: WebAssembly.Module): ShapeDecoder {
    return new WebAssembly.Instance(module, { env: this.#imports }).exports.decode as ShapeDecoder
  }

  #keep(shape: LearnedShape, decode: ShapeDecoder): void {
    this.#learned.push(shape)
    this.#undeclared.addShape(shape.undeclared)
    this.#current = this.#shapes.push(decode) - 1
    this.#successors.push(this.#current)
  }

  /** Writes the row by the slow way, or says why not. */
  #slow(bytes: Buffer, row: number): Pick<RefusedLine, 'code' | 'reason' | 'path'> | null {
    const text = this.#memory.text(bytes.byteOffset, bytes.length)
    if (text === null) return { code: 'TEXT_NOT_UNICODE', reason: NOT_UTF8, path: '' }
    const result = this.#schema.slow(text)
    if (!result.ok) return { code: result.code, reason: result.reason, path: result.path }
    this.#undeclared.addRecord(result.undeclared)
    const { columns } = this.#memory.layout
    this.#schema.columns.forEach((column, index) => {
      const place = columns[index]!
      if (!place.wanted) return
      const cell = result.cells[index] ?? null
      if (column.type === 'text') {
        const code = cell === null ? -1 : this.#tables[index]!.codeOf(cell as string)
        this.#memory.words[(place.values >> 2) + row] = code
        return
      }
      if (column.type === 'json') {
        this.#values[index]![row] = cell
        return
      }
      if (place.validity !== 0) this.#memory.bytes[place.validity + row] = cell === null ? 0 : 1
      if (column.type === 'boolean') this.#memory.bytes[place.values + row] = cell === true ? 1 : 0
      else if (typeof cell === 'bigint') this.#memory.bytes.writeBigInt64LE(cell, place.values + row * 8)
      else this.#memory.bytes.writeDoubleLE(cell === null ? 0 : (cell as number), place.values + row * 8)
    })
    return null
  }

  #lineEnd(position: number): number {
    const end = this.#memory.bytes.indexOf(LINE_FEED, position)
    return end < 0 || end > this.#end ? this.#end : end
  }

  #batch(length: number, refused: readonly RefusedLine[]): DecodedBatch {
    const { layout, memory } = this.#memory
    const buffer = memory.buffer
    const starts = new Int32Array(buffer, layout.rowStarts, length)
    const data = this.#schema.columns.map((column, index): ColumnData | null => {
      const place = layout.columns[index]!
      if (!place.wanted) return null
      const validity = place.validity === 0 ? null : new Uint8Array(buffer, place.validity, length)
      const scale = column.decimal?.scale ?? 0
      switch (column.type) {
        case 'number':
        case 'timestamp':
          return { type: column.type, values: new Float64Array(buffer, place.values, length), validity }
        case 'int64':
          return { type: 'int64', values: new BigInt64Array(buffer, place.values, length), validity }
        case 'decimal':
          return { type: 'decimal', scale, values: new BigInt64Array(buffer, place.values, length), validity }
        case 'boolean':
          return { type: 'boolean', values: new Uint8Array(buffer, place.values, length), validity }
        case 'text':
          return {
            type: 'text',
            codes: new Int32Array(buffer, place.values, length),
            dictionary: this.#tables[index]!.dictionary,
          }
        case 'json':
          return { type: 'json', values: this.#values[index]! }
      }
    })
    return {
      length,
      columns: this.#schema.columns,
      data,
      origin: null,
      rowStarts: starts,
      refused,
      undeclared: this.#undeclared.take(),
      inputEnd: Math.min(this.#position, this.#end) - layout.input,
      linesEnd: this.#lines,
    }
  }
}
