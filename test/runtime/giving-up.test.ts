/** Sinks that never answer are not waited for when the run ends, whatever call they hang in; and none stays open. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import { pipeline, topic } from '../../src/index.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { type Call, gone, Outside } from './outside.ts'
import { hasty } from './pushed-readings.ts'
import { begin, runOptions } from './runs.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-giving-up-'))
  writeFileSync(join(folder, 'in.ndjson'), Array.from({ length: 10 }, (_, n) => `{"n":${n}}\n`).join(''))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function planOf(...sinks: readonly Outside[]) {
  const numbers = topic('numbers', z.object({ n: z.number() }))
  return pipeline('hanging', ({ ingest, from, deliver }) => {
    ingest(file({ path: join(folder, 'in.ndjson') }), numbers)
    for (const sink of sinks) deliver(from(numbers), sink.reference as never)
  }).plan
}

/** How long it takes, in milliseconds of the hasty clock. */
async function timed(action: () => Promise<unknown>): Promise<number> {
  const began_ms = hasty.monotonic_ms()
  await action()
  return hasty.monotonic_ms() - began_ms
}

const bounded = (...sinks: readonly Outside[]) =>
  runPipeline(
    planOf(...sinks),
    { ...runOptions(join(folder, 'data'), { untilEnd: true }), sinkTimeout_ms: 20_000 },
    hasty,
  )

test.each(['open', 'write', 'commit'] as const)(
  'a run with an end gives up on a sink that hangs in %s',
  async where => {
    const ill = new Outside('ill')
    ill.deadlines_ms = { [where]: 600_000 }
    ill.before = call => (call === where ? new Promise(() => {}) : undefined)
    const took_ms = await timed(() =>
      expect(bounded(ill)).rejects.toMatchObject({ code: where === 'open' ? 'SINK_TIMEOUT' : 'SINK_INCOMPLETE' }),
    )
    expect(took_ms).toBeLessThan(300_000)
  },
)

test('a run that is stopped does not wait for a sink that is being opened again', async () => {
  const ill = new Outside('ill')
  const run = await begin(planOf(ill), join(folder, 'data'))
  const hangs = Promise.withResolvers<void>()
  ill.before = (call: Call) => {
    if (call !== 'open') throw gone()
    hangs.resolve()
    return new Promise(() => {})
  }
  writeFileSync(join(folder, 'in.ndjson'), '{"n":10}\n', { flag: 'a' })
  await hangs.promise
  expect(await timed(() => run.stop())).toBeLessThan(200_000)
  expect(run.failure).toBeNull()
})

test('a run that is stopped does not wait for a sink that is being opened for the first time', async () => {
  const ill = new Outside('ill')
  ill.deadlines_ms = { open: 600_000 }
  const hangs = Promise.withResolvers<void>()
  ill.before = () => {
    hangs.resolve()
    return new Promise(() => {})
  }
  const stop = new AbortController()
  const running = runPipeline(planOf(ill), runOptions(join(folder, 'data'), { signal: stop.signal }), hasty)
  await hangs.promise
  stop.abort()
  let reason = ''
  const took_ms = await timed(async () => {
    reason = await running.then(summary => summary.reason, String)
  })
  expect({ reason, isSoon: took_ms < 200_000 }).toEqual({ reason: 'stopped', isSoon: true })
})

test('a first start that fails with one sink closes those that it has opened', async () => {
  const well = new Outside('well')
  const ill = new Outside('ill')
  let isGone = true
  ill.before = () => {
    if (isGone) throw gone()
  }
  await expect(bounded(well, ill)).rejects.toMatchObject({ code: 'WAREHOUSE_FAILED' })
  isGone = false
  await bounded(well, ill)
  expect(well.rows.length).toBe(10)
})

test('a sink that cannot be closed fails the run: what it wrote may not be what it says', async () => {
  const ill = new Outside('ill')
  ill.before = call => {
    if (call === 'close') throw new Error('the last page cannot be written')
  }
  await expect(bounded(ill)).rejects.toMatchObject({
    code: 'SINK_INCOMPLETE',
    message: expect.stringContaining('the last page cannot be written'),
  })
})

test('a run with an end makes no more rows than its sinks can be behind', async () => {
  const ill = new Outside('ill')
  const { plan } = pipeline('hanging', ({ ingest, from, deliver }) => {
    const long = topic('long', z.object({ n: z.number(), text: z.string() }))
    ingest(file({ path: join(folder, 'long.ndjson') }), long)
    deliver(from(long), ill.reference as never)
  })
  const text = 'x'.repeat(60_000)
  const lines = Array.from({ length: 3000 }, (_, n) => `{"n":${n},"text":"${n}${text}"}\n`)
  writeFileSync(join(folder, 'long.ndjson'), lines.join(''))
  const goOn = Promise.withResolvers<void>()
  ill.before = call => (call === 'write' ? goOn.promise : undefined)
  let made = 0
  const tap = ({ length }: { readonly length: number }) => {
    made += length
  }
  const taps = new Map([[plan.delivers[0]!.stream.identity, tap]])
  const running = runPipeline(plan, { ...runOptions(join(folder, 'data'), { untilEnd: true, taps }) })
  for (let before = -1; made === 0 || made > before; ) {
    before = made
    await new Promise(resolve => setTimeout(resolve, 300))
  }
  expect(made).toBeLessThan(2500)
  goOn.resolve()
  await running
  expect(ill.rows.length).toBe(3000)
})

test('each sink that was given up is named', async () => {
  const sinks = [new Outside('first'), new Outside('second')]
  for (const sink of sinks) {
    sink.before = call => {
      if (call === 'write') throw new Error(`${sink.name} is full`)
    }
  }
  const failure = await bounded(...sinks).catch(error => error)
  expect(failure.message).toContain('first lacks 10 of its rows')
  expect(failure.message).toContain('second lacks 10 of its rows')
})
