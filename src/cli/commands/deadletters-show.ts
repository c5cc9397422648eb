/** `millrace deadletters show`: one refused record, with the place that is wrong. */
import { MillraceError } from '../../system/errors.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory } from '../data-directory.ts'
import { backByFile, type Letter, lettersOf, selectionOf, takesResent, unsendable } from '../dead-letters.ts'
import { EXIT } from '../exit-codes.ts'
import { placeInJson } from '../json-place.ts'
import { grouped, harmless, jsonText, processTerminal, type Style, timeText } from '../terminal.ts'

/** So much of a line is shown around the place. */
const AROUND_CHARACTERS = 60
const BYTES_SHOWN_MAX = 256

export async function run(values: Arguments): Promise<number> {
  const dataDirectory = storedDataDirectory(values.text('data-dir'))
  const number = values.optional('N')
  const terminal = processTerminal()
  let found: Letter | null = null
  for (const letter of lettersOf(dataDirectory, selectionOf(values, number === null ? [] : [number]))) found = letter
  if (found === null) {
    if (values.flag('json')) return EXIT.ok
    throw new MillraceError('OPTION_INVALID', 'No record was refused that is one of these.', {
      next: "Run 'millrace deadletters list' for those there are.",
    })
  }
  if (values.flag('json')) {
    const { letter, isResent } = found
    await terminal.print(jsonText({ number: found.number, resent: isResent, ...letter }))
    return EXIT.ok
  }
  const isPushed = takesResent(dataDirectory, found.letter.topic)
  for (const line of linesOf(found, isPushed, terminal.style)) await terminal.print(line)
  return EXIT.ok
}

function linesOf({ number, letter, isResent }: Letter, isPushed: boolean, style: Style): string[] {
  const { topic, code, reason, source, line, partition, position, arrived, bytes, bytes_total, encoding } = letter
  // Of a file that is translated (CSV, say) the position counts bytes of what was made of it.
  const place = line === undefined ? `, position ${grouped(position)}` : `:${line}`
  const lines = [
    `${style.bold(number)}  a record of topic ${harmless(topic)}${isResent ? style.dim(' (was sent again)') : ''}`,
    `reason   ${style.red(code)}: ${harmless(reason)}`,
    `from     ${harmless(source)}${place}, partition ${partition}`,
  ]
  if (arrived !== null) lines.push(`arrived  ${timeText(arrived)}`)
  lines.push(`length   ${grouped(bytes_total)} bytes`, '')
  if (bytes === null) lines.push(style.dim('its bytes were not kept'))
  else if (encoding === 'base64') lines.push(...dump(Buffer.from(bytes, 'base64'), style))
  else lines.push(...marked(bytes, pathIn(reason), style))
  const why = unsendable(letter)
  lines.push('')
  if (why !== null) lines.push(style.dim(`it cannot be sent again as it came (${why})`))
  else if (!isPushed) lines.push(`next     ${backByFile(source)}`)
  else {
    lines.push(`next     millrace deadletters export wrong.ndjson --number ${number}`)
    lines.push(`         millrace deadletters resend wrong.ndjson --topic ${harmless(topic)}`)
  }
  return lines
}

/** The field that a reason names: `values.x: Invalid input ...`. */
function pathIn(reason: string): string {
  return /^([^\s:]+): /.exec(reason)?.[1] ?? ''
}

/** The line of the record in which the place is, the place marked below it. */
function marked(text: string, path: string, style: Style): string[] {
  const { from, to } = placeInJson(text, path)
  const lineStart = text.lastIndexOf('\n', from - 1) + 1
  const lineEnd = text.indexOf('\n', from) < 0 ? text.length : text.indexOf('\n', from)
  const start = Math.max(lineStart, from - AROUND_CHARACTERS)
  const end = Math.min(lineEnd, Math.max(from, Math.min(to, from + AROUND_CHARACTERS)) + AROUND_CHARACTERS)
  const [before, after] = [start > lineStart ? '…' : '', end < lineEnd ? '…' : '']
  const width = Math.max(1, Math.min(to, end) - from)
  const column = from - lineStart + 1
  const line = text.slice(0, lineStart).split('\n').length
  return [
    `  ${before}${shown(text.slice(start, end))}${after}`,
    `  ${' '.repeat(before.length + from - start)}${style.red('^'.repeat(width))} ${style.dim(`line ${line}, column ${column}`)}`,
  ]
}

/** A character of the text is one on the screen, so that the mark stands below it. */
const shown = (text: string) => harmless(text).replace(/[\t\r\n]/g, ' ')

/** What is no text: in hexadecimal digits, sixteen a line, with the letters there are. */
function dump(bytes: Buffer, style: Style): string[] {
  const lines: string[] = []
  for (let at = 0; at < Math.min(bytes.length, BYTES_SHOWN_MAX); at += 16) {
    const some = bytes.subarray(at, at + 16)
    const digits = [...some].map(byte => byte.toString(16).padStart(2, '0')).join(' ')
    const letters = [...some].map(byte => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·')).join('')
    lines.push(`  ${style.dim(String(at).padStart(6))}  ${digits.padEnd(47)}  ${letters}`)
  }
  if (bytes.length > BYTES_SHOWN_MAX) lines.push(style.dim(`  and ${grouped(bytes.length - BYTES_SHOWN_MAX)} more`))
  return lines
}
