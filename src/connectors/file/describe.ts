/** Files as a source and as a sink: the options and their check; nothing outside is touched here. */
import { z } from 'zod'
import type { SinkReference, SourceReference } from '../../plan/nodes.ts'
import { checkOptions } from '../support/options.ts'

const FileOptions = z.strictObject({
  /** Source: a file, or a pattern with `*`, `?`, `**`, `{a,b}`. Sink: a file, relative to the data directory. */
  path: z.string().min(1),
  /** Default: by the extension; `.json` may hold an array or lines. */
  format: z.enum(['ndjson', 'json', 'csv', 'parquet']).optional(),
  /** Default: by the extension (.gz, .zst). Sources only. */
  compression: z.enum(['none', 'gzip', 'zstd']).optional(),
  /** CSV: what stands between cells. Default a comma. */
  delimiter: z.enum([',', ';', '\t', '|']).optional(),
  /** NDJSON and CSV sinks: how times are written. Default ISO 8601. */
  timestamps: z.enum(['iso', 'ms', 'us']).optional(),
})

export type FileOptions = z.input<typeof FileOptions>

/** Fits wherever a source or a sink is asked for. */
export type FileReference = SourceReference & SinkReference & { readonly kind: 'source-and-sink' }

/**
 * Reads files (NDJSON, JSON, CSV, Parquet; also .gz and .zst) or writes one (NDJSON, CSV, Parquet).
 *
 * Format and compression go by the extension unless given. Throws OPTION_INVALID for options that there are not.
 */
export function file(options: FileOptions): FileReference {
  return Object.freeze({
    kind: 'source-and-sink',
    connector: 'file',
    options: checkOptions('file', FileOptions, options),
    open: () => import('./open.ts'),
  })
}
