/**
 * Batches as bytes, for rows that only this program reads again. All values come back as they were, NaN and the
 * infinities too; the cells of a json column go through JSON, with the digits that came. docs/log.md has the table of the bytes.
 */
import { decimalText } from '../plan/exact.ts'
import { jsonCell, parseExact, rawNumber } from '../plan/json-text.ts'
import type { Column } from '../plan/schema.ts'
import { type Batch, type ColumnData, columnOf, type Dictionary } from './batch.ts'
import { StateReader, StateWriter } from './state/bytes.ts'

const KIND = { absent: 0, number: 1, timestamp: 1, boolean: 2, text: 3, json: 4, int64: 5, decimal: 6 } as const

/** Numbers the entries of a dictionary that a batch uses, in the order in which they come. */
class UsedTexts {
  #numbers = new Int32Array(256).fill(-1)
  readonly #used: number[] = []

  get count(): number {
    return this.#used.length
  }

  numberOf(code: number): number {
    if (code < 0) return code
    if (code >= this.#numbers.length) this.#grow(code)
    const known = this.#numbers[code]!
    if (known >= 0) return known
    this.#numbers[code] = this.#used.length
    return this.#used.push(code) - 1
  }

  /** The entries, whose numbers are forgotten with it. */
  *take(dictionary: Dictionary): Generator<string, void, undefined> {
    for (const code of this.#used) {
      this.#numbers[code] = -1
      yield dictionary.values[code]!
    }
    this.#used.length = 0
  }

  #grow(code: number): void {
    const larger = new Int32Array(Math.max(code + 1, this.#numbers.length * 2)).fill(-1)
    larger.set(this.#numbers)
    this.#numbers = larger
  }
}

export class BatchWriter {
  readonly #to = new StateWriter()
  readonly #used = new UsedTexts()

  /** The bytes of a batch; lent until the next call. */
  write(batch: Batch): Uint8Array {
    const { length } = batch
    const to = this.#to
    to.clear()
    to.whole(0)
    to.whole(length)
    for (const data of batch.data) {
      to.byte(data === null ? KIND.absent : KIND[data.type])
      if (data !== null) this.#column(data, length)
    }
    to.patch(0, to.length)
    return to.bytes
  }

  #column(data: ColumnData, length: number): void {
    const to = this.#to
    switch (data.type) {
      case 'number':
      case 'timestamp':
      case 'int64':
      case 'decimal':
      case 'boolean':
        if (data.type === 'decimal') to.byte(data.scale)
        to.byte(data.validity === null ? 0 : 1)
        to.raw(bytesOf(data.values, length))
        if (data.validity !== null) to.raw(data.validity.subarray(0, length))
        return
      case 'text': {
        const codes = new Int32Array(length)
        for (let row = 0; row < length; row++) codes[row] = this.#used.numberOf(data.codes[row]!)
        to.raw(bytesOf(codes, length))
        to.whole(this.#used.count)
        for (const text of this.#used.take(data.dictionary)) to.text(text)
        return
      }
      case 'json':
        to.text(JSON.stringify(data.values.slice(0, length)))
    }
  }
}

/** The batches that `BatchWriter` wrote one after the other. Throws RangeError when the bytes are not theirs. */
export function* readBatches(columns: readonly Column[], bytes: Buffer): Generator<Batch, void, undefined> {
  const from = new StateReader(bytes)
  while (from.position < bytes.length) {
    const end = from.position + from.whole()
    const length = from.whole()
    const data = columns.map(column => readColumn(column, length, from))
    if (from.position !== end) throw new RangeError('a batch does not have the columns that are expected')
    yield { length, columns, data, origin: null }
  }
}

function readColumn(column: Column, length: number, from: StateReader): ColumnData | null {
  const { type } = column
  const kind = from.byte()
  if (kind === KIND.absent) return null
  // Decimals were doubles once.
  if (type === 'decimal' && kind === KIND.number) {
    const { values, validity } = readNumbers('number', length, from)
    return decimals(column, values, validity, value => String(value))
  }
  if (kind !== KIND[type]) throw new RangeError(`a column of kind ${kind} stands where ${type} is expected`)
  switch (type) {
    case 'number':
    case 'timestamp':
      return readNumbers(type, length, from)
    case 'int64':
      return { type, ...readIntegers(length, from) }
    case 'decimal': {
      const scale = from.byte()
      const { values, validity } = readIntegers(length, from)
      return scale === column.decimal!.scale
        ? { type, scale, values, validity }
        : decimals(column, values, validity, value => decimalText(value, scale))
    }
    case 'boolean': {
      const hasValidity = from.byte() === 1
      const values = take(from, length)
      return { type, values, validity: hasValidity ? take(from, length) : null }
    }
    case 'text': {
      const codes = new Int32Array(take(from, length * 4).buffer)
      const values = Array.from({ length: from.whole() }, () => from.text())
      return { type, codes, dictionary: { values } }
    }
    case 'json':
      return { type, values: (parseExact(from.text()) as unknown[]).map(jsonCell) }
  }
}

function readNumbers(type: 'number' | 'timestamp', length: number, from: StateReader) {
  const hasValidity = from.byte() === 1
  const values = new Float64Array(take(from, length * 8).buffer)
  return { type, values, validity: hasValidity ? take(from, length) : null }
}

function readIntegers(length: number, from: StateReader) {
  const hasValidity = from.byte() === 1
  const values = new BigInt64Array(take(from, length * 8).buffer)
  return { values, validity: hasValidity ? take(from, length) : null }
}

/** Decimals that were written in another form. */
function decimals<V>(
  column: Column,
  values: Iterable<V>,
  validity: Uint8Array | null,
  digits: (value: V) => string,
): ColumnData {
  const cells = Array.from(values, (value, row) => (validity?.[row] === 0 ? null : rawNumber(digits(value))))
  return columnOf(column, cells)
}

/** A copy of the next bytes, in memory of its own. */
function take(from: StateReader, length: number): Uint8Array<ArrayBuffer> {
  const start = from.position
  if (start + length > from.bytes.length) throw new RangeError('a column reaches past its bytes')
  from.seek(start + length)
  return new Uint8Array(from.bytes.subarray(start, start + length))
}

type Cells = Float64Array | BigInt64Array | Int32Array | Uint8Array

function bytesOf({ buffer, byteOffset, BYTES_PER_ELEMENT }: Cells, length: number) {
  return new Uint8Array(buffer, byteOffset, length * BYTES_PER_ELEMENT)
}
