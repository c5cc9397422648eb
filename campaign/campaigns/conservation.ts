/**
 * Every record that is sent is kept, rejected, or a duplicate, and each kept one is counted by a window or late: the
 * numbers say so exactly, asked at any moment and after any crash.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { count, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import type { Plan } from '../../src/plan/nodes.ts'
import type { RunHandle, TopicProgress } from '../../src/runtime/options.ts'
import { type Random, seededRandom } from '../../src/system/random.ts'
import { MemoryStorage } from '../../test/log/memory-storage.ts'
import { Outside } from '../../test/runtime/outside.ts'
import { silent } from '../../test/runtime/pushed-readings.ts'
import { begin } from '../../test/runtime/runs.ts'
import type { Campaign, FailedCase } from '../contract.ts'
import { settled } from '../law/case.ts'

const WINDOW_MS = 1000
const LAST_MS = 1_000_000
/** So long a number may be on its way from what was answered; once some cases have failed, less is enough. */
const TAKEN_WITHIN_MS = { first: 5000, later: 100 }
const TOPICS = ['first', 'second'] as const
type TopicName = (typeof TOPICS)[number]

interface Message {
  readonly topic: TopicName
  readonly id: string
  readonly lines: readonly string[]
}

/** What the numbers of a topic must be, counted without any of the code that is looked at. */
class Expected {
  kept = 0
  rejected = 0
  late = 0
  repeats = 0
  /** Those that were answered; before the last crash some may be forgotten. */
  duplicates = 0
  duplicatesLeast = 0
  #furthest_ms = Number.NEGATIVE_INFINITY
  readonly #ids = new Set<string>()
  readonly #seen = new Set<number>()

  /** The lines of a message, in the order of the log. */
  take({ id, lines }: Message): void {
    if (this.#ids.has(id)) return
    this.#ids.add(id)
    for (const line of lines) this.#record(line)
  }

  #record(line: string): void {
    const record = recordOf(line)
    if (record === null) {
      this.rejected++
      return
    }
    this.kept++
    const { at, n } = record
    if ((Math.floor(at / WINDOW_MS) + 1) * WINDOW_MS <= this.#furthest_ms) this.late++
    this.#furthest_ms = Math.max(this.#furthest_ms, at)
    if (this.#seen.has(n)) this.repeats++
    this.#seen.add(n)
  }
}

function recordOf(line: string): { readonly at: number; readonly n: number } | null {
  try {
    const { device, at, n } = JSON.parse(line)
    return typeof device === 'string' && Number.isInteger(at) && typeof n === 'number' ? { at, n } : null
  } catch {
    return null
  }
}

function planOf(late: 'drop' | 'quarantine'): { readonly plan: Plan; readonly sinks: readonly Outside[] } {
  const sinks: Outside[] = []
  const outside = (name: string) => {
    const sink = new Outside(name)
    sinks.push(sink)
    return sink.reference as never
  }
  const { plan } = pipeline('conservation', ({ ingest, from, deliver }) => {
    for (const name of TOPICS) {
      const readings = topic(name, z.object({ device: z.string(), at: timestamp('ms'), n: z.number() }), {
        key: 'device',
        eventTime: { field: 'at', disorder: '0 s', progress: 'partition', idleAfter: '1 h' },
      })
      ingest(silent, readings)
      deliver(from(readings) as never, outside(`${name} raw`))
      const windows = from(readings)
        .groupBy('device')
        .window(tumbling(`${WINDOW_MS} ms`), { late })
        .aggregate({ readings: count() })
      deliver(windows as never, outside(`${name} windows`))
      deliver(from(readings).dedupe({ key: 'n', within: '7 d' }) as never, outside(`${name} once`))
    }
  })
  return { plan, sinks }
}

/** Messages with good, bad and late records; some numbers come twice. */
function messagesOf(random: Random): Message[] {
  const at_ms = { first: 5000, second: 5000 }
  let n = 0
  const messages = Array.from({ length: 8 + random.integer(20) }, (_, index): Message => {
    const name = TOPICS[random.integer(TOPICS.length)]!
    const lines = Array.from({ length: 1 + random.integer(5) }, () => {
      at_ms[name] += random.integer(700)
      const at = at_ms[name] - random.integer(3) * 1200
      const draw = random.integer(10)
      if (draw === 0) return '{"device":"a", not JSON'
      if (draw === 1) return JSON.stringify({ device: 'a', at, n: 'one' })
      return JSON.stringify({ device: `device-${random.integer(3)}`, at, n: draw === 2 ? Math.max(0, n - 1) : n++ })
    })
    return { topic: name, id: `message ${index}`, lines }
  })
  const last = TOPICS.map((name): Message => {
    return { topic: name, id: 'last', lines: [JSON.stringify({ device: 'last', at: LAST_MS, n: -1 })] }
  })
  return [...messages, ...last]
}

/** What is wrong with the numbers of a run at work; it waits for records that are answered and still on their way. */
async function wrongNumbers(
  handle: RunHandle,
  expected: ReadonlyMap<string, Expected>,
  { quarantines, within_ms }: { readonly quarantines: boolean; readonly within_ms: number },
) {
  const until_ms = performance.now() + within_ms
  for (;;) {
    const { topics } = handle.progress()
    const wrong = topics.flatMap(found => {
      if (found.records - found.rejected < 0) return [`${found.topic}: more rejected than records`]
      return differences(found, expected.get(found.topic)!, quarantines)
    })
    if (wrong.length === 0 || performance.now() > until_ms) return wrong
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

function differences(found: TopicProgress, model: Expected, quarantines: boolean): string[] {
  const numbers: readonly (readonly [string, number, number])[] = [
    ['records', found.records, model.kept + model.rejected],
    ['rejected', found.rejected, model.rejected],
    ['late', found.late, model.late],
    ['repeats', found.repeats, model.repeats],
    ['duplicates', found.duplicates, model.duplicates],
    ['dead letters', found.deadLetters, model.rejected + (quarantines ? model.late : 0)],
  ]
  const wrong = numbers.flatMap(([what, is, should]) => (is === should ? [] : [`${what} ${is}, not ${should}`]))
  return wrong.map(text => `${found.topic}: ${text}`)
}

/** What a run begins with: duplicates of the last moments may be forgotten, and nothing more. */
function begun(handle: RunHandle, expected: ReadonlyMap<string, Expected>): string[] {
  return handle.progress().topics.flatMap(({ topic: name, duplicates }) => {
    const model = expected.get(name)!
    const { duplicatesLeast: least, duplicates: most } = model
    model.duplicates = duplicates
    model.duplicatesLeast = duplicates
    return duplicates < least || duplicates > most
      ? [`${name}: begins with ${duplicates} duplicates, not ${least} .. ${most}`]
      : []
  })
}

async function wrongIn(seed: number, within_ms: number): Promise<string[]> {
  const random = seededRandom(seed)
  const quarantines = random.integer(2) === 0
  const { plan, sinks } = planOf(quarantines ? 'quarantine' : 'drop')
  const folder = mkdtempSync(join(tmpdir(), 'millrace-conservation-'))
  const storage = new MemoryStorage()
  const expected = new Map(TOPICS.map(name => [name as string, new Expected()]))
  const messages = messagesOf(random)
  const answered: Message[] = []
  const sent: Message[] = []
  let next = 0
  try {
    for (;;) {
      const run = await begin(plan, folder, {}, storage.forProcess())
      if (run.failure !== null) return [`a start failed: ${(run.failure as Error).stack}`]
      const handle = run.handle!
      const wrong = begun(handle, expected)
      if (wrong.length > 0) return wrong
      let isOver = false
      // Those that were not answered before a crash are sent again, in their order; some that were answered too.
      const again = sent.filter(message => !answered.includes(message) || random.integer(4) === 0)
      const some = messages.slice(next, next + 1 + random.integer(6))
      let isCut = false
      const cutAt = random.integer(3) === 0 ? random.integer(again.length + some.length) : -1
      const pushes: Promise<void>[] = []
      for (const [index, message] of [...again, ...some].entries()) {
        if (!sent.includes(message)) {
          sent.push(message)
          next++
        }
        const lines = Buffer.from(`${message.lines.join('\n')}\n`)
        const pushing = handle.append(message.topic, lines, message.id).then(outcome => {
          if (outcome.kind === 'failed' || isOver) return
          const model = expected.get(message.topic)!
          model.take(message)
          if (outcome.kind === 'repeated') model.duplicates += message.lines.length
          answered.push(message)
        })
        pushes.push(pushing)
        if (index === cutAt) {
          for (let depth = random.integer(12); depth > 0; depth--) await Promise.resolve()
          isCut = true
          storage.kill()
          break
        }
        if (random.integer(2) === 0) await Promise.race([Promise.all(pushes), run.ended])
      }
      if (!isCut) {
        await Promise.race([Promise.all(pushes), run.ended])
        const wrong = await wrongNumbers(handle, expected, { quarantines, within_ms })
        if (wrong.length > 0) return wrong
        if (random.integer(2) === 0) {
          await handle.checkpoint()
          for (const model of expected.values()) model.duplicatesLeast = model.duplicates
        }
        if (next >= messages.length) {
          await settled(handle, sinks)
          const lost = lostRows(sinks, expected)
          await run.stop()
          return lost
        }
        if (random.integer(2) === 0) {
          isCut = true
          storage.kill()
        }
      }
      await run.stop()
      isOver = true
      if (!isCut) for (const model of expected.values()) model.duplicatesLeast = model.duplicates
      storage.crash(random)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What the sinks hold beside what was counted: each kept record is in a window or late. */
function lostRows(sinks: readonly Outside[], expected: ReadonlyMap<string, Expected>): string[] {
  const rowsOf = (name: string) => sinks.find(sink => sink.name === name)!.rows
  return [...expected].flatMap(([name, { kept, late, repeats }]) => {
    // The record behind all others stands in a window that is still open.
    const counted = rowsOf(`${name} windows`).reduce((sum, row) => sum + Number(row.readings), 0) + 1
    const numbers: readonly (readonly [string, number, number])[] = [
      ['rows of the raw sink', rowsOf(`${name} raw`).length, kept],
      ['records counted in windows and late', counted + late, kept],
      ['rows of the dedupe and repeats', rowsOf(`${name} once`).length + repeats, kept],
    ]
    return numbers.flatMap(([what, is, should]) => (is === should ? [] : [`${name}: ${what} ${is}, not ${should}`]))
  })
}

export default {
  proves: 'Sent = kept + rejected + duplicates, and kept = counted + late, exactly, at any moment and after any crash.',
  cases: 1000,
  ciCases: 300,
  plants: [
    {
      name: 'late-record-not-counted',
      file: 'src/engine/operators/window.ts',
      from: 'this.#counts.late++',
      to: '',
      cases: 10,
    },
    {
      name: 'rejected-count-lost-in-a-crash',
      file: 'src/runtime/ingest/ingestion.ts',
      from: 'if (offset >= (counted?.[name] ?? letter)) task.countRejected(1)',
      to: '',
      cases: 100,
    },
    {
      name: 'rejected-counted-with-each-resend',
      file: 'src/runtime/ingest/ingestion.ts',
      from: 'this.#options.task.countRejected(letters)',
      to: 'this.#options.task.countRejected(refused.length)',
      cases: 100,
    },
    {
      name: 'duplicates-forgotten-by-the-epoch',
      file: 'src/runtime/process/topic-counts.ts',
      from: 'this.duplicates = duplicates',
      to: '',
      cases: 50,
    },
  ],
  async run({ cases, seed, report }) {
    const failed: FailedCase[] = []
    for (let index = 0; index < cases; index++) {
      const within_ms = failed.length < 3 ? TAKEN_WITHIN_MS.first : TAKEN_WITHIN_MS.later
      const lines = await wrongIn(seed + index, within_ms).catch(error => [String(error?.stack ?? error)])
      if (lines.length > 0) failed.push({ seed: seed + index, cases: 1, lines: lines.slice(0, 8) })
      report(index + 1)
    }
    return failed
  },
} satisfies Campaign
