/** Files of comma-separated values: their header, and their rows as lines of JSON. */
import { bytesOf } from '../../formats/bytes.ts'
import { type CsvHeader, checkCsvHeader, readCsvHeader } from '../../formats/csv/header.ts'
import type { CsvOptions } from '../../formats/csv/options.ts'
import { csvPieces } from '../../formats/csv/pieces.ts'
import { Damaged, type Piece } from '../../formats/lines.ts'
import type { MillraceError } from '../../system/errors.ts'
import type { SourceContext } from '../contract.ts'
import type { FileOptions } from './describe.ts'
import { csvOptionsOf } from './format.ts'
import type { Partition } from './readers.ts'

/** Holds the header of a file against the columns of a topic; answers warnings. Throws HEADER_MISMATCH. */
export async function checkCsv(
  partition: Partition,
  options: FileOptions,
  check: Parameters<typeof checkCsvHeader>[1],
  maximumChunkBytes: number,
): Promise<readonly MillraceError[]> {
  const csv = csvOptionsOf(options, partition.form, maximumChunkBytes)
  const header = await csvHeaderOf(partition, csv)
  return header === null ? [] : [...checkCsvHeader(header, check, csv)]
}

/** The rows of a file as lines of JSON; those that cannot be, as what is damaged. */
export async function* csvPiecesOf(
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
