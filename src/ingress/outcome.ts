/** What the runtime says of a message, as far as all HTTP sources answer it alike. */
import { ERRORS, type MillraceError } from '../system/errors.ts'
import { Problem } from './problem.ts'

/** A full disk is not empty again at once. */
const RETRY_FULL_S = 10
const RETRY_S = 1
/** In which the budget for rejected records is whole again. */
const RETRY_REJECTED_S = 60

/** Nothing was kept: whether it may be sent again, and why. */
export function failureProblem({ code, message, next }: MillraceError): Problem {
  if (code === 'LOG_FULL') {
    return new Problem(
      503,
      'LOG_FULL',
      'There is no room on the disk, or its budget is used up: nothing is taken in until there is.',
      {
        next: 'Send the same request again later; whoever runs the pipeline must make room.',
        headers: { 'retry-after': String(RETRY_FULL_S) },
      },
    )
  }
  if (code === 'REJECTED_TOO_MANY') {
    return new Problem(429, code, message, { next, headers: { 'retry-after': String(RETRY_REJECTED_S) } })
  }
  if (code === 'TOO_BUSY' || code === 'RUN_STOPPING') {
    return new Problem(503, code, message, { next, headers: { 'retry-after': String(RETRY_S) } })
  }
  // Other messages name files and settings of the machine, which are no client's business.
  const { fault, retried } = ERRORS[code]
  if (fault !== 'outside' && !retried)
    return new Problem(500, code, 'The records could not be kept.', { next: 'Ask whoever runs the pipeline.' })
  return new Problem(503, code, 'The records could not be kept just now.', {
    next: 'Send the same request again later.',
    headers: { 'retry-after': String(RETRY_FULL_S) },
  })
}
