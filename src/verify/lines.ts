/** The partitions of a topic's sources: which there are, what of them counts, and their records as lines of JSON. */
import { resolve } from 'node:path'
import { type Chunk, loadSource, type Source, type SplittableSource } from '../connectors/contract.ts'
import type { FileOptions } from '../connectors/file/describe.ts'
import { formOf } from '../connectors/file/format.ts'
import type { SourceReference, TopicNode } from '../plan/nodes.ts'
import { RECORD_BYTES_MAX } from '../runtime/process/topic-decoder.ts'
import { closeFile, openForWriting, writeBytes } from '../system/files.ts'
import { csvAsJsonLines } from './csv-lines.ts'
import type { Database } from './database.ts'
import { copyHead } from './heads.ts'

/** What of a partition is read. */
export interface Extent {
  /** The number by which the run knows it. */
  readonly number: number
  /** Where the next record begins that does not count, in the positions of its source; null: all count. */
  readonly end: number | null
  /** Lines below `end`, where they were counted. */
  readonly lines: number | null
}

export interface RecordsInput {
  readonly topic: TopicNode
  readonly sources: readonly SourceReference[]
  /** By its name, or its number among the partitions here; null: nothing of it counts. Default: all count. */
  readonly extentOf?: (name: string, number: number) => Extent | null
  /** Columns whose cells are left out. */
  readonly unread?: ReadonlySet<string>
  /** Places of records that were refused for when they arrived: `NUMBER:POSITION`. */
  readonly refusedAt?: ReadonlySet<string>
  /** By file the lines of rows that the run rejected. */
  readonly rejectedLines?: ReadonlyMap<string, ReadonlySet<number>>
  /** Read all lines through JSON and zod: the run refused some of them, or DuckDB's reading is in doubt. */
  readonly isDoubtful: boolean
  /** A folder for what must be unpacked or translated. */
  readonly folder: string
}

export interface Lines extends Extent {
  readonly path: string
}

export const extentIn = ({ extentOf }: RecordsInput, name: string, number: number): Extent | null =>
  extentOf === undefined ? { number, end: null, lines: null } : extentOf(name, number)

/** One plain file of lines for each partition of which something counts. */
export async function linesOf(database: Database, input: RecordsInput): Promise<readonly Lines[]> {
  const found: Lines[] = []
  let first = 0
  for (const reference of input.sources) {
    const source = await loadSource(reference)
    try {
      const partitions = await openSource(source, input.topic)
      const plain = 'plainFiles' in source ? (source as SplittableSource).plainFiles() : null
      const files = partitions.map(({ name }, index) => ({
        name,
        extent: extentIn(input, name, first + index),
        path: linesPath(input, first + index),
        isCsv: isCsv(reference, name),
      }))
      first += partitions.length
      if (plain === null) await translate(source, files)
      for (const [index, { name, extent, path, isCsv }] of files.entries()) {
        if (extent === null) continue
        const whole = plain?.[index]
        if (isCsv) await translateCsv(database, input, reference, { name, extent, path })
        if (whole === undefined) found.push({ ...extent, path })
        else if (extent.end === null || extent.end >= whole.bytes) found.push({ ...extent, path: whole.path })
        else {
          copyHead(whole.path, extent.end, path)
          found.push({ ...extent, path })
        }
      }
    } finally {
      await source.close()
    }
  }
  return found
}

export const openSource = (source: Source, topic: TopicNode) =>
  source.open({
    untilEnd: true,
    columns: topic.columns,
    required: new Set(),
    onWarning: () => {},
    maximumChunkBytes: RECORD_BYTES_MAX,
    signal: new AbortController().signal,
    from: new Map(),
    topic: topic.name,
    dataDirectory: '',
    listen: { host: '127.0.0.1', port: 0, tls: null, trustedProxies: [], keys: 'required' },
  })

export const linesPath = ({ folder, topic }: RecordsInput, number: number) => `${folder}/${topic.name}-${number}.ndjson`

/** Whether a source reads this file as CSV. */
export const isCsv = ({ connector, options }: SourceReference, path: string) =>
  connector === 'file' && formOf(path, options as FileOptions).format === 'csv'

export function translateCsv(
  database: Database,
  { topic, rejectedLines }: RecordsInput,
  { options }: SourceReference,
  { name, extent, path }: { readonly name: string; readonly extent: Extent; readonly path: string },
): Promise<void> {
  const lines = extent.end === null ? null : extent.lines
  return csvAsJsonLines(database, {
    path: name,
    options: options as FileOptions,
    columns: topic.columns,
    lines,
    rejectedLines: rejectedLines?.get(resolve(name)) ?? new Set(),
    to: path,
  })
}

async function translate(
  source: Source,
  partitions: readonly { readonly extent: Extent | null; readonly path: string; readonly isCsv: boolean }[],
): Promise<void> {
  if (partitions.every(({ isCsv }) => isCsv)) return
  const files = partitions.map(({ path, extent, isCsv }) => ({
    path,
    extent: isCsv ? null : extent,
    descriptor: openForWriting(path),
    bytes: 0,
  }))
  try {
    for await (const chunk of chunksOf(source)) {
      const file = files[chunk.partition]!
      const counted = countedPart(chunk, file.extent)
      if (counted.length === 0) continue
      const bytes = counted.at(-1) === 10 ? counted : Buffer.concat([counted, Buffer.from('\n')])
      writeBytes(file.descriptor, bytes, file.bytes, file.path)
      file.bytes += bytes.length
    }
  } finally {
    for (const file of files) closeFile(file.descriptor)
  }
}

/** The bytes of a chunk that count. */
export function countedPart({ bytes, position }: Chunk, extent: Extent | null): Uint8Array {
  if (extent === null) return bytes.subarray(0, 0)
  return extent.end === null ? bytes : bytes.subarray(0, Math.max(0, extent.end - position))
}

export async function* chunksOf(source: Source): AsyncGenerator<Chunk> {
  for (let piece = await source.read(); piece !== null; piece = await source.read()) {
    if (piece.kind === 'records' && piece.bytes.length > 0) yield piece
  }
}
