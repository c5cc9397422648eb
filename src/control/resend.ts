/**
 * Records that go to their topic once more.
 *
 * What was taken is noted in DATA_DIR/dead_letters.resent, a line each, and not taken again: the note is read before and
 * written after. A process that is killed in between finds no note, but the topic itself knows the record's id as
 * long as it remembers the keys of messages. So none is lost, and none is there twice.
 */
import { join } from 'node:path'
import type { PushOutcome } from '../connectors/contract.ts'
import type { RunHandle } from '../runtime/options.ts'
import type { Clock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { appendText, readText } from '../system/files.ts'
import { objectOf } from './answer.ts'
import { type Resend, type Resent, wireError } from './protocol.ts'

const RESENT_FILE = 'dead_letters.resent'

/** Names of what was sent again. */
export function resentIds(dataDirectory: string): Set<string> {
  const ids = new Set<string>()
  for (const line of (readText(join(dataDirectory, RESENT_FILE)) ?? '').split('\n')) {
    try {
      if (line !== '') ids.add((JSON.parse(line) as { id: string }).id)
    } catch {
      // The end of a note that a loss of power cut off: its record is told by its id.
    }
  }
  return ids
}

export class Resender {
  readonly #run: RunHandle
  readonly #clock: Clock
  #known: Set<string> | null = null
  /** One request after the other: two that hold the same record must not both find no note of it. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor(run: RunHandle, clock: Clock) {
    this.#run = run
    this.#clock = clock
  }

  send(records: readonly Resend[]): Promise<Resent[]> {
    const result = this.#tail.then(() => this.#send(records))
    this.#tail = result.catch(() => {})
    return result
  }

  async #send(records: readonly Resend[]): Promise<Resent[]> {
    this.#known ??= resentIds(this.#run.dataDirectory)
    const known = this.#known
    const sent = new Map<string, Promise<Resent>>()
    // All at once: they share a sync of the log.
    for (const record of records) {
      if (!known.has(record.id) && !sent.has(record.id)) sent.set(record.id, this.#sendOne(record))
    }
    const answers = new Map((await Promise.all(sent.values())).map(answer => [answer.id, answer]))
    this.#note(records, answers)
    return records.map(({ id }) => answers.get(id) ?? { id, outcome: 'repeated' })
  }

  async #sendOne({ id, topic, text, encoding }: Resend): Promise<Resent> {
    try {
      const bytes = Buffer.from(text, encoding ?? 'utf8')
      const line = bytes.at(-1) === 10 ? bytes : Buffer.concat([bytes, Buffer.from('\n')])
      return { id, ...answerOf(await this.#run.append(topic, line, id)) }
    } catch (error) {
      return { id, outcome: 'failed', error: wireError(error) }
    }
  }

  #note(records: readonly Resend[], answers: ReadonlyMap<string, Resent>): void {
    const at = new Date(this.#clock.now() / 1000).toISOString()
    const topics = new Map(records.map(({ id, topic }) => [id, topic]))
    const taken = [...answers.values()].filter(({ outcome }) => outcome !== 'failed')
    if (taken.length === 0) return
    const notes = taken.map(({ id, outcome }) => `${JSON.stringify({ id, topic: topics.get(id), outcome, at })}\n`)
    // A note that was cut off must not swallow this one.
    const path = join(this.#run.dataDirectory, RESENT_FILE)
    const isCut = /[^\n]$/.test(readText(path) ?? '')
    appendText(path, `${isCut ? '\n' : ''}${notes.join('')}`)
    for (const { id } of taken) this.#known!.add(id)
  }
}

function answerOf(outcome: PushOutcome): Omit<Resent, 'id'> {
  switch (outcome.kind) {
    case 'failed':
      return { outcome: 'failed', error: wireError(outcome.error) }
    case 'repeated':
      return { outcome: 'repeated' }
    case 'kept': {
      const [first] = outcome.refused
      if (outcome.refusedCount === 0) return { outcome: 'kept' }
      return { outcome: 'refused', ...(first === undefined ? {} : { reason: first.reason }) }
    }
  }
}

/** The records of a request's body. Throws OPTION_INVALID for a line that is none. */
export function recordsOf(body: string): Resend[] {
  return body
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const { id, topic, text, encoding } = objectOf(line)
      if (typeof id === 'string' && typeof topic === 'string' && typeof text === 'string') {
        return { id, topic, text, ...(encoding === 'base64' ? { encoding } : {}) }
      }
      throw new MillraceError('OPTION_INVALID', 'A line of the request is no record to send again.')
    })
}
