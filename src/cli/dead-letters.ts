/** The refused records of a data directory, each with its number. */
import { createHash } from 'node:crypto'
import { resentIds } from '../control/resend.ts'
import type { DeadLetter } from '../log/dead-letter.ts'
import { partitionsOf } from '../log/open-topic.ts'
import { isStored } from '../log/topic-store.ts'
import { MillraceError } from '../system/errors.ts'
import type { Arguments } from './arguments.ts'
import { unknownName } from './load-pipeline.ts'
import { harmless } from './terminal.ts'
import { recordsOf } from './topic-records.ts'

const DEAD_LETTERS = 'dead_letters'

export interface Letter {
  /** Partition and offset among the dead letters: `0/17`. */
  readonly number: string
  readonly letter: DeadLetter
  /** It was sent to its topic again, as it came or corrected. */
  readonly isResent: boolean
}

export interface Selection {
  readonly topic: string | null
  readonly code: string | null
  /** Only these; null: all. */
  readonly numbers: readonly string[] | null
}

/** `--topic`, `--code` and `--number`. Throws OPTION_INVALID for what is no number of a letter. */
export function selectionOf(values: Arguments, numbers: readonly string[] = []): Selection {
  for (const number of numbers) placeOf(number)
  return { topic: values.text('topic'), code: values.text('code'), numbers: numbers.length > 0 ? numbers : null }
}

/**
 * The letters that are selected, in the order of their numbers. Throws OPTION_INVALID for a number that there is not,
 * TOPIC_UNKNOWN for a topic none of whose records was refused, though others' were.
 */
export function* lettersOf(dataDirectory: string, selection: Selection): Generator<Letter, void, undefined> {
  const { topic, code, numbers } = selection
  const resent = lettersResent(dataDirectory)
  const topics = new Set<string>()
  const left = new Set(numbers ?? [])
  let found = 0
  for (const { partition, offset, text } of stored(dataDirectory, numbers)) {
    const number = `${partition}/${offset}`
    if (numbers !== null && !left.delete(number)) continue
    const letter = JSON.parse(text) as DeadLetter
    topics.add(letter.topic)
    if (topic !== null && letter.topic !== topic) continue
    if (code !== null && letter.code !== code) continue
    found++
    yield { number, letter, isResent: resent.has(number) }
  }
  const [missing] = left
  if (missing !== undefined) {
    throw new MillraceError('OPTION_INVALID', `There is no dead letter ${missing} in ${dataDirectory}.`, {
      next: "Run 'millrace deadletters list' for those there are.",
    })
  }
  if (found === 0 && topic !== null && topics.size > 0 && !topics.has(topic)) {
    throw new MillraceError('TOPIC_UNKNOWN', unknownName('refused record of topic', topic, [...topics]))
  }
}

/** Whether a topic takes records that are sent again; of one that is read from files nothing is stored. */
export function takesResent(dataDirectory: string, topic: string): boolean {
  return isStored(dataDirectory, topic)
}

/** How a corrected record gets to a topic that is read from files. */
export function backByFile(source: string): string {
  return `where ${harmless(source)} is followed, add it, corrected, at the end; after a run to its end correct it there, and run over it beside this one, with a --data-dir of its own`
}

function* stored(dataDirectory: string, numbers: readonly string[] | null) {
  if (!isStored(dataDirectory, DEAD_LETTERS)) return
  const places = numbers?.map(placeOf) ?? null
  for (const partition of partitionsOf(dataDirectory, DEAD_LETTERS)) {
    const offsets = places?.filter(place => place.partition === partition).map(({ offset }) => offset)
    if (offsets?.length === 0) continue
    const [from, to] = offsets === undefined ? [0, Infinity] : [Math.min(...offsets), Math.max(...offsets)]
    for (const record of recordsOf(dataDirectory, DEAD_LETTERS, partition, from, () => {})) {
      if (record.offset > to) break
      yield record
    }
  }
}

function placeOf(number: string): { partition: number; offset: number } {
  const match = /^(\d{1,9})\/(\d{1,15})$/.exec(number)
  if (match !== null) return { partition: Number(match[1]), offset: Number(match[2]) }
  throw new MillraceError('OPTION_INVALID', `The number of a dead letter has the form 0/17, not '${number}'.`, {
    next: "Run 'millrace deadletters list' for those there are.",
  })
}

/** The name under which a record is sent again: another text of the same letter is another record. */
export function resendId(number: string, text: string): string {
  return `${number}@${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
}

function lettersResent(dataDirectory: string): ReadonlySet<string> {
  return new Set([...resentIds(dataDirectory)].map(id => id.slice(0, id.indexOf('@'))))
}

/** These stand in their topic already: a step of the pipeline refused them, not the topic. */
const IN_THE_TOPIC = new Set(['RECORD_LATE', 'RECORD_AHEAD', 'LAMBDA_FAILED', 'INTEGER_OVERFLOW'])

export const isInTopic = ({ code }: DeadLetter): boolean => IN_THE_TOPIC.has(code)

/** Why a letter does not hold a record that could be sent; null when it does. */
export function unsendable(letter: DeadLetter): string | null {
  return isInTopic(letter) ? inTopic(letter) : unreadable(letter)
}

export const inTopic = ({ code }: DeadLetter): string => `${code}: it is in its topic already`

/** Why a letter does not hold a whole record; null when it does. */
export function unreadable({ bytes, bytes_total, encoding, code }: DeadLetter): string | null {
  if (code === 'SOURCE_DAMAGED') return 'SOURCE_DAMAGED: it is no whole record'
  if (bytes === null) return 'its bytes were not kept'
  return Buffer.byteLength(bytes, encoding ?? 'utf8') < bytes_total ? 'only its beginning was kept' : null
}
