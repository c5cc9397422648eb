/** Records that clients send over HTTP: the options and their check; nothing outside is touched here. */
import { z } from 'zod'
import type { SourceReference } from '../../plan/nodes.ts'
import { checkOptions, pushOptions } from '../support/options.ts'

const HttpOptions = z.strictObject({
  /** Where clients POST to: `/events`. */
  path: z.string().startsWith('/'),
  /** The largest body, unpacked. Default 8 MiB, or as much as the engine takes at once if that is less. */
  maximumBodyBytes: z.int().positive().optional(),
  /** Of one key, or of one address where none is given. Default: 500, on the loopback interface no limit. */
  requestsPerSecond: z.int().positive().optional(),
  ...pushOptions,
})

export type HttpOptions = z.input<typeof HttpOptions>

/**
 * Records that clients POST to a path: one JSON object, an array of them, or NDJSON; gzip, br and zstd are unpacked.
 *
 * A request is answered when its records are safe from a loss of power. Throws OPTION_INVALID for options that there are
 * not.
 */
export function http(options: HttpOptions): SourceReference {
  return Object.freeze({
    kind: 'source',
    connector: 'http',
    options: checkOptions('http', HttpOptions, options),
    open: () => import('./open.ts'),
  })
}
