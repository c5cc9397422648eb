/** What the app pushes: its messages as records, and answers in words that the phone shows to the person who holds it. */

import type { Received } from '../../ingress/host.ts'
import { failureProblem } from '../../ingress/outcome.ts'
import { type Answer, Problem } from '../../ingress/problem.ts'
import { type PushLimits, PushSource, type PushSourceSettings, type Translated } from '../../ingress/source.ts'
import { isBlank, withoutByteOrderMark } from '../../plan/white-space.ts'
import type { PushOutcome, Source } from '../contract.ts'
import type { PushSettings } from '../support/push-settings.ts'
import { messageLines } from './envelope.ts'

/** The app shows the text of an answer with this status, once a recording. */
const SHOWN = 499
/** What the app is to send again as it is. */
const RETRIED = new Set([408, 429, 500, 503])
const OK: Answer = { status: 200, body: { ok: true } }

export function pushSource(
  path: string,
  userId: string | null,
  settings: PushSettings,
  test: PushSourceSettings = {},
): Source {
  return new PushSource(
    {
      path,
      name: 'sensorLogger(...)',
      takes: 'messages of the app Sensor Logger (HTTP Push)',
      bodyBytesMax: null,
      requestsPerSecond: null,
      settings,
      refuse,
      read: ({ body }, limits) => read(body, userId, limits),
    },
    test,
  )
}

function read(body: Received['body'], userId: string | null, limits: PushLimits): Translated | Answer {
  if (isBlank(withoutByteOrderMark(body))) throw new Problem(400, 'REQUEST_INVALID', 'the message is empty.')
  const lines = messageLines(body, userId, limits)
  if (lines === null) throw new Problem(413, 'REQUEST_TOO_LARGE', 'The message has too many readings.')
  const { bytes, records, idempotencyKey, fault } = lines
  // The app's own trial of the address has no readings.
  if (records === 0) return OK
  return { lines: bytes, records, idempotencyKey, answer: outcome => answerOf(outcome, fault) }
}

function answerOf(outcome: PushOutcome, fault: string | null): Answer {
  if (outcome.kind === 'failed') throw failureProblem(outcome.error)
  if (outcome.kind === 'repeated' || outcome.accepted > 0 || outcome.refusedCount === 0) return OK
  const [first] = outcome.refused
  const reason =
    fault !== null
      ? `this is not a message of Sensor Logger: ${fault}`
      : first === undefined
        ? 'the readings are not as they should be'
        : `the readings are not as they should be: ${first.path === '' ? '' : `${first.path}: `}${first.reason}`
  return shown(`${reason}. Nothing of it was kept but for a copy in dead_letters.`)
}

function refuse({ status, message, headers }: Problem): Answer {
  if (RETRIED.has(status)) return { status, headers, body: `Millrace: ${message} The phone sends it again.` }
  return shown(TEXTS[status] ?? message)
}

const TEXTS: Readonly<Record<number, string>> = {
  401: 'the key in the URL is missing or wrong, or it is no longer valid. Copy the whole address again, with its key at the end, from whoever runs the pipeline.',
  403: 'the key in the URL is for something else. Copy the whole address again, with its key at the end, from whoever runs the pipeline.',
  405: 'this address is for the app: enter it there as the URL of HTTP Push.',
  413: 'the message is too large. Choose a shorter time between pushes, or fewer sensors, in the app.',
}

function shown(text: string): Answer {
  return { status: SHOWN, body: `Millrace: ${text}` }
}
