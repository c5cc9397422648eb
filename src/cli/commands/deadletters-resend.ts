/** `millrace deadletters resend`: refused records to their topic once more, through the run that owns it. */
import { resolve } from 'node:path'
import { type OwnerClient, ownerOf } from '../../control/client.ts'
import type { Resend, Resent } from '../../control/protocol.ts'
import { MillraceError } from '../../system/errors.ts'
import { readText, readWhole } from '../../system/files.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory } from '../data-directory.ts'
import { inTopic, isInTopic, lettersOf, resendId, selectionOf, unsendable } from '../dead-letters.ts'
import { EXIT } from '../exit-codes.ts'
import { grouped, harmless, jsonText, processTerminal, type Terminal } from '../terminal.ts'

/** So many records, or about so many characters, go in one request: they share a sync of the log. */
const REQUEST_RECORDS = 500
const REQUEST_CHARACTERS = 2 * 1024 * 1024
const REASONS_SHOWN = 10

interface Summary {
  kept: number
  /** Refused by the schema again: each is a dead letter anew. */
  refused: number
  /** They had been sent before. */
  repeated: number
  failed: number
  /** By reason, letters that hold no whole record. */
  readonly leftOut: Record<string, number>
}

export async function run(values: Arguments): Promise<number> {
  const dataDirectory = storedDataDirectory(values.text('data-dir'))
  const file = values.optional('FILE')
  const terminal = processTerminal()
  const summary: Summary = { kept: 0, refused: 0, repeated: 0, failed: 0, leftOut: {} }
  const records =
    file === null
      ? letters(dataDirectory, values, summary)
      : corrected(file, values, { dataDirectory, summary, terminal })
  const owner = await ownerOf(dataDirectory)
  if (owner === null) {
    throw new MillraceError('NOT_RUNNING', `No pipeline is at work on ${dataDirectory}, so nobody takes the records.`, {
      next: `Start it (millrace run FILE --data-dir ${dataDirectory}), and give this command again beside it.`,
    })
  }
  await send(owner, records, summary, terminal)
  if (values.flag('json')) await terminal.print(jsonText(summary))
  else await terminal.print(textOf(summary))
  return summary.refused + summary.failed > 0 ? EXIT.no : EXIT.ok
}

/** The letters that the options select, as they came. */
function* letters(dataDirectory: string, values: Arguments, summary: Summary): Generator<Resend> {
  const selection = selectionOf(values, values.list('number'))
  if (selection.topic === null && selection.code === null && selection.numbers === null) {
    throw new MillraceError('OPTION_INVALID', 'Which records: a FILE, --number N, --topic T or --code C?')
  }
  for (const { number, letter, isResent } of lettersOf(dataDirectory, selection)) {
    const why = isResent && selection.numbers === null ? 'sent again already' : unsendable(letter)
    if (why !== null) summary.leftOut[why] = (summary.leftOut[why] ?? 0) + 1
    else {
      const { topic, encoding } = letter
      const text = letter.bytes!
      yield { id: resendId(number, text), topic, text, ...(encoding === undefined ? {} : { encoding }) }
    }
  }
}

/** The lines of a file. `FILE.numbers` says which letters they correct, as long as there are as many lines as numbers. */
function* corrected(
  file: string,
  values: Arguments,
  { dataDirectory, summary, terminal }: { dataDirectory: string; summary: Summary; terminal: Terminal },
): Generator<Resend> {
  const topic = values.text('topic')
  if (topic === null) {
    throw new MillraceError('OPTION_INVALID', `To which topic do the records of ${file} go?`, {
      next: `Add --topic T.`,
    })
  }
  for (const option of ['number', 'code']) {
    if (values.flag(option)) {
      throw new MillraceError('OPTION_INVALID', `--${option} selects letters; the records of a file are all sent.`)
    }
  }
  const lines = linesOf(readWhole(resolve(file)))
  const numbers = (readText(`${resolve(file)}.numbers`) ?? '').split('\n').filter(number => number !== '')
  const isKnown = numbers.length === lines.length
  if (numbers.length > 0 && !isKnown) {
    terminal.remark(
      `${file} has ${grouped(lines.length)} records, exported were ${grouped(numbers.length)}: which letters they correct is not noted`,
    )
  }
  const kept = recordsInTopic(dataDirectory, topic)
  const seen = new Map<string, number>()
  for (const [index, line] of lines.entries()) {
    const text = line.toString('utf8')
    const isText = Buffer.from(text, 'utf8').equals(line)
    const content = isText ? text : line.toString('base64')
    const why = kept.get(content)
    if (why !== undefined) {
      summary.leftOut[why] = (summary.leftOut[why] ?? 0) + 1
      continue
    }
    // Equal lines of one file are as many records.
    const times = seen.get(content) ?? 0
    seen.set(content, times + 1)
    const id = isKnown ? resendId(numbers[index]!, content) : `${resendId('', content)}#${times}`
    yield { id, topic, text: content, ...(isText ? {} : { encoding: 'base64' }) }
  }
}

/** Records that a step refused, as an export writes them, each with why it is not sent: its topic would have it twice. */
function recordsInTopic(dataDirectory: string, topic: string): ReadonlyMap<string, string> {
  const kept = new Map<string, string>()
  for (const { letter } of lettersOf(dataDirectory, { topic: null, code: null, numbers: null })) {
    if (letter.topic === topic && letter.bytes !== null && isInTopic(letter)) kept.set(letter.bytes, inTopic(letter))
  }
  return kept
}

function linesOf(bytes: Uint8Array): Buffer[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const lines: Buffer[] = []
  for (let start = 0; start < all.length; ) {
    const end = all.indexOf(10, start)
    const line = all.subarray(start, end < 0 ? all.length : end)
    if (line.some(byte => byte > 32)) lines.push(line.at(-1) === 13 ? line.subarray(0, -1) : line)
    start = end < 0 ? all.length : end + 1
  }
  return lines
}

async function send(
  owner: OwnerClient,
  records: Iterable<Resend>,
  summary: Summary,
  terminal: Terminal,
): Promise<void> {
  let some: Resend[] = []
  let characters = 0
  let shown = 0
  const flush = async () => {
    const answers = some.length === 0 ? [] : await owner.resend(some)
    for (const answer of answers) {
      summary[answer.outcome]++
      const why = reasonOf(answer)
      if (why !== null && shown++ < REASONS_SHOWN) terminal.remark(why)
    }
    some = []
    characters = 0
  }
  for (const record of records) {
    if (some.length === REQUEST_RECORDS || characters + record.text.length > REQUEST_CHARACTERS) await flush()
    some.push(record)
    characters += record.text.length
  }
  await flush()
  if (shown > REASONS_SHOWN) terminal.remark(`and ${grouped(shown - REASONS_SHOWN)} more`)
}

function reasonOf({ id, outcome, reason, error }: Resent): string | null {
  const number = id.slice(0, id.indexOf('@')) || 'a record'
  if (outcome === 'failed') return `${number} was not taken: ${error?.code}: ${harmless(error?.message ?? '')}`
  return outcome === 'refused' ? `${number} was refused again: ${harmless(reason ?? '')}` : null
}

function textOf({ kept, refused, repeated, failed, leftOut }: Summary): string {
  const parts = [`${grouped(kept)} taken`]
  if (refused > 0) parts.push(`${grouped(refused)} refused again`)
  if (repeated > 0) parts.push(`${grouped(repeated)} had been sent before`)
  if (failed > 0) parts.push(`${grouped(failed)} not taken`)
  for (const [reason, count] of Object.entries(leftOut)) parts.push(`${grouped(count)} left out (${reason})`)
  return parts.join(', ')
}
