/**
 * A pipeline whose whole data directory lies on a disk in memory that rots: lives of it that end in some way, what a plain
 * reference says of them, and what is wrong with what is stored and delivered afterwards.
 */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sink } from '../../src/connectors/contract.ts'
import { type RowWriter, rowWriter } from '../../src/engine/rows-json.ts'
import { count, pipeline, sum, topic, tumbling } from '../../src/index.ts'
import { Journal } from '../../src/log/journal.ts'
import { readMarker } from '../../src/log/marker.ts'
import { openTopic } from '../../src/log/open-topic.ts'
import { placeMark } from '../../src/log/place-mark.ts'
import { readChunks } from '../../src/log/topic-reader.ts'
import type { SinkReference } from '../../src/plan/nodes.ts'
import type { EpochHeader } from '../../src/runtime/checkpoint/header.ts'
import type { RunProgress, RunWarning } from '../../src/runtime/options.ts'
import { systemClock } from '../../src/system/clock.ts'
import type { Random } from '../../src/system/random.ts'
import type { MemoryStorage } from '../log/memory-storage.ts'
import {
  LAST_MS,
  type Message,
  push,
  type Row,
  readings,
  silent,
  someOf,
  WINDOW_MS,
  windowText,
} from './pushed-readings.ts'
import { begin, compareRows } from './runs.ts'

/** What sinks hold for good: they are outside, and do not rot. */
export type Outside = Map<string, { rows: string[]; position: number }>

/** `outside` answers null when the process is gone. */
function sinkInto(outside: () => Outside | null, name: string): SinkReference {
  const openSink = async (): Promise<Sink> => {
    let waiting: string[] = []
    let rows: RowWriter | null = null
    return {
      guarantee: 'Exactly once: rows and position are kept together.',
      async open({ columns }) {
        rows = rowWriter(columns)
        return outside()?.get(name)?.position ?? 0
      },
      async write(batch) {
        waiting.push(...Buffer.from(rows!.write(batch)).toString().split('\n').filter(Boolean))
      },
      async commit(position) {
        const held = outside()?.get(name)?.rows ?? []
        outside()?.set(name, { rows: [...held, ...waiting], position })
        waiting = []
      },
      async close() {},
    }
  }
  return { kind: 'sink', connector: 'outside', options: { path: name }, open: async () => ({ openSink }) }
}

function pipelineInto(outside: () => Outside | null) {
  return pipeline('rotting', ({ ingest, from, deliver }) => {
    ingest(silent, readings)
    const windows = from(readings)
      .groupBy('device')
      .window(tumbling(`${WINDOW_MS} ms`), { late: 'quarantine' })
      .aggregate({ readings: count(), total: sum('n') })
      .to(topic('windows'))
    from(readings)
      .filter(r => r.n % 2 === 0)
      .to(topic('evens'))
    const odd = from(readings).filter(r => r.n % 2 === 1)
    // Made of the topic's records again; out of the stored topic; out of a log of the runtime's own.
    deliver(odd, sinkInto(outside, 'odd'))
    deliver(windows, sinkInto(outside, 'windows'))
    deliver(from(readings).dedupe({ key: 'n', within: '1 h' }), sinkInto(outside, 'once'))
  }).plan
}

/** Made by the first run, which takes ownership of it; all else is in memory. */
export const folder = join(tmpdir(), `millrace-rot-${randomUUID()}`)
export const endRot = () => rmSync(folder, { recursive: true, force: true })

export class RotLife {
  readonly storage: MemoryStorage
  readonly outside: Outside
  readonly acknowledged: Set<Message>
  warnings: readonly RunWarning[] = []
  #waiting: readonly Message[]

  constructor(storage: MemoryStorage, messages: readonly Message[], before: RotLife | null = null) {
    this.storage = storage
    this.outside = new Map([...(before?.outside ?? [])].map(([name, held]) => [name, { ...held }]))
    this.acknowledged = new Set(before?.acknowledged)
    this.#waiting = messages.filter(message => !this.acknowledged.has(message))
  }

  /** Leaves only what was pushed, and what was refused of it: the rest is made of that. */
  forgetMade(): void {
    for (const path of this.storage.paths) {
      if (!/\/topics\/(readings|dead_letters)\/0\//.test(path)) this.storage.remove(path)
    }
    this.outside.clear()
  }

  /** Runs until all is acknowledged and stops, or is killed after so many pushes; answers the error that ended it. */
  async live(random: Random, pushesMax = Number.POSITIVE_INFINITY): Promise<unknown> {
    let isOver = false
    const outside: Outside = this.outside
    const plan = pipelineInto(() => (isOver ? null : outside))
    const onProgress = (progress: RunProgress) => this.#tell(progress)
    const run = await begin(plan, folder, { onProgress }, this.storage.forProcess())
    const { handle } = run
    let pushes = 0
    while (run.failure === null && this.#waiting.length > 0 && pushes < pushesMax) {
      const some = someOf(this.#waiting, random)
      pushes += some.length
      await Promise.all(
        some.map(async message => {
          const outcome = await Promise.race([push(handle!, message), run.ended])
          if (outcome === null || outcome.kind === 'failed') return
          this.acknowledged.add(message)
          if (random.integer(5) === 0) await Promise.race([push(handle!, message), run.ended])
        }),
      )
      this.#waiting = this.#waiting.filter(message => !this.acknowledged.has(message))
      if (random.integer(2) === 0) await systemClock.sleep(random.integer(12))
    }
    if (handle !== null) this.#tell(handle.progress())
    if (pushesMax < Number.POSITIVE_INFINITY) {
      isOver = true
      this.storage.kill()
    }
    await run.stop()
    // A sink may come to what is lost only now.
    if (handle !== null) this.#tell(handle.progress())
    return pushesMax < Number.POSITIVE_INFINITY && handle !== null ? null : run.failure
  }

  /** Keeps what earlier lives told: what a sink has gone on without is told once. */
  #tell({ warnings }: RunProgress): void {
    this.warnings = [...new Map([...this.warnings, ...warnings].map(each => [each.message, each])).values()]
  }
}

/** What stands at which offset, by topic and partition. */
export type Stored = ReadonlyMap<string, ReadonlyMap<number, string>>

const TOPICS = ['readings/0', 'windows/0', 'evens/0', 'dead_letters/0', 'dead_letters/1'] as const

function storedOf(storage: MemoryStorage): Stored {
  return new Map(TOPICS.map(name => [name, linesOf(storage, name)]))
}

function linesOf(storage: MemoryStorage, name: string): Map<number, string> {
  const [topicName, partition] = name.split('/') as [string, string]
  const log = openTopic(folder, topicName, {
    partition: Number(partition),
    incarnation: '0'.repeat(32),
    adoptIncarnation: true,
    storage: storage.forProcess(),
    clock: systemClock,
    readOnly: true,
  })
  const lines = new Map<number, string>()
  for (const chunk of readChunks(log, 0)) {
    if ('kind' in chunk) continue
    const texts = chunk.bytes.toString().split('\n').filter(Boolean)
    for (const [index, text] of texts.entries()) lines.set(chunk.firstOffset + index, text)
  }
  return lines
}

/** How it stood when the rot came. */
export interface Before {
  readonly stored: Stored
  /** Offset up to which the last epoch has processed what was pushed. */
  readonly processed: number
  /** By what was pushed the offset below which something says that it was safe: after a loss of power not the newest. */
  readonly vouched: ReadonlyMap<string, number>
}

/** `copy` makes another copy of the disk as it stands. */
export function beforeRot(copy: () => MemoryStorage): Before {
  const storage = copy()
  const markerOf = (name: string) => {
    const [topicName, partition] = name.split('/') as [string, string]
    const mark = placeMark(topicName, Number(partition))
    return readMarker(storage, join(folder, 'topics', name), mark)?.durable ?? 0
  }
  const journal = new Journal({ storage: copy(), clock: systemClock, dataDirectory: folder })
  const header = journal.last?.header as EpochHeader | undefined
  const processed = header?.topics.readings?.partitions.find(({ name }) => name === 'log')?.position ?? 0
  const vouched = new Map([
    ['readings/0', Math.max(processed, markerOf('readings/0'))],
    ['dead_letters/0', Math.max(header?.letters.ingestion ?? 0, markerOf('dead_letters/0'))],
  ])
  return { stored: storedOf(storage), processed, vouched }
}

/** Offsets that warnings said are lost, by topic and partition. */
export function toldOf(warnings: readonly RunWarning[]): ReadonlyMap<string, ReadonlySet<number>> {
  const told = new Map<string, Set<number>>(TOPICS.map(name => [name, new Set()]))
  for (const { message } of warnings) {
    const found = /^Topic (\S+) is damaged, (\d+) records? (?:at|from) offset (\d+)/.exec(message)
    if (found === null) continue
    const [, name, lost, from] = found
    for (let index = 0; index < Number(lost); index++) told.get(name!)?.add(Number(from) + index)
  }
  return told
}

/** Rows that a sink goes on without, as it was told. */
function lackingOf({ warnings }: RotLife, sink: string): number {
  const counts = warnings.map(({ message }) => {
    return Number(new RegExp(`^${sink} goes on without the rows of topic \\S+'s (\\d+) record`).exec(message)?.[1] ?? 0)
  })
  return counts.reduce((sum, count) => sum + count, 0)
}

/** All that is wrong once the run has gone on to the end of all messages; empty when each loss was told. */
export function brokenAfterRot(life: RotLife, messages: readonly Message[], before: Before): string[] {
  const found: string[] = []
  const told = toldOf(life.warnings)
  const after = storedOf(life.storage)
  const held = after.get('readings/0')!
  const lost = told.get('readings/0')!

  // What was there and is not, was told; what is there, was there. Rows that no epoch knew of are made again.
  const mayGo = new Map([...before.vouched.keys()].map(name => [name, [] as string[]]))
  for (const [name, vouched] of before.vouched) {
    for (const [offset, line] of before.stored.get(name)!) {
      const now = after.get(name)!.get(offset)
      if (now === line) continue
      if (offset >= vouched) mayGo.get(name)!.push(line)
      else if (now !== undefined) found.push(`${name}: offset ${offset} was ${line} and is ${now}`)
      else if (!told.get(name)!.has(offset)) found.push(`${name}: offset ${offset} went silently`)
    }
  }

  const copies = new Map<number, number>()
  for (const line of held.values()) {
    const { n } = JSON.parse(line) as Row
    copies.set(n, (copies.get(n) ?? 0) + 1)
  }
  const lostNumbers = new Set(mayGo.get('readings/0')!.map(line => (JSON.parse(line) as Row).n))
  for (const offset of lost) {
    const line = before.stored.get('readings/0')!.get(offset)
    if (line !== undefined) lostNumbers.add((JSON.parse(line) as Row).n)
  }
  const refusedOnce = new Map<string, number>()
  for (const message of messages) {
    for (const line of message.lines.trim().split('\n')) {
      const { n } = JSON.parse(line) as { n: number | string }
      if (typeof n === 'string') {
        refusedOnce.set(line, 1)
        continue
      }
      const times = copies.get(n) ?? 0
      if (times > 1) found.push(`record ${n} is in the log ${times} times`)
      if (times === 0 && !lostNumbers.has(n)) found.push(`record ${n} is lost`)
      copies.delete(n)
    }
  }
  for (const n of copies.keys()) found.push(`record ${n} was never sent`)

  const { windows, late, processed } = reference(held, before, lost)
  const compare = (what: string, expected: readonly string[], rows: readonly string[], mayLack: number) =>
    compareRows(what, expected, rows, found, mayLack)
  const topicRows = (name: string) => [...after.get(name)!.values()]
  const outside = (name: string) => life.outside.get(name)?.rows ?? []
  compare('windows', windows, topicRows('windows/0').map(windowLine), told.get('windows/0')!.size)
  compare('sink windows', windows, outside('windows').map(windowLine), lackingOf(life, 'windows'))
  const numbers = processed.map(({ n }) => n)
  compare(
    'evens',
    numbers.filter(n => n % 2 === 0).map(String),
    topicRows('evens/0').map(numberText),
    told.get('evens/0')!.size,
  )
  compare('sink once', numbers.map(String), outside('once').map(numberText), lackingOf(life, 'once'))
  // It is made of the records again, so it lacks what they lack.
  compare('sink odd', numbers.filter(n => n % 2 === 1).map(String), outside('odd').map(numberText), lost.size)
  const letters = (partition: number) => topicRows(`dead_letters/${partition}`).map(letterText)
  const lettersLost = told.get('dead_letters/0')!.size + mayGo.get('dead_letters/0')!.length
  compare('refused', [...refusedOnce.keys()], letters(0), lettersLost)
  compare('late', late, letters(1), told.get('dead_letters/1')!.size)
  return found
}

const letterText = (line: string) => String((JSON.parse(line) as { bytes: unknown }).bytes).trim()
const windowLine = (line: string) => windowText(JSON.parse(line))
const numberText = (line: string) => String((JSON.parse(line) as Row).n)

/** What comes of the records, one after the other: those that are there, and those that were processed before they rotted. */
function reference(held: ReadonlyMap<number, string>, before: Before, lost: ReadonlySet<number>) {
  const all = new Map(held)
  for (const offset of lost) {
    const line = before.stored.get('readings/0')!.get(offset)
    if (line !== undefined && offset < before.processed) all.set(offset, line)
  }
  const reached = new Map<string, number>()
  const windows = new Map<string, { readings: number; total: number }>()
  const late: string[] = []
  const processed: Row[] = []
  for (const [, line] of [...all].sort(([a], [b]) => a - b)) {
    const row = JSON.parse(line) as Row
    const { device, at, n } = row
    processed.push(row)
    const start = Math.floor(at / WINDOW_MS)
    const frontier = Math.max(reached.get(device) ?? Number.NEGATIVE_INFINITY, at)
    reached.set(device, frontier)
    if ((start + 1) * WINDOW_MS <= frontier) late.push(line)
    else if (at < LAST_MS) {
      const key = `${device} ${start}`
      const window = windows.get(key) ?? { readings: 0, total: 0 }
      windows.set(key, { readings: window.readings + 1, total: window.total + n })
    }
  }
  // The record that closes the windows of a device may itself be lost.
  const closed = [...windows].filter(([key]) => {
    const [device, start] = key.split(' ') as [string, string]
    return (Number(start) + 1) * WINDOW_MS <= reached.get(device)!
  })
  const rows = closed.map(([key, { readings, total }]) => `${key} ${readings} ${total}`)
  return { windows: rows, late, processed }
}
