/** What reads one file of a source: plain lines as they are, every other format as lines that are made of it. */
import { bytesOf } from '../../formats/bytes.ts'
import { type CsvHeader, checkCsvHeader, readCsvHeader } from '../../formats/csv/header.ts'
import type { CsvOptions } from '../../formats/csv/options.ts'
import { csvPieces } from '../../formats/csv/pieces.ts'
import { checkHeader } from '../../formats/header.ts'
import { elementsAsLines } from '../../formats/json-array.ts'
import { Damaged, type Piece, piecesFrom, type ResumePoint, wholeLines } from '../../formats/lines.ts'
import type { Clock } from '../../system/clock.ts'
import type { FileStatus } from '../../system/files.ts'
import type { Chunk, Damage, Idle, SourceContext } from '../contract.ts'
import type { FileOptions } from './describe.ts'
import { csvOptionsOf, type FileForm } from './format.ts'
import { PlainReader, type SharedBuffer } from './plain.ts'

/** What one partition says next. */
export type PartitionEvent =
  | Omit<Chunk, 'partition'>
  | Omit<Damage, 'partition'>
  | Idle
  | { readonly kind: 'end' }
  /** Its path now names other content; it is done as far as the position. */
  | { readonly kind: 'replaced'; readonly position: number; readonly what: string }

export interface PartitionReader {
  next(): Promise<PartitionEvent>
  close(): void | Promise<void>
}

export interface Partition {
  readonly number: number
  /** The path, or the path with the number of its content where that was replaced. */
  readonly name: string
  readonly path: string
  /** Where it goes on; null: at its start. */
  readonly from: ResumePoint | null
  readonly fingerprint: string
  readonly form: FileForm
  readonly status: FileStatus
}

/** Lines that are read as they stand in the file. */
export function isPlain({ form, status }: Pick<Partition, 'form' | 'status'>): boolean {
  return form.format === 'ndjson' && form.compression === 'none' && status.kind === 'file'
}

/**
 * Holds the header of a file that has one against the columns of the topic, and warns of what somebody should know. Throws
 * HEADER_MISMATCH when it does not fit.
 */
export async function checkFile(partition: Partition, options: FileOptions, context: SourceContext): Promise<void> {
  const { path, form } = partition
  const { topic, columns, required, maximumChunkBytes, onWarning } = context
  if (partition.from?.position === Number.POSITIVE_INFINITY) return
  const check = { path, topic, columns, required }
  if (form.format === 'csv') {
    const csv = csvOptionsOf(options, form, maximumChunkBytes)
    const header = await csvHeaderOf(partition, csv)
    if (header !== null) for (const warning of checkCsvHeader(header, check, csv)) onWarning(warning)
  }
  if (form.format === 'parquet') {
    const { parquetHeader } = await import('../../formats/parquet/pieces.ts')
    const fields = await parquetHeader(path)
    if (fields !== null) for (const warning of checkHeader(fields, check)) onWarning(warning)
  }
}

export function readerOf(
  partition: Partition,
  options: FileOptions,
  context: SourceContext,
  { shared, clock }: { readonly shared: SharedBuffer; readonly clock: Clock },
): PartitionReader {
  if (!isPlain(partition)) return new StreamReader(piecesOf(partition, options, context))
  const { path, from, fingerprint } = partition
  return new PlainReader(path, shared, !context.untilEnd, clock, from?.position ?? 0, fingerprint)
}

/** A partition that is unpacked or translated on the way; it is not followed: what it holds at the start is all. */
class StreamReader implements PartitionReader {
  readonly #pieces: AsyncGenerator<Piece, void, undefined>

  constructor(pieces: AsyncGenerator<Piece, void, undefined>) {
    this.#pieces = pieces
  }

  async next(): Promise<PartitionEvent> {
    const { value } = await this.#pieces.next()
    if (value === undefined) return { kind: 'end' }
    return value.kind === 'records' ? { ...value, arrival: null } : value
  }

  async close(): Promise<void> {
    await this.#pieces.return()
  }
}

async function* piecesOf(
  partition: Partition,
  options: FileOptions,
  context: SourceContext,
): AsyncGenerator<Piece, void, undefined> {
  const { path, form, from } = partition
  const { columns, maximumChunkBytes: limit } = context
  const position = from?.position ?? 0
  switch (form.format) {
    case 'ndjson':
      yield* piecesFrom(wholeLines(bytesOf(path, form.compression), limit), position)
      return
    case 'json':
      yield* piecesFrom(wholeLines(elementsAsLines(bytesOf(path, form.compression)), limit), position)
      return
    case 'csv':
      yield* csvPiecesOf(partition, options, context)
      return
    case 'parquet': {
      const { parquetPieces } = await import('../../formats/parquet/pieces.ts')
      const { binary = 'text' } = options
      yield* parquetPieces(path, from, { columns, binary, limit, onWarning: context.onWarning })
      return
    }
  }
}

async function* csvPiecesOf(
  partition: Partition,
  options: FileOptions,
  { columns, maximumChunkBytes }: SourceContext,
): AsyncGenerator<Piece, void, undefined> {
  const { path, form, from } = partition
  const csv = csvOptionsOf(options, form, maximumChunkBytes)
  try {
    const header = await readCsvHeader(path, openAt(partition), csv)
    if (header !== null) yield* csvPieces(openAt(partition), header, columns, csv, from)
  } catch (error) {
    // It is cut off before its first row.
    if (!(error instanceof Damaged)) throw error
    const { message, bytes, bytesTotal } = error
    yield { kind: 'damaged', position: 0, reason: message, bytes, bytesTotal }
  }
}

const openAt =
  ({ path, form }: Partition) =>
  (place: number) =>
    bytesOf(path, form.compression, place)

/** null where the file ends before it, or is cut off: reading says so. */
async function csvHeaderOf(partition: Partition, options: CsvOptions): Promise<CsvHeader | null> {
  try {
    return await readCsvHeader(partition.path, openAt(partition), options)
  } catch (error) {
    if (error instanceof Damaged) return null
    throw error
  }
}
