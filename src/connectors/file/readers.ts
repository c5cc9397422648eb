/**
 * What reads one file of a source: plain lines as they are, every other format as lines that are made of it. What a
 * format needs is loaded where a file has it.
 */
import { bytesOf } from '../../formats/bytes.ts'
import { checkHeader } from '../../formats/header.ts'
import { type Piece, piecesFrom, type ResumePoint, wholeLines } from '../../formats/lines.ts'
import type { Clock } from '../../system/clock.ts'
import type { FileStatus } from '../../system/files.ts'
import type { Chunk, Damage, Idle, SourceContext } from '../contract.ts'
import type { FileOptions } from './describe.ts'
import type { FileForm } from './format.ts'
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
    const { checkCsv } = await import('./csv.ts')
    for (const warning of await checkCsv(partition, options, check, maximumChunkBytes)) onWarning(warning)
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
    case 'json': {
      const { elementsAsLines } = await import('../../formats/json-array.ts')
      yield* piecesFrom(wholeLines(elementsAsLines(bytesOf(path, form.compression)), limit), position)
      return
    }
    case 'csv': {
      const { csvPiecesOf } = await import('./csv.ts')
      yield* csvPiecesOf(partition, options, context)
      return
    }
    case 'parquet': {
      const { parquetPieces } = await import('../../formats/parquet/pieces.ts')
      const { binary = 'text' } = options
      yield* parquetPieces(path, from, { columns, binary, limit, onWarning: context.onWarning })
      return
    }
  }
}
