/** `millrace deadletters export`: refused records as they came, one a line, for an editor. */
import { resolve } from 'node:path'
import { MillraceError } from '../../system/errors.ts'
import { remove, replaceFile, replaceText, statusOf, writePieces } from '../../system/files.ts'
import { ownProcessId } from '../../system/process.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory } from '../data-directory.ts'
import { lettersOf, type Selection, selectionOf, takesResent, unreadable } from '../dead-letters.ts'
import { EXIT } from '../exit-codes.ts'
import { shortest } from '../paths.ts'
import { grouped, jsonText, processTerminal } from '../terminal.ts'

interface Exported {
  readonly topics: Set<string>
  readonly numbers: string[]
  /** Why so many letters were left out. */
  readonly leftOut: Map<string, number>
}

export async function run(values: Arguments): Promise<number> {
  const path = resolve(values.required('FILE'))
  const present = statusOf(path)
  if (present !== null && (present.kind !== 'file' || !values.flag('force'))) {
    throw new MillraceError('OPTION_INVALID', `${path} is there already.`, {
      next: 'Give another name, or --force to write over it.',
    })
  }
  const dataDirectory = storedDataDirectory(values.text('data-dir'))
  const selection = selectionOf(values, values.list('number'))
  const exported: Exported = { topics: new Set(), numbers: [], leftOut: new Map() }
  const part = `${path}.part-${ownProcessId()}`
  try {
    writePieces(part, lines(dataDirectory, selection, exported))
    if (exported.numbers.length > 0) {
      // First the numbers: a file without them would still be sent, its letters not be known.
      replaceText(`${path}.numbers`, `${exported.numbers.join('\n')}\n`)
      replaceFile(part, path)
    }
  } finally {
    remove(part)
  }
  const terminal = processTerminal()
  const [topic = null] = exported.topics
  const count = exported.numbers.length
  if (values.flag('json')) {
    await terminal.print(
      jsonText({ path: count > 0 ? path : null, topic, records: count, leftOut: Object.fromEntries(exported.leftOut) }),
    )
    return EXIT.ok
  }
  for (const [reason, letters] of exported.leftOut) terminal.remark(`${grouped(letters)} left out: ${reason}`)
  if (count === 0) {
    terminal.remark('no record to export')
    return EXIT.ok
  }
  await terminal.print(`${shortest(path)}  ${grouped(count)} records of topic ${topic}`)
  await terminal.print(
    takesResent(dataDirectory, topic!)
      ? `next  correct it, a record a line, and: millrace deadletters resend ${shortest(path)} --topic ${topic}`
      : `next  ${topic} is read from files, and takes no records: millrace deadletters show N says how each gets there`,
  )
  return EXIT.ok
}

function* lines(dataDirectory: string, selection: Selection, exported: Exported): Generator<Uint8Array> {
  const leave = (reason: string) => exported.leftOut.set(reason, (exported.leftOut.get(reason) ?? 0) + 1)
  for (const { number, letter, isResent } of lettersOf(dataDirectory, selection)) {
    const why = isResent && selection.numbers === null ? 'sent again already' : unreadable(letter)
    if (why !== null) {
      leave(why)
      continue
    }
    exported.topics.add(letter.topic)
    if (exported.topics.size > 1) {
      throw new MillraceError('OPTION_INVALID', `These are records of ${[...exported.topics].join(' and ')}.`, {
        next: 'Export one topic at a time: --topic T',
      })
    }
    exported.numbers.push(number)
    yield Buffer.from(letter.bytes!, letter.encoding ?? 'utf8')
    yield Buffer.from('\n')
  }
}
