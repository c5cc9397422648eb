import { z } from 'zod'
import { MillraceError, nearest } from '../../system/errors.ts'

/**
 * The checked options of a connector, frozen. Throws OPTION_INVALID with every problem in zod's own words; a misspelt
 * option is answered with the nearest right one.
 */
export function checkOptions<T extends z.ZodObject>(
  connector: string,
  schema: T,
  options: unknown,
): Readonly<z.output<T>> {
  const result = schema.safeParse(options)
  if (result.success) return Object.freeze(result.data)
  const known = Object.keys(schema.shape)
  const problems = result.error.issues.flatMap(issue => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map(key => {
        const near = nearest(key, known)
        return `there is no option ${JSON.stringify(key)}${near === null ? '' : `; did you mean ${JSON.stringify(near)}?`}`
      })
    }
    return [issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`]
  })
  throw new MillraceError('OPTION_INVALID', `${connector}(...): ${problems.join('; ')}.`, {
    next: `The options of ${connector} are: ${known.join(', ')}.`,
  })
}

/** Options of each source that is pushed to: spread them into its schema. */
export const pushOptions = {
  /** The most records of one request. Default 100,000. */
  maximumRecords: z.int().positive().optional(),
  /** Rejected records of one key, or of one address where none is given. Default 10,000. */
  rejectedRecordsPerMinute: z.int().positive().optional(),
  /** How long the idempotency key of a request is remembered. Default `'24 h'`. */
  keysKeptFor: z.templateLiteral([z.number(), ' ', z.enum(['ms', 's', 'm', 'h', 'd'])]).optional(),
  /** Memory for these keys, 41 bytes each: past it the oldest are forgotten. Default 64 MiB. */
  keyMemoryBytes: z.int().positive().optional(),
}

export type PushOptions = { readonly [name in keyof typeof pushOptions]?: z.output<(typeof pushOptions)[name]> }
