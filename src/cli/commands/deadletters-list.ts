/** `millrace deadletters list`: how many records were refused, and why. */
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory } from '../data-directory.ts'
import { lettersOf, selectionOf } from '../dead-letters.ts'
import { EXIT } from '../exit-codes.ts'
import { cellText, grouped, jsonText, processTerminal, type TableColumn, tableLines, timeText } from '../terminal.ts'

/** Reasons that are kept apart; what comes after is counted together. */
const GROUPS_MAX = 1000
const EXAMPLE_CHARACTERS = 200

interface Group {
  readonly topic: string
  readonly code: string
  readonly reason: string
  count: number
  resent: number
  /** Microseconds since the epoch; null for historic input. */
  first: number | null
  last: number | null
  readonly example: { readonly number: string; readonly text: string | null }
}

export async function run(values: Arguments): Promise<number> {
  const groups = groupsOf(storedDataDirectory(values.text('data-dir')), values)
  const terminal = processTerminal()
  if (values.flag('json')) {
    const timed = groups.map(group => ({ ...group, first: time(group.first), last: time(group.last) }))
    await terminal.print(jsonText(timed))
    return EXIT.ok
  }
  if (groups.length === 0) {
    terminal.remark('no record was refused')
    return EXIT.ok
  }
  for (const line of tableLines(COLUMNS, groups.map(cells), terminal.style)) await terminal.print(line)
  terminal.remark(terminal.remarkStyle.dim(`one of them: millrace deadletters show ${groups[0]!.example.number}`))
  return EXIT.ok
}

function groupsOf(dataDirectory: string, values: Arguments): Group[] {
  const groups = new Map<string, Group>()
  for (const { number, letter, isResent } of lettersOf(dataDirectory, selectionOf(values))) {
    // Where in the text a JSON error is differs from record to record.
    const reason = groups.size < GROUPS_MAX ? letter.reason.replace(/ in JSON at position .*$/, ' in JSON') : 'other'
    const name = JSON.stringify([letter.topic, letter.code, reason])
    let group = groups.get(name)
    if (group === undefined) {
      const text = letter.bytes?.slice(0, EXAMPLE_CHARACTERS) ?? null
      const { topic, code } = letter
      group = { topic, code, reason, count: 0, resent: 0, first: null, last: null, example: { number, text } }
      groups.set(name, group)
    }
    group.count++
    if (isResent) group.resent++
    const { arrived } = letter
    if (arrived === null) continue
    group.first = Math.min(group.first ?? arrived, arrived)
    group.last = Math.max(group.last ?? arrived, arrived)
  }
  return [...groups.values()].sort((a, b) => b.count - a.count)
}

const time = (time_us: number | null) => (time_us === null ? null : timeText(time_us))

const COLUMNS: readonly TableColumn[] = [
  { title: 'topic' },
  { title: 'count', align: 'right' },
  { title: 'sent again', align: 'right' },
  { title: 'code' },
  { title: 'reason' },
  { title: 'first' },
  { title: 'last' },
  { title: 'example' },
]

function cells({ topic, count, resent, code, reason, first, last, example }: Group): string[] {
  const texts = [topic, grouped(count), grouped(resent), code, reason, time(first), time(last), example.number]
  return texts.map(cellText)
}
