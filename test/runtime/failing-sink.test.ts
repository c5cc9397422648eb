/**
 * Sinks that fail or are slow, of a run that follows: whoever pushes does not notice, the other sinks go on, and in the end
 * each sink holds every row of its stream once, in order.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { count, pipeline, topic, tumbling } from '../../src/index.ts'
import type { OutputProgress, RunHandle } from '../../src/runtime/options.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { type Random, seededRandom } from '../../src/system/random.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { type Call, gone, Outside } from './outside.ts'
import { hasty, type Message, messagesOf, push, readings, silent, someOf } from './pushed-readings.ts'
import { begin, runOptions } from './runs.ts'

const STREAMS = ['records', 'windows', 'stored windows'] as const

/** For each stream a sink that is well, and one to which things happen. */
function made() {
  const well = Object.fromEntries(STREAMS.map(name => [name, new Outside(`${name}, well`)]))
  const ill = Object.fromEntries(STREAMS.map(name => [name, new Outside(`${name}, ill`)]))
  const { plan } = pipeline('ailing', ({ ingest, from, deliver }) => {
    ingest(silent, readings)
    const windows = from(readings).groupBy('device').window(tumbling('1 s')).aggregate({ readings: count() })
    const streams = {
      records: from(readings).filter(r => r.n % 3 !== 0),
      windows,
      'stored windows': windows.named('stored').to(topic('counted')),
    }
    for (const name of STREAMS) {
      for (const outside of [well[name]!, ill[name]!]) deliver(streams[name] as never, outside.reference as never)
    }
  })
  return { plan, well, ill }
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-ailing-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

type Made = ReturnType<typeof made>

/** A run that is ready. */
async function started({ plan }: Pick<Made, 'plan'>) {
  const stop = new AbortController()
  const ready = Promise.withResolvers<RunHandle>()
  const run = runPipeline(plan, runOptions(folder, { signal: stop.signal, onReady: ready.resolve }), hasty)
  const ended = run.then(() => Promise.reject(new Error('it ended')))
  ended.catch(() => {})
  const handle = await Promise.race([ready.promise, ended])
  const outputOf = ({ name }: Outside): OutputProgress =>
    handle.progress().outputs.find(({ output }) => output === name)!
  return {
    handle,
    run,
    outputOf,
    /** Waits until it is so, or the run ends. */
    async until(isSo: () => boolean): Promise<void> {
      while (!isSo()) await Promise.race([new Promise(resolve => setTimeout(resolve, 1)), ended])
    },
    /** Each message is kept at the first go. */
    async pushAll(messages: readonly Message[]): Promise<void> {
      for (const message of messages) {
        expect((await push(handle, message)).kind).toBe('kept')
        expect(handle.progress().held).toBeNull()
      }
    },
    async stop() {
      stop.abort()
      return await run
    },
  }
}

const allLive = (handle: RunHandle) => handle.progress().outputs.every(({ behind }) => behind === null)

function expectWhole({ well, ill }: Made): void {
  for (const name of STREAMS) {
    expect(well[name]!.rows.length).toBeGreaterThan(0)
    expect(ill[name]!.rows).toEqual(well[name]!.rows)
  }
}

test('a sink that is not there for a while: nobody waits for it, and it gets all of it', async () => {
  const all = made()
  const { handle, pushAll, until, outputOf, stop } = await started(all)
  const messages = messagesOf(seededRandom(1), 3, 30)
  await pushAll(messages.slice(0, 20))
  let isGone = true
  for (const name of STREAMS) {
    all.ill[name]!.before = () => {
      if (isGone) throw gone()
    }
  }
  await pushAll(messages.slice(20))
  await until(() => STREAMS.every(name => outputOf(all.ill[name]!).behind?.error?.code === 'WAREHOUSE_FAILED'))
  await until(() => STREAMS.every(name => all.well[name]!.rows.length === outputOf(all.well[name]!).rows))
  for (const name of STREAMS) {
    const { rows, behind } = outputOf(all.ill[name]!)
    expect(behind?.rows).toBe(rows - all.ill[name]!.rows.length)
    expect(all.well[name]!.rows.length).toBe(rows)
  }
  isGone = false
  await until(() => allLive(handle))
  await stop()
  expectWhole(all)
})

test('it is not there when the run stops: the next run gives it the rest', async () => {
  const all = made()
  const messages = messagesOf(seededRandom(2), 3, 30)
  const first = await started(all)
  await first.pushAll(messages.slice(0, 30))
  for (const name of STREAMS) {
    all.ill[name]!.before = () => {
      throw gone()
    }
  }
  await first.pushAll(messages.slice(30, 60))
  await first.until(() => STREAMS.every(name => first.outputOf(all.ill[name]!).behind !== null))
  const { outputs } = await first.stop()
  expect(outputs.filter(({ behind }) => behind !== null).map(({ output }) => output)).toEqual(
    STREAMS.map(name => all.ill[name]!.name),
  )
  for (const name of STREAMS) all.ill[name]!.before = () => {}
  const next = await started(all)
  await next.pushAll(messages.slice(60))
  await next.stop()
  expectWhole(all)
})

test('a sink that takes longer than rows can wait for it falls behind, and catches up', async () => {
  const all = made()
  const ill = all.ill.records!
  const gate = Promise.withResolvers<void>()
  ill.deadlines_ms = { commit: 3_600_000 }
  const { handle, until, outputOf, stop } = await started(all)
  ill.before = call => (call === 'commit' ? gate.promise : undefined)
  let n = 1
  for (let number = 0; number < 90; number++) {
    const lines = Array.from({ length: 5000 }, () => {
      n += 1
      return `{"device":"many","at":${1_000_000 + n},"n":${n}}\n`
    })
    const message = { sender: 'many', number, lines: lines.join('') }
    expect((await push(handle, message)).kind).toBe('kept')
  }
  await until(() => outputOf(ill).behind !== null)
  expect(outputOf(ill).behind).toMatchObject({ error: null })
  await until(() => all.well.records!.rows.length === outputOf(all.well.records!).rows)
  expect(ill.rows).toEqual([])
  gate.resolve()
  await until(() => allLive(handle))
  await stop()
  expect(ill.rows.length).toBe(300_000)
  expect(ill.rows).toEqual(all.well.records!.rows)
}, 60_000)

test.each(['open', 'write', 'commit', 'half a commit'] as const)(
  'an error that nobody knows ends no run that follows its inputs: %s',
  async where => {
    const all = made()
    const { handle, stop, until, pushAll, outputOf } = await started(all)
    const ill = all.ill.windows!
    let isIll = true
    ill.before = call => {
      if (isIll && call === where) throw new Error('something that nobody knows')
      // It is opened again only after a failure.
      if (isIll && where === 'open' && call === 'write') throw gone()
    }
    await pushAll(messagesOf(seededRandom(3), 2, 20))
    await until(() => outputOf(ill).behind?.error?.message === 'something that nobody knows')
    expect(outputOf(ill).behind?.error?.code).toBe('SINK_FAILED')
    isIll = false
    await until(() => allLive(handle))
    await stop()
    expectWhole(all)
  },
)

describe('whatever happens to sinks', () => {
  /** What a sink does at its next call. */
  function ailment(random: Random, isIll: () => boolean): (call: Call) => Promise<void> {
    return async () => {
      if (!isIll()) return
      const draw = random.integer(12)
      if (draw < 2) await new Promise(resolve => setTimeout(resolve, random.integer(8)))
      if (draw === 2) throw gone()
    }
  }

  test('each holds all rows once, in order', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async seed => {
        rmSync(folder, { recursive: true, force: true })
        const random = seededRandom(seed)
        const all = made()
        let isIll = false
        for (const name of STREAMS) all.ill[name]!.before = ailment(random, () => isIll)
        const messages = messagesOf(random, 3, 25)
        for (let at = 0; at < messages.length; ) {
          const { handle, pushAll, until, stop } = await started(all)
          isIll = true
          const end = Math.min(messages.length, at + 1 + random.integer(messages.length))
          await pushAll(messages.slice(at, end))
          at = end
          const endsWell = at === messages.length || random.integer(2) === 0
          isIll = !endsWell
          if (endsWell) await until(() => allLive(handle))
          // A sink that fails at the very end is told as before; the next run makes up for it.
          await stop().catch(error => expect(error).toMatchObject({ code: 'WAREHOUSE_FAILED' }))
          isIll = false
        }
        expectWhole(all)
      }),
      { numRuns: 25 },
    )
  })

  test('nor does a loss of power at any moment change that', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async seed => {
        rmSync(folder, { recursive: true, force: true })
        const random = seededRandom(seed)
        const all = made()
        const storage = new MemoryStorage()
        let isIll = false
        for (const name of STREAMS) all.ill[name]!.before = ailment(random, () => isIll)
        let waiting: readonly Message[] = messagesOf(random, 3, 12)
        for (let life = 0; waiting.length > 0; life++) {
          if (life < 4)
            storage.losePowerAt(storage.syncs + 1 + random.integer(60), random.integer(2) ? 'before' : 'after')
          const run = await begin(all.plan, folder, {}, storage.forProcess())
          isIll = true
          while (run.failure === null && !storage.isOff && waiting.length > 0) {
            const some = someOf(waiting, random)
            const kept = new Set<Message>()
            const pushing = some.map(async message => {
              const outcome = await Promise.race([push(run.handle!, message), run.ended])
              if (outcome !== null && outcome.kind !== 'failed') kept.add(message)
            })
            await Promise.all(pushing)
            waiting = waiting.filter(message => !kept.has(message))
          }
          isIll = false
          await run.stop()
          storage.crash(random)
        }
        // The last life may have ended with a sink that lacked something.
        const last = await begin(all.plan, folder, {}, storage.forProcess())
        await last.stop()
        expect(last.failure).toBeNull()
        expectWhole(all)
      }),
      { numRuns: 25 },
    )
  })
})
