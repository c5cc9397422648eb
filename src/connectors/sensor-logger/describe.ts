/** The phone app Sensor Logger as a source: the options and their check; nothing outside is touched here. */
import { z } from 'zod'
import type { SourceReference } from '../../plan/nodes.ts'
import { checkOptions, pushOptions } from '../support/options.ts'

const SensorLoggerOptions = z.strictObject({
  /** The HTTP path that the app pushes to, default `/sensor-logger`. Not used with `export`. */
  path: z.string().startsWith('/').optional(),
  /** What the app exported: a .zip, a folder of CSV files or a .json file; a pattern for several of them. */
  export: z.string().min(1).optional(),
  /** Of an export. Default: the recording's time out of Metadata.csv, else the name of the export. */
  sessionId: z.string().min(1).optional(),
  /** Of an export. Default: the device's id or name out of Metadata.csv, else `unknown`. */
  deviceId: z.string().min(1).optional(),
  /** Added to each reading when given; to a pushed one when its message names none. */
  userId: z.string().min(1).optional(),
  ...pushOptions,
})

export type SensorLoggerOptions = z.input<typeof SensorLoggerOptions>

/**
 * Readings of the app Sensor Logger, one record each: `{ sessionId, deviceId, name, time, values }`, with `time` in
 * nanoseconds and names as the app pushes them; what is pushed also has its `messageId`.
 *
 * Without `export` the app pushes them over HTTP, and a message that it sends again is kept once; with it they are read
 * from what the app exported, in the order of their times.
 *
 * Throws OPTION_INVALID for options that there are not.
 */
export function sensorLogger(options: SensorLoggerOptions = {}): SourceReference {
  return Object.freeze({
    kind: 'source',
    connector: 'sensor-logger',
    options: checkOptions('sensorLogger', SensorLoggerOptions, options),
    open: () => import('./open.ts'),
  })
}
