/**
 * A run on the real disk with its warehouse, in a process of its own, for it may be killed, and a damaged file may kill it:
 * `live FOLDER SEED MESSAGES` pushes and says what was acknowledged; `rot BASE SCRATCH SEED FROM TO` damages the warehouse of
 * a copy of BASE, goes on with it, and says a line of JSON for each.
 */
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { count, pipeline, sum, topic, tumbling } from '../../src/index.ts'
import type { RunWarning } from '../../src/runtime/options.ts'
import { MillraceError } from '../../src/system/errors.ts'
import { type Random, seededRandom } from '../../src/system/random.ts'
import { readStored } from '../log/read-stored.ts'
import { type Message, messagesOf, push, type Row, readings, silent, WINDOW_MS, windowText } from './pushed-readings.ts'
import { begin, compareRows } from './runs.ts'

export interface RotResult {
  readonly index: number
  readonly what: string
  readonly outcome: string
  readonly broken: readonly string[]
}

const SENDERS = 3
/** Messages that are pushed after the rot. */
const AFTER = 4
const HELD_MS = 3000

const { plan } = pipeline('warehoused', ({ ingest, from, warehouse }) => {
  ingest(silent, readings)
  const windows = from(readings)
    .groupBy('device')
    .window(tumbling(`${WINDOW_MS} ms`))
    .aggregate({ readings: count(), total: sum('n') })
    .to(topic('windows'))
  warehouse.table('RAW.READINGS').appends(readings)
  warehouse.table('ONCE').appends(from(readings).dedupe({ key: 'n', within: '1 h' }))
  warehouse.table('WINDOWS').upserts(windows, { key: ['device', 'window_start'] })
})

/** Pushes while it can, then stops; answers what ended the run, null when all went well. */
async function live(
  folder: string,
  messages: readonly Message[],
  onKept: (message: Message) => void,
  onWarnings: (warnings: readonly RunWarning[]) => void = () => {},
): Promise<unknown> {
  const run = await begin(plan, folder, { onProgress: ({ warnings }) => onWarnings(warnings) })
  const { handle } = run
  let heldSince_ms: number | null = null
  for (let next = 0; next < messages.length && run.failure === null; ) {
    const message = messages[next]!
    const outcome = await Promise.race([push(handle!, message), run.ended])
    if (outcome !== null && outcome.kind !== 'failed') {
      onKept(message)
      next++
    } else await new Promise(resolve => setTimeout(resolve, 5))
    const { held } = handle!.progress()
    heldSince_ms = held === null ? null : (heldSince_ms ?? performance.now())
    if (heldSince_ms !== null && performance.now() - heldSince_ms > HELD_MS) break
  }
  // A stop waits for sinks by the clock, which is a hasty one here.
  const lacking = () =>
    handle?.progress().outputs.some(({ behind }) => behind !== null && behind.error === null) === true
  const until_ms = performance.now() + HELD_MS
  while (run.failure === null && lacking() && performance.now() < until_ms) {
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  await run.stop()
  if (run.failure !== null || handle === null) return run.failure
  // A damaged warehouse ends no run that is at work: it is told of each table.
  const told = handle.progress().outputs.flatMap(({ behind }) => behind?.error ?? [])
  const unreadable = told.find(({ code }) => code === 'FILE_UNREADABLE')
  return unreadable === undefined ? null : new MillraceError('FILE_UNREADABLE', unreadable.message)
}

/** Damages the warehouse's file or its log; says how. */
function rot(folder: string, random: Random): string {
  const log = join(folder, 'warehouse.duckdb.wal')
  const path = existsSync(log) && random.integer(3) > 0 ? log : join(folder, 'warehouse.duckdb')
  const name = path === log ? 'log' : 'file'
  const at = random.integer(statSync(path).size)
  if (random.integer(3) === 0) {
    truncateSync(path, at)
    return `the ${name} cut off at ${at}`
  }
  const bytes = readFileSync(path)
  const bit = random.integer(8)
  bytes[at] = bytes[at]! ^ (1 << bit)
  writeFileSync(path, bytes)
  return `bit ${bit} of byte ${at} of the ${name}`
}

/** What the tables lack or have twice, by what the topics hold; a text when the warehouse cannot be read. */
async function brokenIn(folder: string): Promise<string[] | string> {
  const found: string[] = []
  const stored = (name: string) => {
    const { records, faults } = readStored(folder, name)
    found.push(...faults)
    return records.map(record => JSON.parse(record) as Row & Record<string, unknown>)
  }
  const numbers = stored('readings').map(({ n }) => String(n))
  const windows = stored('windows').map(windowText)
  const path = join(folder, 'warehouse.duckdb')
  try {
    const instance = await DuckDBInstance.create(path, { access_mode: 'READ_ONLY' })
    try {
      const connection = await instance.connect()
      const rowsOf = async (sql: string) =>
        (await connection.runAndReadAll(sql)).getRows().map(cells => cells.join(' '))
      compareRows('RAW.READINGS', numbers, await rowsOf('SELECT n FROM RAW.READINGS'), found)
      compareRows('ONCE', numbers, await rowsOf('SELECT n FROM ONCE'), found)
      const start = `epoch_ms(window_start) // ${WINDOW_MS}`
      compareRows('WINDOWS', windows, await rowsOf(`SELECT device, ${start}, readings, total FROM WINDOWS`), found)
      connection.closeSync()
    } finally {
      instance.closeSync()
    }
  } catch (error) {
    return (error as Error).message
  }
  return found
}

function moveAway(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (name.startsWith('warehouse.duckdb')) renameSync(join(folder, name), join(folder, `away-${name}`))
  }
}

async function rotOne(base: string, folder: string, seed: number, index: number): Promise<RotResult> {
  const random = seededRandom(seed * 100_000 + index)
  rmSync(folder, { recursive: true, force: true })
  cpSync(base, folder, { recursive: true })
  // The owner of the copy is gone for certain, or each start would watch its claim for a while.
  for (const name of readdirSync(folder))
    if (name.startsWith('owner')) rmSync(join(folder, name), { force: true, recursive: true })
  const what = rot(folder, random)
  process.stdout.write(`${JSON.stringify({ index, what })}\n`)
  const before = readStored(folder, 'readings').records.length
  // Numbers that nobody has sent before.
  const messages = messagesOf(random, SENDERS, AFTER).map(({ sender, number, lines }) => ({
    sender: `later ${sender}`,
    number,
    lines: lines.replaceAll(/"device":"/g, '"device":"later ').replaceAll(/"n":(\d+)/g, '"n":9$100000'),
  }))
  let outcome = ''
  let warnings: readonly RunWarning[] = []
  const noteWarnings = (all: readonly RunWarning[]) => {
    warnings = all
  }
  let failure = await live(folder, messages, () => {}, noteWarnings)
  if (failure instanceof MillraceError && failure.code === 'FILE_UNREADABLE') {
    // As its words say.
    outcome = `${failure.code}, `
    moveAway(folder)
    failure = await live(folder, messages, () => {})
  }
  if (failure instanceof MillraceError && failure.code !== 'INTERNAL') {
    return { index, what, outcome: `${outcome}${failure.code}: ${failure.message}`, broken: [] }
  }
  if (failure !== null) return { index, what, outcome: 'crash', broken: [(failure as Error).stack ?? String(failure)] }
  let found = await brokenIn(folder)
  if (typeof found === 'string') {
    // A block that no commit needed: whoever reads it is told.
    outcome = 'unreadable, '
    moveAway(folder)
    failure = await live(folder, [], () => {})
    found = failure === null ? await brokenIn(folder) : [String(failure)]
    if (typeof found === 'string') found = [found]
  }
  const records = readStored(folder, 'readings').records.length
  if (records <= before) found.push(`${records} records after ${before}`)
  const isAside = existsSync(join(folder, 'warehouse.duckdb.wal.damaged-1'))
  if (isAside && !warnings.some(({ message }) => message.includes('was set aside'))) found.push('nobody was told')
  return { index, what, outcome: `${outcome}${isAside ? 'set aside' : 'whole'}`, broken: found }
}

const [mode, ...words] = process.argv.slice(2)
if (mode === 'live') {
  const [folder, seed, messages] = words
  const failure = await live(
    folder!,
    messagesOf(seededRandom(Number(seed)), SENDERS, Number(messages)),
    ({ number }) => {
      process.stdout.write(`kept ${number}\n`)
    },
  )
  if (failure !== null) throw failure
  process.stdout.write('stopped\n')
}
if (mode === 'rot') {
  const [base, scratch, seed, from, to] = words
  for (let index = Number(from); index < Number(to); index++) {
    const result = await rotOne(base!, join(scratch!, 'data'), Number(seed), index)
    process.stdout.write(`${JSON.stringify(result)}\n`)
  }
  process.exit(0)
}
