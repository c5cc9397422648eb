/**
 * Holds what is stored and delivered against what was sent: every record that was promised is there once, no other twice,
 * and all that is computed equals what the plain reference computes from the log.
 */
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { readStored } from '../../test/log/read-stored.ts'
import type { Ledger } from './ledger.ts'
import { type LineRecord, onceOf, PUSHED, type PushedRecord, revisedOf, sumsOf, type WindowRow } from './reference.ts'

/** What is wrong, with places. */
export class Findings {
  lost = 0
  twice = 0
  readonly places: string[] = []

  /** Every expected text is there, as often as it is expected; nothing else is. */
  equal(what: string, expected: Iterable<string>, found: Iterable<string>): void {
    const counts = new Map<string, number>()
    for (const text of expected) counts.set(text, (counts.get(text) ?? 0) + 1)
    for (const text of found) counts.set(text, (counts.get(text) ?? 0) - 1)
    for (const [text, count] of counts) {
      if (count > 0) this.addLost(count, `${what}: ${text} is missing`)
      if (count < 0) this.addTwice(-count, `${what}: ${text} is there ${-count} time(s) too often`)
    }
  }

  addLost(count: number, place: string): void {
    this.lost += count
    this.places.push(place)
  }

  addTwice(count: number, place: string): void {
    this.twice += count
    this.places.push(place)
  }
}

/** What was pushed, as it is stored, and what of it was refused or late; `read` reads any other topic. */
export function checkPushed(dataDirectory: string, ledger: Ledger, findings: Findings) {
  const read = (topic: string): Row[] => {
    const { records, faults } = readStored(dataDirectory, topic)
    for (const fault of faults) findings.addLost(1, fault)
    return records.map(record => JSON.parse(record) as Row)
  }
  const pushed = read('pushed').map(pushedOf)
  const letters = lettersOf(read('dead_letters'))
  checkMessages(ledger, pushed, letters.invalid, findings)
  return { pushed, letters, read }
}

/** Everything that the data directory of `everyday.ts` holds; the pipeline must have been stopped. */
export async function checkEveryday(dataDirectory: string, ledger: Ledger): Promise<Findings> {
  const findings = new Findings()
  const { pushed, letters, read } = checkPushed(dataDirectory, ledger, findings)
  const goodLines = ledger.lines.filter(line => !line.refused)
  const lines = goodLines.map(({ text }) => lineOf(JSON.parse(text) as Row))
  const badLines = ledger.lines.filter(line => line.refused)
  findings.equal('dead letters of the file', badLines.map(numberText), letters.invalid.lines.map(String))

  const { windows, late } = sumsOf(pushed, PUSHED.size_ms)
  const revised = read('revised')
  const revisions = lastRevisions(revised, findings)
  findings.equal('late records', late.map(String), letters.late.map(String))
  findings.equal('topic evens', pushed.map(numberText).filter(isEven), read('evens').map(evenOf))
  findings.equal('topic sums', windows.map(windowText), read('sums').map(sumText))
  findings.equal('topic line_numbers', lines.map(numberText), read('line_numbers').map(numberText))
  findings.equal('topic once', onceOf(lines).map(String), read('once').map(numberText))
  findings.equal('topic revised', revisedOf(lines).map(windowText), revisions.map(revisedText))

  await withWarehouse(dataDirectory, async rowsOf => {
    const sums = ['deviceId', 'epoch_ms(window_start)', 'records', 'total']
    const revisions = ['room', 'epoch_ms(window_start)', 'records', 'total']
    const tables: readonly [table: string, columns: readonly string[], expected: readonly string[]][] = [
      ['RAW.PUSHED', ['values_number', 'deviceId', 'epoch_ms(time)', 'values_amount'], pushed.map(pushedText)],
      ['RAW.LINES', ['number', 'room', 'epoch_ms(time)', 'amount'], lines.map(lineText)],
      ['ONCE', ['number'], onceOf(lines).map(String)],
      ['SUMS', sums, windows.map(windowText)],
      ['SUMS_LOG', sums, windows.map(windowText)],
      ['REVISED', revisions, revisedOf(lines).map(windowText)],
      ['REVISED_LOG', [...revisions, 'revision'], revised.map(row => `${revisedText(row)} ${row.revision}`)],
    ]
    for (const [table, columns, expected] of tables) {
      findings.equal(`table ${table}`, expected, await rowsOf(table, columns))
    }
  })
  return findings
}

/** Whether all lines that the file of `everyday.ts` holds have come through, and silence has closed their windows. */
export function isEverydayDelivered(dataDirectory: string, ledger: Ledger): boolean {
  const lines = ledger.lines.filter(line => !line.refused)
  if (readStored(dataDirectory, 'line_numbers').records.length < lines.length) return false
  const rows = readStored(dataDirectory, 'revised').records.map(record => JSON.parse(record) as Row)
  const last = new Map(rows.map(row => [`${row.room} ${row.window_start}`, revisedText(row)]))
  const expected = revisedOf(lines.map(({ text }) => lineOf(JSON.parse(text) as Row)))
  const found = new Set(last.values())
  return expected.every(window => found.has(windowText(window)))
}

/**
 * The records of a message are kept as a whole or not at all: always when that was promised, never twice. Dead letters of
 * a message that was given up may be there without its records: they are written first, and nobody was promised anything.
 */
function checkMessages(
  ledger: Ledger,
  pushed: readonly PushedRecord[],
  invalid: { readonly pushed: readonly number[] },
  findings: Findings,
): void {
  const counts = new Map<number, number>()
  for (const number of [...pushed.map(record => record.number), ...invalid.pushed]) {
    counts.set(number, (counts.get(number) ?? 0) + 1)
  }
  for (const message of ledger.messages) {
    const { deviceId, messageId, numbers, refusedNumbers, acknowledged } = message
    const all = [...numbers, ...refusedNumbers]
    const there = all.filter(number => counts.has(number))
    const isBegun = numbers.some(number => counts.has(number))
    const place = `message ${messageId} of ${deviceId}, ${acknowledged ? 'acknowledged' : 'never acknowledged'}`
    const missing = all.filter(number => !counts.has(number))
    if (missing.length > 0 && (acknowledged || isBegun)) {
      findings.addLost(missing.length, `${place}: records ${missing.join(', ')} of ${all.join(', ')} are missing`)
    }
    for (const number of there) {
      const surplus = counts.get(number)! - 1
      const where = refusedNumbers.includes(number) ? 'in dead_letters' : 'in the log'
      if (surplus > 0) findings.addTwice(surplus, `${place}: record ${number} is ${surplus + 1} times ${where}`)
      counts.delete(number)
    }
  }
  for (const number of counts.keys()) findings.addTwice(1, `record ${number}, which nobody sent, is stored`)
}

export type Row = Readonly<Record<string, unknown>>

interface Letters {
  readonly invalid: { readonly pushed: number[]; readonly lines: number[] }
  readonly late: number[]
}

function lettersOf(rows: readonly Row[]): Letters {
  const letters: Letters = { invalid: { pushed: [], lines: [] }, late: [] }
  for (const { topic, code, bytes } of rows) {
    const number = Number(/"number":(\d+)/.exec(String(bytes))?.[1] ?? Number.NaN)
    if (code === 'RECORD_LATE') letters.late.push(number)
    else letters.invalid[topic === 'lines' ? 'lines' : 'pushed'].push(number)
  }
  return letters
}

/** The last revision of each window; each revision once, none left out. */
function lastRevisions(rows: readonly Row[], findings: Findings): Row[] {
  const last = new Map<string, Row>()
  for (const row of rows) {
    const window = `${row.room} ${row.window_start}`
    const expected = last.has(window) ? Number(last.get(window)!.revision) + 1 : 0
    const place = `topic revised: ${window} has revision ${row.revision} where ${expected} is due`
    if (Number(row.revision) < expected) findings.addTwice(1, place)
    if (Number(row.revision) > expected) findings.addLost(1, place)
    last.set(window, row)
  }
  return [...last.values()]
}

function pushedOf(row: Row): PushedRecord {
  const values = row.values as { number: number; amount: number }
  const time_ms = Math.round(Number(row.time) / 1e6)
  return { number: values.number, deviceId: String(row.deviceId), time_ms, amount: values.amount }
}

function lineOf(row: Row): LineRecord {
  const { number, event, room, time, amount } = row as Record<string, number>
  return { number: number!, event: event!, room: String(room), time_ms: time!, amount: amount! }
}

const numberText = (row: { readonly number?: unknown }) => String(row.number)
const evenOf = (row: Row) => String(row['values.number'] ?? (row.values as { number: number } | undefined)?.number)
const isEven = (number: string) => Number(number) % 2 === 0
const pushedText = (row: PushedRecord) => `${row.number} ${row.deviceId} ${row.time_ms} ${row.amount}`
const lineText = (row: LineRecord) => `${row.number} ${row.room} ${row.time_ms} ${row.amount}`
export const windowText = ({ key, start_ms, records, total }: WindowRow) => `${key} ${start_ms} ${records} ${total}`
export const sumText = (row: Row) => `${row.deviceId} ${startOf_ms(row)} ${row.records} ${row.total}`
const revisedText = (row: Row) => `${row.room} ${startOf_ms(row)} ${row.records} ${row.total}`

/** Stored rows have their times as ISO texts. */
function startOf_ms(row: Row): number {
  return Date.parse(String(row.window_start))
}

export async function withWarehouse(
  dataDirectory: string,
  action: (rowsOf: (table: string, columns: readonly string[]) => Promise<string[]>) => Promise<void>,
): Promise<void> {
  const instance = await DuckDBInstance.create(join(dataDirectory, 'warehouse.duckdb'), { access_mode: 'READ_ONLY' })
  let connection: DuckDBConnection | null = null
  try {
    connection = await instance.connect()
    const open = connection
    await action(async (table, columns) => {
      const reader = await open.runAndReadAll(`SELECT ${columns.join(', ')} FROM ${table}`)
      return reader.getRows().map(cells => cells.join(' '))
    })
  } finally {
    connection?.closeSync()
    instance.closeSync()
  }
}
