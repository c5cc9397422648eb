/** What a file holds, by its options, its name and (for .json) its first bytes. */
import { basename } from 'node:path'
import type { Compression } from '../../formats/compression.ts'
import type { CsvOptions } from '../../formats/csv/options.ts'
import { encodingOf } from '../../formats/text-encoding.ts'
import { MillraceError, nearest } from '../../system/errors.ts'
import { closeFile, openForReading, readBytes } from '../../system/files.ts'
import type { FileOptions } from './describe.ts'

export type Format = 'ndjson' | 'json' | 'csv' | 'parquet'

export interface FileForm {
  readonly format: Format
  readonly compression: Compression
  /** Of a CSV file whose options do not say. */
  readonly delimiter: string
}

const FORMATS: Readonly<Record<string, Format>> = {
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  log: 'ndjson',
  txt: 'ndjson',
  json: 'json',
  csv: 'csv',
  tsv: 'csv',
  parquet: 'parquet',
}

const COMPRESSIONS: Readonly<Record<string, Compression>> = { gz: 'gzip', gzip: 'gzip', zst: 'zstd', zstd: 'zstd' }

/** Throws OPTION_INVALID when neither the options nor the name say the format. */
export function formOf(path: string, options: FileOptions): FileForm {
  const parts = basename(path).toLowerCase().split('.').slice(1)
  let compression: Compression = 'none'
  const packed = COMPRESSIONS[parts.at(-1) ?? '']
  if (packed !== undefined) {
    compression = packed
    parts.pop()
  }
  const extension = parts.at(-1) ?? ''
  const format = options.format ?? FORMATS[extension]
  if (format === undefined) {
    const near = nearest(extension, Object.keys(FORMATS))
    throw new MillraceError(
      'OPTION_INVALID',
      `The name of ${path} does not say what format it has${near === null ? '' : ` (did you mean .${near}?)`}.`,
      {
        next: "Use the extension .ndjson, .json, .csv or .parquet, or file({ path, format: 'ndjson' }) in the pipeline.",
      },
    )
  }
  return {
    format,
    compression: options.compression ?? compression,
    delimiter: extension === 'tsv' ? '\t' : ',',
  }
}

/** How a CSV file is written; a row may have `limit` bytes. */
export function csvOptionsOf(options: FileOptions, { delimiter }: FileForm, limit: number): CsvOptions {
  return {
    delimiter: options.delimiter ?? delimiter,
    nulls: new Set(options.nulls),
    decimal: options.decimal ?? '.',
    skipLines: options.skipLines ?? 0,
    names: options.columns ?? null,
    encoding: encodingOf(options.encoding ?? 'utf-8'),
    limit,
  }
}

/**
 * A plain `.json` file may also hold one record a line. It is read as lines when its first line is whole JSON and not the
 * beginning of an array, so that a broken line costs that line only.
 */
export function holdsLines(path: string): boolean {
  const descriptor = openForReading(path)
  try {
    const head = Buffer.alloc(64 * 1024)
    const text = head.toString('utf8', 0, readBytes(descriptor, head, 0, head.length, 0)).replace(/^\uFEFF/, '')
    const [line = ''] = text.trimStart().split('\n', 1)
    if (!line.startsWith('{')) return false
    JSON.parse(line)
    return true
  } catch {
    return false
  } finally {
    closeFile(descriptor)
  }
}
