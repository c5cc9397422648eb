/**
 * Kills the pipeline at random moments, under load, and starts it again: `node test/crash/run.ts [--times 100] [--seed N]
 * [--check-every 100] [--root DIR] [--keep]`.
 *
 * The last line is `kills N, lost N, twice N`; the exit code is 1 unless nothing is lost and nothing is there twice.
 * `--root`: another source tree to run, for faults that were planted in it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { seededRandom } from '../../src/system/random.ts'
import { check, type Findings, isDelivered } from './check.ts'
import { Child } from './child.ts'
import { GrowingFile } from './growing-file.ts'
import { Ledger } from './ledger.ts'
import { Sender, sleep } from './senders.ts'

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    'check-every': { type: 'string', default: '100' },
    root: { type: 'string', default: join(import.meta.dirname, '../..') },
    keep: { type: 'boolean', default: false },
  },
})
const times = Number(values.times)
const seed = Number(values.seed)
const checkEvery = Number(values['check-every'])
const SENDERS = 4
const DELIVERY_MS = 60_000
/** Of each kind. */
const PLACES_SHOWN = 6

const folder = mkdtempSync(join(tmpdir(), 'millrace-crash-'))
const random = seededRandom(seed)
const ledger = new Ledger()
let address: string | null = null
const current: { child: Child | null } = { child: null }
let kills = 0
/** How long the last start took that was waited for. */
let ready_ms = 800

const options = { root: resolve(values.root), dataDirectory: join(folder, 'data'), lines: join(folder, 'lines.ndjson') }
const file = new GrowingFile(options.lines, ledger, seededRandom(seed + 1))
const senders = Array.from(
  { length: SENDERS },
  (_, index) => new Sender(index, ledger, seededRandom(seed + 2 + index), () => address),
)

/** Starts the pipeline; clients find it as soon as it listens. */
function start(): Child {
  const started = new Child(options)
  current.child = started
  const began = performance.now()
  void started.ready().then(
    found => {
      ready_ms = performance.now() - began
      if (current.child === started) address = found
    },
    // Whoever waits for it is told.
    () => {},
  )
  return started
}

/** One life of the pipeline: killed while it starts, under load, or while it stops. */
async function killOnce(): Promise<void> {
  const life = start()
  const draw = random.next()
  if (draw < 0.1) await sleep(random.integer(60))
  else if (draw < 0.35) await sleep(random.next() * ready_ms * 1.2)
  else {
    await life.ready()
    await sleep(random.integer(700))
  }
  if (draw > 0.9) await life.killWhileStopping(random.integer(120))
  else await life.kill()
  address = null
  kills++
}

async function checkNow(): Promise<Findings> {
  const life = start()
  await life.ready()
  await Promise.all([...senders.map(sender => sender.finish()), file.finish()])
  const began = performance.now()
  while (!isDelivered(options.dataDirectory, ledger)) {
    if (performance.now() - began > DELIVERY_MS) break
    if (life.hasEnded) break
    await sleep(200)
  }
  address = null
  await life.stop()
  return check(options.dataDirectory, ledger)
}

/** `table SUMS`, `message of`: what a place begins with, without its numbers. */
function kindOf(place: string): string {
  const what = place.split(':')[0]!.replaceAll(/[-\w]*\d+/g, '')
  return `${what} ${place.endsWith('missing')}`
}

function show(): void {
  const text = `${kills} of ${times} kills, ${ledger.acknowledged} of ${ledger.messages.length} messages acknowledged, ${ledger.lines.length} lines`
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
  else if (kills % 25 === 0) process.stderr.write(`${text}\n`)
}

async function campaign(): Promise<Findings> {
  let findings: Findings
  do {
    for (const sender of senders) sender.start()
    file.start()
    const until = Math.min(times, kills + checkEvery)
    while (kills < until) {
      await killOnce()
      show()
    }
    findings = await checkNow()
  } while (kills < times && findings.places.length === 0 && ledger.surprises.length === 0)
  return findings
}

console.log(`seed ${seed}, ${times} kills, in ${folder}`)
process.once('SIGINT', () => {
  current.child?.end()
  process.exit(130)
})
let isRight = false
try {
  const findings = await campaign()
  if (process.stderr.isTTY) process.stderr.write('\n')
  for (const places of Map.groupBy(findings.places, kindOf).values()) {
    for (const place of places.slice(0, PLACES_SHOWN)) console.log(place)
    if (places.length > PLACES_SHOWN) console.log(`  and ${places.length - PLACES_SHOWN} more of this kind`)
  }
  const surprises = new Set(ledger.surprises)
  for (const surprise of [...surprises].slice(0, PLACES_SHOWN)) console.log(`a client was ${surprise}`)
  const records = ledger.messages.reduce((count, message) => count + message.numbers.length, 0)
  console.log(
    `${ledger.acknowledged} messages acknowledged of ${ledger.messages.length} with ${records} records, ${ledger.lines.length} lines`,
  )
  isRight = findings.lost === 0 && findings.twice === 0 && surprises.size === 0
  console.log(`kills ${kills}, lost ${findings.lost}, twice ${findings.twice}`)
} catch (error) {
  console.error(`after ${kills} kills: ${(error as Error).message}`)
} finally {
  current.child?.end()
  if (isRight && !values.keep) rmSync(folder, { recursive: true, force: true })
  else console.error(`what was stored: ${folder}`)
}
process.exit(isRight ? 0 : 1)
