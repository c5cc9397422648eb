/** The HTTP source: bodies become lines of JSON, what became of them becomes the answer. */

import { jsonFault } from '../../formats/json-fault.ts'
import type { Received } from '../../ingress/host.ts'
import { IDEMPOTENCY_KEY_BYTES_MAX as KEY_BYTES_MAX } from '../../ingress/limits.ts'
import { linesOf } from '../../ingress/lines.ts'
import { failureProblem } from '../../ingress/outcome.ts'
import { type Answer, Problem } from '../../ingress/problem.ts'
import { type PushLimits, PushSource, type PushSourceSettings, type Translated } from '../../ingress/source.ts'
import type { IdempotencyKey, PushOutcome, Source } from '../contract.ts'
import { pushSettingsOf } from '../support/push-settings.ts'
import type { HttpOptions } from './describe.ts'

/** `test`: what tests put in the place of the real things. */
export async function openSource(
  options: Readonly<Record<string, unknown>>,
  test: PushSourceSettings = {},
): Promise<Source> {
  const { path, maximumBodyBytes = null, requestsPerSecond = null, ...rest } = options as HttpOptions
  const takes = 'one JSON object, an array of them, or NDJSON'
  const form = {
    path,
    name: 'http(...)',
    takes,
    bodyBytesMax: maximumBodyBytes,
    requestsPerSecond,
    settings: pushSettingsOf(rest),
    read,
  }
  return new PushSource(form, test)
}

const OPEN_BRACKET = 91
/** Of a larger body the place of a fault is not looked for: no record is that long. */
const FAULT_BYTES_MAX = 1 << 20

/** Content types in which each line is a record. */
const LINE_TYPES = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/x-jsonlines',
  'application/jsonlines',
])

function read({ body, header, keyId }: Received, { records: recordsMax }: PushLimits): Translated | Answer {
  const [type = '', ...parameters] = (header('content-type') ?? '').toLowerCase().split(';')
  refuseOtherCharsets(parameters)
  const lines = linesOf(body, LINE_TYPES.has(type.trim()), recordsMax)
  if (lines.records === 0) {
    if (body.includes(OPEN_BRACKET)) return { status: 200, body: { accepted: 0 } }
    throw new Problem(400, 'REQUEST_INVALID', 'The body is empty.', {
      next: 'Send one JSON object, an array of them, or one a line.',
    })
  }
  const idempotencyKey = keyOf(keyId, header('idempotency-key'))
  const { bytes, records, isBroken } = lines
  // Only of these the place of a fault is told; of the others nothing is held until they are settled.
  const whole = (isBroken || records === 1) && body.length <= FAULT_BYTES_MAX ? body : null
  return { lines: bytes, records, idempotencyKey, answer: outcome => answerOf(outcome, whole) }
}

function refuseOtherCharsets(parameters: readonly string[]): void {
  for (const parameter of parameters) {
    const charset = /^\s*charset\s*=\s*"?([^"\s]+)"?\s*$/.exec(parameter)?.[1]
    if (charset === undefined || ['utf-8', 'utf8', 'us-ascii'].includes(charset)) continue
    throw new Problem(415, 'REQUEST_INVALID', 'The body has a character set that is not taken here.', {
      next: 'Send it as UTF-8.',
    })
  }
}

/** Any text, with or without the quotes that the header's standard asks for; of each API key's client apart. */
function keyOf(client: string | null, text: string | null): IdempotencyKey | null {
  if (text === null) return null
  const key = /^"(.*)"$/.exec(text)?.[1] ?? text
  if (key.length > 0 && key.length <= KEY_BYTES_MAX) return ['http', client ?? '', key]
  throw new Problem(400, 'REQUEST_INVALID', `The header Idempotency-Key has ${key.length} bytes.`, {
    next: `Send from 1 to ${KEY_BYTES_MAX}, another one with each request that is new: a UUID, say.`,
  })
}

function answerOf(outcome: PushOutcome, body: Buffer | null): Answer {
  switch (outcome.kind) {
    case 'failed':
      throw failureProblem(outcome.error)
    case 'repeated':
      return { status: 200, body: { accepted: 0, repeated: true } }
    case 'kept': {
      const { accepted, refusedCount, refused } = outcome
      if (refusedCount === 0) return { status: 200, body: { accepted } }
      if (accepted > 0) return { status: 200, body: { accepted, refused: refusedCount, reasons: refused } }
      return refusal(outcome, body)
    }
  }
}

/** Nothing was accepted: the body is no JSON, or no record is as the schema says. */
function refusal({ refusedCount, refused }: Extract<PushOutcome, { kind: 'kept' }>, body: Buffer | null): Answer {
  const counts = { accepted: 0, refused: refusedCount, reasons: refused }
  const fault = body === null ? null : jsonFault(body.toString().replace(/^\uFEFF/, ''))
  if (fault !== null) {
    const { line, column, message } = fault
    const words = `The body is not JSON: line ${line}, column ${column}: ${message}.`
    const next = 'Send one JSON object, an array of them, or one a line; the body as it came is in dead_letters.'
    return { status: 400, body: { error: { code: 'REQUEST_INVALID', message: words, next, line, column }, ...counts } }
  }
  const [first] = refused
  const reason = first === undefined ? '' : ` The first: ${first.path === '' ? '' : `${first.path}: `}${first.reason}.`
  const error = {
    code: 'RECORD_INVALID',
    message: `${refusedCount === 1 ? 'The record is' : 'All records are'} refused by the schema.${reason}`,
    next: 'Correct the sender; the records as they came are in dead_letters.',
  }
  return { status: 422, body: { error, ...counts } }
}
