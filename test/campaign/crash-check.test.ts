/** The checks of the harness: they find nothing in a directory that is right, and every way in which one can be wrong. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkEveryday as check, isEverydayDelivered as isDelivered } from '../../campaign/crash/check.ts'
import { Ledger } from '../../campaign/crash/ledger.ts'
import {
  type LineRecord,
  onceOf,
  PUSHED,
  type PushedRecord,
  revisedOf,
  sumsOf,
  type WindowRow,
} from '../../campaign/crash/reference.ts'
import { readStored } from '../log/read-stored.ts'
import { openRows, put } from '../log/stored.ts'

const START_MS = Date.UTC(2026, 0, 1)
const MESSAGES = 60
const LINES = 200

/** Everything that a data directory holds, before it is written; a test spoils it. */
interface Content {
  readonly topics: Record<string, object[]>
  readonly tables: Record<string, (string | number)[][]>
}

const COLUMNS: Readonly<Record<string, string>> = {
  'RAW.PUSHED': 'values_number DOUBLE, deviceId VARCHAR, time TIMESTAMP, values_amount DOUBLE',
  'RAW.LINES': 'number DOUBLE, room VARCHAR, time TIMESTAMP, amount DOUBLE',
  ONCE: 'number DOUBLE',
  SUMS: 'deviceId VARCHAR, window_start TIMESTAMP, records DOUBLE, total DOUBLE',
  SUMS_LOG: 'deviceId VARCHAR, window_start TIMESTAMP, records DOUBLE, total DOUBLE',
  REVISED: 'room VARCHAR, window_start TIMESTAMP, records DOUBLE, total DOUBLE',
  REVISED_LOG: 'room VARCHAR, window_start TIMESTAMP, records DOUBLE, total DOUBLE, revision DOUBLE',
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-check-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What was sent, and what a pipeline without a fault makes of it. The last message was never acknowledged, and is not kept. */
function made(): { ledger: Ledger; content: Content } {
  const ledger = new Ledger()
  const pushed: PushedRecord[] = []
  const letters: object[] = []
  for (let messageId = 0; messageId < MESSAGES; messageId++) {
    const deviceId = `phone-${messageId % 2}`
    const numbers = [ledger.number(), ledger.number()]
    const refusedNumbers = messageId % 20 === 7 ? [ledger.number()] : []
    const acknowledged = messageId < MESSAGES - 1
    ledger.messages.push({ deviceId, messageId, body: '', numbers, refusedNumbers, acknowledged })
    if (!acknowledged) continue
    for (const number of numbers) {
      // Every fifteenth is ten seconds behind.
      const behind_ms = number % 15 === 14 ? 10_000 : 0
      pushed.push({ number, deviceId, time_ms: START_MS + messageId * 500 - behind_ms, amount: number * 3 })
    }
    for (const number of refusedNumbers) letters.push(letterOf('pushed', 'RECORD_INVALID', number))
  }
  const lines: LineRecord[] = []
  for (let index = 0; index < LINES; index++) {
    const number = ledger.number()
    const refused = index % 50 === 49
    const line = { number, event: index >> 1, room: `room ${index % 3}`, time: START_MS + index * 100, amount: index }
    ledger.lines.push({ number, text: JSON.stringify(line), refused })
    if (refused) letters.push(letterOf('lines', 'RECORD_INVALID', number))
    else lines.push({ ...line, time_ms: line.time })
  }
  const { windows, late } = sumsOf(pushed, PUSHED.size_ms)
  expect(late.length).toBeGreaterThan(3)
  for (const number of late) letters.push(letterOf('pushed', 'RECORD_LATE', number))
  const revised = revisedOf(lines)
  const isoOf = (row: WindowRow) => new Date(row.start_ms).toISOString()
  const rowOf = (row: WindowRow) => ({ window_start: isoOf(row), records: row.records, total: row.total })
  const cellsOf = (row: WindowRow) => [row.key, isoOf(row), row.records, row.total]
  const first = revised.slice(0, 5).map(row => ({ ...row, records: row.records - 1 }))
  const revisions = [
    ...first.map(row => ({ row, revision: 0 })),
    ...revised.map(row => ({
      row,
      revision: first.some(early => early.key === row.key && early.start_ms === row.start_ms) ? 1 : 0,
    })),
  ]
  const timeOf = (time_ms: number) => new Date(time_ms).toISOString()
  return {
    ledger,
    content: {
      topics: {
        pushed: pushed.map(({ number, deviceId, time_ms, amount }) => ({
          deviceId,
          time: time_ms * 1e6,
          values: { number, amount },
        })),
        dead_letters: letters,
        evens: pushed
          .filter(({ number }) => number % 2 === 0)
          .map(({ number, deviceId }) => ({ deviceId, 'values.number': number })),
        sums: windows.map(row => ({ deviceId: row.key, ...rowOf(row) })),
        line_numbers: lines.map(({ number }) => ({ number })),
        once: onceOf(lines).map(number => ({ number })),
        revised: revisions.map(({ row, revision }) => ({ room: row.key, ...rowOf(row), revision })),
      },
      tables: {
        'RAW.PUSHED': pushed.map(row => [row.number, row.deviceId, timeOf(row.time_ms), row.amount]),
        'RAW.LINES': lines.map(row => [row.number, row.room, timeOf(row.time_ms), row.amount]),
        ONCE: onceOf(lines).map(number => [number]),
        SUMS: windows.map(cellsOf),
        SUMS_LOG: windows.map(cellsOf),
        REVISED: revised.map(cellsOf),
        REVISED_LOG: revisions.map(({ row, revision }) => [...cellsOf(row), revision]),
      },
    },
  }
}

function letterOf(topic: string, code: string, number: number): object {
  return { topic, code, bytes: `{"number":${number},"amount":"much"}` }
}

async function written({ topics, tables }: Content): Promise<string> {
  for (const [topic, rows] of Object.entries(topics)) {
    const writer = openRows(folder, topic)
    for (const row of rows) put(writer, JSON.stringify(row))
    await writer.close()
  }
  const instance = await DuckDBInstance.create(join(folder, 'warehouse.duckdb'))
  const connection = await instance.connect()
  await connection.run('CREATE SCHEMA RAW')
  for (const [table, rows] of Object.entries(tables)) {
    await connection.run(`CREATE TABLE ${table} (${COLUMNS[table]})`)
    const texts = rows.map(row => `(${row.map(cell => (typeof cell === 'string' ? `'${cell}'` : cell)).join(', ')})`)
    await connection.run(`INSERT INTO ${table} VALUES ${texts.join(', ')}`)
  }
  connection.closeSync()
  instance.closeSync()
  return folder
}

test('finds nothing in a directory that is right', async () => {
  const { ledger, content } = made()
  const directory = await written(content)
  const { lost, twice, places } = await check(directory, ledger)
  expect(places).toEqual([])
  expect([lost, twice]).toEqual([0, 0])
  expect(isDelivered(directory, ledger)).toBe(true)
})

const topicNames = ['pushed', 'dead_letters', 'evens', 'sums', 'line_numbers', 'once', 'revised']

test.each(topicNames)('a record of topic %s that is missing is lost', async topic => {
  const { ledger, content } = made()
  content.topics[topic]!.pop()
  const { lost, places } = await check(await written(content), ledger)
  expect(lost, places.join('\n')).toBeGreaterThan(0)
})

test.each(topicNames)('a record of topic %s that is there again is found', async topic => {
  const { ledger, content } = made()
  content.topics[topic]!.push(content.topics[topic]!.at(-1)!)
  const { twice, places } = await check(await written(content), ledger)
  expect(twice, places.join('\n')).toBeGreaterThan(0)
})

test.each(Object.keys(COLUMNS))('in table %s a row missing, a row twice and a wrong cell are found', async table => {
  const { ledger, content } = made()
  const rows = content.tables[table]!
  const [last] = rows.splice(-1)
  rows.push(rows[0]!)
  rows[1] = rows[1]!.with(-1, 9_999_999)
  const { lost, twice, places } = await check(await written(content), ledger)
  expect(places.some(place => place.startsWith(`table ${table}: ${last![0]}`) && place.includes('missing'))).toBe(true)
  expect(lost).toBe(2)
  expect(twice).toBe(2)
})

test('half of a message that was never acknowledged is not a whole one', async () => {
  const { ledger, content } = made()
  const { numbers, deviceId } = ledger.messages.at(-1)!
  const values = { number: numbers[0]!, amount: 1 }
  content.topics.pushed!.push({ deviceId, time: (START_MS + 1e6) * 1e6, values })
  const { places } = await check(await written(content), ledger)
  expect(places.join('\n')).toContain('never acknowledged: records')
})

test('a record that nobody sent is found', async () => {
  const { ledger, content } = made()
  content.topics.dead_letters!.push(letterOf('pushed', 'RECORD_INVALID', 1_000_000))
  const { places } = await check(await written(content), ledger)
  expect(places).toEqual(['record 1000000, which nobody sent, is stored'])
})

test('a window that is not out yet is not delivered', async () => {
  const { ledger, content } = made()
  content.topics.revised!.pop()
  expect(isDelivered(await written(content), ledger)).toBe(false)
})

test('a flipped bit in a stored topic is found, and so is a block that is missing', async () => {
  const { content } = made()
  const directory = await written(content)
  const segment = join(directory, 'topics/pushed/0/00000000000000000000.log')
  const bytes = readFileSync(segment)
  const faultsOf = (spoilt: Buffer) => {
    writeFileSync(segment, spoilt)
    return readStored(directory, 'pushed').faults
  }
  expect(faultsOf(bytes)).toEqual([])
  const flipped = Buffer.from(bytes)
  flipped[200]! ^= 4
  expect(faultsOf(flipped).join()).toContain('the payload is damaged')
  const inHeader = Buffer.from(bytes)
  inHeader[34]! ^= 1
  expect(faultsOf(inHeader).join()).toContain('the header is damaged')
  expect(faultsOf(Buffer.concat([bytes, bytes])).join()).toContain('offset 0, not')
  expect(faultsOf(Buffer.concat([bytes, Buffer.from('half')])).join()).toContain('4 bytes that are no block')
  mkdirSync(join(directory, 'topics/empty/0'), { recursive: true })
  expect(readStored(directory, 'empty')).toEqual({ records: [], faults: [] })
})

test('an event that comes again while it is exactly at the end of what is remembered is a repeat', () => {
  const line = (number: number, event: number, time_ms: number): LineRecord => {
    return { number, event, room: 'room 0', time_ms, amount: 1 }
  }
  // The frontier is a second behind the largest time.
  const past = (frontier_ms: number) => [line(0, 1, 0), line(1, 2, frontier_ms + 1000), line(2, 1, 50_000)]
  expect(onceOf(past(60_000))).toEqual([0, 1])
  expect(onceOf(past(60_001))).toEqual([0, 1, 2])
})
