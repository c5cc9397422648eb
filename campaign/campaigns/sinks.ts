/** Sinks that hang, fail, flap, are slow or lose their answer, beside twins that are well, over restarts. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Random, seededRandom } from '../../src/system/random.ts'
import { MemoryStorage } from '../../test/log/memory-storage.ts'
import { type Call, gone, type Outside } from '../../test/runtime/outside.ts'
import { type Message, push } from '../../test/runtime/pushed-readings.ts'
import { begin } from '../../test/runtime/runs.ts'
import type { Campaign, FailedCase } from '../contract.ts'
import { messagesOf, settled } from '../law/case.ts'
import { graphOf } from '../law/graphs.ts'

const DEADLINES_MS = { open: 4000, write: 4000, commit: 4000, close: 2000 }
const PUSH_MS = 15_000

type Ailment = (call: Call) => void | Promise<void>

/** What a sink suffers from: one thing all the time, or any of them. */
function ailmentOf(random: Random, isIll: () => boolean): Ailment {
  const at: readonly Call[] = ['open', 'write', 'commit', 'half a commit']
  const where = at[random.integer(at.length)]!
  const rate = 2 + random.integer(6)
  const kind = random.integer(5)
  return call => {
    if (!isIll()) return
    if (kind < 4 && call !== where) return
    if (random.integer(rate) !== 0) return
    const what = kind === 4 ? random.integer(4) : kind
    if (what === 0) return new Promise(() => {})
    if (what === 1) throw gone()
    if (what === 2) throw new Error('an error that nobody knows')
    return new Promise(resolve => setTimeout(resolve, random.integer(12)))
  }
}

async function wrongIn(seed: number): Promise<string[]> {
  const random = seededRandom(seed)
  const graph = graphOf(() => seededRandom(seed), 5, true)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-sinks-'))
  const storage = new MemoryStorage()
  const messages = messagesOf(seededRandom(seed ^ 0x5eed), 6 + random.integer(20))
  let isIll = true
  for (const sink of graph.sinks) {
    sink.deadlines_ms = DEADLINES_MS
    sink.before = ailmentOf(random, () => isIll)
  }
  try {
    let waiting: readonly Message[] = messages
    while (waiting.length > 0) {
      // The first start of a run wants its sinks.
      isIll = false
      const run = await begin(graph.plan, folder, {}, storage.forProcess())
      if (run.failure !== null) return [`a start failed: ${run.failure}`]
      isIll = true
      const some = waiting.slice(0, 1 + random.integer(waiting.length))
      for (const message of some) {
        const late = new Promise<'late'>(resolve => setTimeout(() => resolve('late'), PUSH_MS).unref())
        const outcome = await Promise.race([push(run.handle!, message), run.ended, late])
        if (outcome === 'late') return [`${graph.text}: a push waited for a sink`]
        if (outcome === null) return [`${graph.text}: the run ended: ${run.failure}`]
        if (outcome.kind === 'failed') return [`${graph.text}: a push failed: ${outcome.error.message}`]
      }
      waiting = waiting.slice(some.length)
      const { held } = run.handle!.progress()
      if (held !== null) return [`${graph.text}: it holds: ${held.message}`]
      if (random.integer(2) === 0) {
        await new Promise(resolve => setTimeout(resolve, random.integer(30)))
        storage.kill()
      }
      isIll = random.integer(2) === 0
      await run.stop()
      if (random.integer(2) === 0) storage.crash(random)
    }
    isIll = false
    const last = await begin(graph.plan, folder, {}, storage.forProcess())
    if (last.failure !== null) return [`the last start failed: ${last.failure}`]
    await settled(last.handle!, [...graph.sinks, ...graph.twins])
    await last.stop()
    return graph.sinks.flatMap((sink, index) =>
      differences(sink, graph.twins[index]!).map(line => `${graph.text}: ${line}`),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function differences(sink: Outside, twin: Outside): string[] {
  const [found, expected] = [sink.rows, twin.rows].map(rows => rows.map(row => JSON.stringify(row)))
  const at = expected!.findIndex((row, index) => found![index] !== row)
  if (at < 0 && found!.length === expected!.length) return []
  const place = at < 0 ? expected!.length : at
  return [
    `${sink.name} has ${found!.length} rows of ${expected!.length}; row ${place} is ${found![place]}, not ${expected![place]}`,
  ]
}

export default {
  proves: 'Whatever a sink suffers, each sink gets every row once, in order, and nobody else waits for it.',
  cases: 500,
  ciCases: 100,
  plants: [
    {
      name: 'rows-of-a-lost-answer-again',
      file: 'src/runtime/consumers/sink-consumer.ts',
      from: 'const held = this.#base + (await this.#opened(sink, context))',
      to: 'await this.#opened(sink, context)\n    const held = this.#committed',
      cases: 6,
    },
  ],
  async run({ cases, seed, report }) {
    const failed: FailedCase[] = []
    for (let index = 0; index < cases; index++) {
      const lines = await wrongIn(seed + index).catch(error => [String(error?.stack ?? error)])
      if (lines.length > 0) failed.push({ seed: seed + index, cases: 1, lines: lines.slice(0, 8) })
      report(index + 1)
    }
    return failed
  },
} satisfies Campaign
