/** CSV as rows of cells, for those who make something else of them than lines. */
import { Damaged } from '../lines.ts'
import { encodingOf } from '../text-encoding.ts'
import { type CsvRow, cellsOf } from './cells.ts'
import { RowSplitter } from './row-splitter.ts'

const NO_NULLS: ReadonlySet<string> = new Set()

/**
 * The header, then each row, of UTF-8 text. A stretch that is no row comes as Damaged; where the input is cut off, the
 * Damaged that it throws is thrown on with the beginning of the row that it was in.
 */
export async function* csvRows(
  input: AsyncIterable<Uint8Array>,
  delimiter: string,
  limit: number,
): AsyncGenerator<CsvRow | Damaged, void, undefined> {
  const encoding = encodingOf('utf-8')
  const splitter = new RowSplitter({ delimiter, encoding, limit, skipLines: 0, isStart: true })
  function* rowsOf(chunk: Uint8Array, isLast: boolean): Generator<CsvRow | Damaged> {
    for (const { kind, bytes, reason, length } of splitter.push(chunk, isLast)) {
      if (kind === 'bad') yield new Damaged(reason, Buffer.from(bytes), length)
      if (kind !== 'row') continue
      const text = encoding.decode(bytes)
      if (text === null) yield new Damaged('the row is not valid UTF-8', Buffer.from(bytes))
      else yield cellsOf(text, { delimiter, nulls: NO_NULLS })
    }
  }
  try {
    for await (const chunk of input) yield* rowsOf(chunk, false)
  } catch (error) {
    if (!(error instanceof Damaged) || splitter.rest.length === 0) throw error
    throw new Damaged(error.message, Buffer.from(splitter.rest))
  }
  yield* rowsOf(Buffer.alloc(0), true)
}
