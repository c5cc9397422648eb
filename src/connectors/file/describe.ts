/** Files as a source and as a sink: the options and their check; nothing outside is touched here. */
import { z } from 'zod'
import type { SinkReference, SourceReference } from '../../plan/nodes.ts'
import { checkOptions } from '../support/options.ts'

/** As in a browser, `latin1` and `iso-8859-1` mean windows-1252, which differs in control characters only. */
const ENCODINGS = [
  'utf-8',
  'utf-16le',
  'utf-16be',
  'latin1',
  'iso-8859-1',
  'windows-1250',
  'windows-1251',
  'windows-1252',
  'windows-1253',
  'windows-1254',
  'windows-1255',
  'windows-1256',
  'windows-1257',
  'windows-1258',
  'iso-8859-2',
  'iso-8859-5',
  'iso-8859-7',
  'iso-8859-9',
  'iso-8859-15',
  'koi8-r',
  'macintosh',
  'shift_jis',
  'euc-jp',
  'euc-kr',
  'gb18030',
  'big5',
] as const

const FileOptions = z
  .strictObject({
    /** Source: a file, or a pattern with `*`, `?`, `**`, `{a,b}`. Sink: a file, relative to the data directory. */
    path: z.string().min(1),
    /** Default: by the extension; `.json` may hold an array or lines. */
    format: z.enum(['ndjson', 'json', 'csv', 'parquet']).optional(),
    /** Default: by the extension (.gz, .zst). Sources only. */
    compression: z.enum(['none', 'gzip', 'zstd']).optional(),
    /** CSV sources: what stands between cells, one ASCII character. Default a comma, for .tsv a tab. */
    delimiter: z
      .string()
      .regex(/^[\t !#-/:-@[-`{-~]$/, 'it must be one character, no letter, digit or quote')
      .optional(),
    /** CSV sources: texts that mean null where they are a whole cell without quotes; an empty cell always does. */
    nulls: z.array(z.string().min(1)).optional(),
    /** CSV sources: what stands before the fraction of a number. Default a point. */
    decimal: z.enum(['.', ',']).optional(),
    /** CSV sources: lines above the header that are left out. Default 0. */
    skipLines: z.int().min(0).optional(),
    /** CSV sources: false where the first row is no header; `columns` names them then. Default true. */
    header: z.boolean().optional(),
    /** CSV sources with `header: false`: the names of the columns, in their order. */
    columns: z.array(z.string().min(1)).min(1).optional(),
    /** CSV sources: how the text is encoded. Default UTF-8. */
    encoding: z.enum(ENCODINGS).optional(),
    /**
     * Parquet sources: what binary values are. 'text' (default): UTF-8; a row where one is not, and a text is needed, is
     * refused. 'base64': anything, written as base64.
     */
    binary: z.enum(['text', 'base64']).optional(),
    /** NDJSON and CSV sinks: how times are written. Default ISO 8601. */
    timestamps: z.enum(['iso', 'ms', 'us']).optional(),
  })
  .superRefine(({ header = true, columns, format, ...options }, check) => {
    const problem = (path: string, message: string) => check.addIssue({ code: 'custom', path: [path], message })
    if (header && columns !== undefined) problem('columns', 'they are named by the header; or say header: false')
    if (!header && columns === undefined) problem('header', "without one, name the columns: columns: ['a', 'b']")
    if (new Set(columns).size < (columns?.length ?? 0)) problem('columns', 'a name stands there twice')
    if (format === undefined || format === 'csv') return
    for (const name of CSV_OPTIONS) {
      if (name in options || (name === 'header' && !header)) problem(name, `it is for CSV, and the format is ${format}`)
    }
  })

/** Options that say how a CSV file that is read is written. */
export const CSV_OPTIONS = ['delimiter', 'nulls', 'decimal', 'skipLines', 'header', 'columns', 'encoding'] as const

export type FileOptions = z.input<typeof FileOptions>

/** Fits wherever a source or a sink is asked for. */
export type FileReference = SourceReference & SinkReference & { readonly kind: 'source-and-sink' }

/**
 * Reads files (NDJSON, JSON, CSV, Parquet; also .gz and .zst) or writes one (NDJSON, CSV, Parquet).
 *
 * Format and compression go by the extension unless given. Throws OPTION_INVALID for options that there are not.
 */
export function file(options: FileOptions): FileReference {
  const checked = checkOptions('file', FileOptions, options)
  return Object.freeze({
    kind: 'source-and-sink',
    connector: 'file',
    options: checked,
    files: Object.freeze(filesOf(checked.path)),
    open: () => import('./open.ts'),
  })
}

/** The file, where it counts up to, and of Parquet the rows that it is made of. */
function filesOf(path: string): string[] {
  const beside = [path, `${path}.position.json`]
  const rows = `${path}.rows.ndjson`
  return [...beside, rows, `${rows}.position.json`, `${path}.stale`, `${path}.tmp`]
}
