/**
 * What the owner of a data directory and the commands beside it say to each other: HTTP over a local socket.
 *
 * GET /about: `About`. POST /query (`QueryRequest`) and GET /watch?step=S&nested=1: a stream. POST /snapshot
 * (`SnapshotRequest`): the runtime's `Snapshot`. POST /resend (`Resend`, one a line): `Resent`, one a line.
 *
 * A stream is NDJSON: a line that is an object is a row, a line that is an array is a `Note`. The first note says the
 * columns, the last one that this is the end: a stream that stops without it was cut off. Everything else that goes wrong
 * is `{ "error": WireError }` with a status that is not 200.
 */
import type { RunHandle, RunProgress } from '../runtime/options.ts'
import { ERRORS, type ErrorCode, MillraceError } from '../system/errors.ts'

export interface About {
  readonly protocol: 1
  readonly process: number
  readonly namespace: string
  readonly pipeline: string
  readonly addresses: RunHandle['addresses']
  readonly progress: RunProgress
}

export interface QueryRequest {
  readonly sql: string
  readonly limit: number | null
  readonly timeout_ms: number | null
}

export interface SnapshotRequest {
  /** Absolute, not there yet. */
  readonly path: string
}

/** A record that goes to a topic once more. */
export interface Resend {
  /** Names the record for good: what was sent under it is not sent again. */
  readonly id: string
  readonly topic: string
  readonly text: string
  /** `text` stands for bytes that are no text. */
  readonly encoding?: 'base64'
}

export interface Resent {
  readonly id: string
  /** `refused`: kept, but its schema refuses it still: a new dead letter says why. `repeated`: it was sent before. */
  readonly outcome: 'kept' | 'refused' | 'repeated' | 'failed'
  /** Why it was refused. */
  readonly reason?: string
  readonly error?: WireError
}

export type Column = { readonly name: string; readonly type: string }

export type Note =
  | readonly ['columns', readonly Column[]]
  /** So many rows were left out because the reader was slow. */
  | readonly ['skipped', number]
  | readonly ['error', WireError]
  | readonly ['end']

export interface WireError {
  readonly code: string
  readonly message: string
  readonly next: string
}

export function wireError(error: unknown): WireError {
  if (error instanceof MillraceError) return { code: error.code, message: error.message, next: error.next }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'INTERNAL', message, next: ERRORS.INTERNAL.next }
}

/** The error as the other side raised it; a code that this version does not know stays readable. */
export function errorFrom({ code, message, next }: WireError): MillraceError {
  if (Object.hasOwn(ERRORS, code)) return new MillraceError(code as ErrorCode, message, { next })
  return new MillraceError('INTERNAL', `${code}: ${message}`, { next })
}
