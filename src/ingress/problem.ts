/** What is said to a client: an answer, and a refusal that tells a developer what was wrong and what to do. */
import { ERRORS, type ErrorCode } from '../system/errors.ts'

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** An object goes as JSON, a text as plain text. */
  readonly body: Readonly<Record<string, unknown>> | string
}

export interface ProblemOptions {
  readonly next?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A request that is refused. Its words are read by whoever sent it: no secrets, nothing of other clients. */
export class Problem extends Error {
  readonly status: number
  readonly code: ErrorCode
  readonly next: string
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: ErrorCode, message: string, { next, headers = {} }: ProblemOptions = {}) {
    super(message)
    this.status = status
    this.code = code
    this.next = next ?? ERRORS[code].next
    this.headers = headers
  }
}

/** The problem as JSON: `{ error: { code, message, next } }`. */
export function problemAnswer({ status, code, message, next, headers }: Problem): Answer {
  return { status, headers, body: { error: { code, message, next } } }
}

/** The sender may try again after so long. */
export function busy(message: string, retryAfter_s: number, next?: string): Problem {
  return new Problem(503, 'TOO_BUSY', message, {
    headers: { 'retry-after': String(retryAfter_s) },
    ...(next === undefined ? {} : { next }),
  })
}
