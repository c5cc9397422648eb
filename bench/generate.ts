/**
 * Writes the benchmark's inputs: seeded, so that every machine measures the same bytes.
 *
 *   node bench/generate.ts [activity|temperature|keys-100|keys-100000 ...] [--lines 4000000] [--to bench/data]
 *
 * Events are in order of arrival: 5 % are held back by a random 0..2 s of event time. Nothing is duplicated or lost.
 */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { seededRandom } from '../src/system/random.ts'

const DATA = join(import.meta.dirname, 'data')
export const LINES = 4_000_000

const START_MS = 1_698_501_145_514
const HELD_BACK = 0.05
const HELD_BACK_MS = 2_000
const SENSORS = ['accelerometer', 'gyroscope', 'gravity']
/** Typical magnitude of resting, walking, running, sprinting: one in each class of the activity tracker. */
const LEVELS = [0.15, 1.2, 3.2, 7]

/** Appends text to a file in pieces of a few megabytes. */
class TextFile {
  readonly #file: number
  readonly #buffer = Buffer.allocUnsafe(8 << 20)
  #used = 0

  constructor(path: string) {
    this.#file = openSync(path, 'w')
  }

  /** The text must be ASCII. */
  write(text: string): void {
    if (this.#used + text.length > this.#buffer.length) this.#flush()
    this.#used += this.#buffer.write(text, this.#used, 'latin1')
  }

  close(): void {
    this.#flush()
    closeSync(this.#file)
  }

  #flush(): void {
    for (let written = 0; written < this.#used; ) {
      written += writeSync(this.#file, this.#buffer, written, this.#used - written)
    }
    this.#used = 0
  }
}

/** Emits what each tick makes, some of it later, until `lines` are written. */
function inOrderOfArrival(
  file: TextFile,
  lines: number,
  tick_ms: number,
  seed: number,
  lineOf: (tick: number, source: number) => string,
  sources: number,
): void {
  const random = seededRandom(seed)
  const ring: string[][] = Array.from({ length: Math.floor(HELD_BACK_MS / tick_ms) + 1 }, () => [])
  let made = 0
  let tick = 0
  for (; made < lines; tick++) {
    const due = ring[tick % ring.length]!
    for (const line of due) file.write(line)
    due.length = 0
    for (let source = 0; source < sources && made < lines; source++, made++) {
      const line = lineOf(tick, source)
      const ticks = random.next() < HELD_BACK ? random.integer(ring.length) : 0
      if (ticks === 0) file.write(line)
      else ring[(tick + ticks) % ring.length]!.push(line)
    }
  }
  for (let rest = 0; rest < ring.length; rest++) for (const line of ring[(tick + rest) % ring.length]!) file.write(line)
}

const hexadecimal = (value: number) => (value >>> 0).toString(16).padStart(8, '0')

/** An identifier of twelve hexadecimal digits; the multiplier is odd, so numbers below 2^32 stay apart. */
const identifier = (number: number, multiplier: number) => {
  const digits = hexadecimal(Math.imul(number + 1, multiplier))
  return digits + digits.slice(0, 4)
}

/** 200 phones at 50 Hz, three sensors in turn; each phone changes its activity now and then. */
function activity(file: TextFile, lines: number): void {
  const random = seededRandom(1)
  const phones = Array.from({ length: 200 }, (_, phone) => ({
    head: `","deviceId":"${identifier(phone, 0xdb1ef989)}","name":"`,
    session: `,"sessionId":"${identifier(phone, 0x9e3779b1)}`,
    offset_ms: random.integer(20),
    level: LEVELS[phone % LEVELS.length]!,
    until: 500 + random.integer(4_000),
  }))
  const lineOf = (tick: number, source: number) => {
    const phone = phones[source]!
    if (tick >= phone.until) {
      phone.level = LEVELS[random.integer(LEVELS.length)]!
      phone.until = tick + 500 + random.integer(6_000)
    }
    const axis = () => ((random.next() + random.next() - 1) * 1.5 * phone.level).toFixed(6)
    const time_ms = START_MS + tick * 20 + phone.offset_ms
    const sensor = SENSORS[(tick + source) % 3]!
    return `{"messageId":${tick}${phone.session}${phone.head}${sensor}","time":${time_ms}000000,"values":{"x":${axis()},"y":${axis()},"z":${axis()}}}\n`
  }
  inOrderOfArrival(file, lines, 20, 2, lineOf, phones.length)
}

/** Sensors that send a temperature once a second. */
function temperature(file: TextFile, lines: number, sensors: number): void {
  const random = seededRandom(3)
  const temperatures = Float64Array.from({ length: sensors }, () => 15 + random.integer(200) / 10)
  const lineOf = (tick: number, source: number) => {
    const drawn = random.integer(1_000)
    let value = temperatures[source]! + ((drawn % 11) - 5) / 10
    if (value < -15 || value > 55) value = 20
    temperatures[source] = value
    const humidity = 30 + (drawn % 50)
    return `{"sensor_id":${source + 1},"timestamp":${1_698_501_600 + tick},"temperature":${value.toFixed(1)},"humidity":${humidity}}\n`
  }
  inOrderOfArrival(file, lines, 1_000, 4, lineOf, sensors)
}

const GENERATORS: Record<string, (file: TextFile, lines: number) => void> = {
  activity,
  temperature: (file, lines) => temperature(file, lines, 1_000),
  'keys-100': (file, lines) => temperature(file, lines, 100),
  'keys-100000': (file, lines) => temperature(file, lines, 100_000),
}

/** The path of an input, made when it is not there yet. */
export function input(name: string, lines: number = LINES, folder: string = DATA): string {
  const generate = GENERATORS[name]
  if (generate === undefined) throw new Error(`no input ${name}: one of ${Object.keys(GENERATORS).join(', ')}`)
  const path = join(folder, lines === LINES ? `${name}.ndjson` : `${name}-${lines}.ndjson`)
  if (existsSync(path)) return path
  mkdirSync(folder, { recursive: true })
  const file = new TextFile(`${path}.part`)
  generate(file, lines)
  file.close()
  renameSync(`${path}.part`, path)
  return path
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { lines: { type: 'string', default: String(LINES) }, to: { type: 'string', default: DATA } },
  })
  for (const name of positionals.length > 0 ? positionals : ['activity', 'temperature']) {
    const path = input(name, Number(values.lines), values.to)
    console.log(`${path}: ${statSync(path).size} bytes`)
  }
}
