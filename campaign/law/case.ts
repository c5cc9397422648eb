/**
 * One case of the law: a pipeline of random steps over random records, cut off behind an epoch that was staged at some
 * moment, begun again on what the disk holds, and at the end compared with a run that nothing happened to.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunHandle } from '../../src/runtime/options.ts'
import { type Random, seededRandom } from '../../src/system/random.ts'
import { MemoryStorage } from '../../test/log/memory-storage.ts'
import type { Outside } from '../../test/runtime/outside.ts'
import { LAST_MS, type Message, push } from '../../test/runtime/pushed-readings.ts'
import { begin } from '../../test/runtime/runs.ts'
import { type Graph, graphOf, type Kind } from './graphs.ts'

/** When the epoch is staged behind which all is abandoned. */
export type Moment =
  /** So many microtasks after a message was handed over. */
  | { readonly kind: 'microtask'; readonly message: number; readonly depth: number }
  /** At a call of a sink. */
  | { readonly kind: 'call'; readonly sink: number; readonly call: number }

const SINKS_WAIT_MS = 10_000

export function messagesOf(random: Random, messages: number): Message[] {
  let n = 0
  let at = 5000
  return Array.from({ length: messages + 1 }, (_, number) => {
    const isLast = number === messages
    const lines = Array.from({ length: isLast ? 3 : 1 + random.integer(6) }, (_, index) => {
      at += random.integer(900)
      const device = isLast ? `device-${index}` : `device-${random.integer(3)}`
      const parts = Array.from({ length: random.integer(3) }, () => ({ part: random.integer(9) }))
      return JSON.stringify({ device, at: isLast ? LAST_MS : at - random.integer(3) * 700, n: n++, parts })
    })
    return { sender: 'sender', number, lines: `${lines.join('\n')}\n` }
  })
}

const textsOf = ({ rows }: Outside) => rows.map(row => JSON.stringify(row)).sort()

/** The sinks' rows of a run that nothing happens to. */
export async function cleanRows(seed: number, steps: number | readonly Kind[], messages: readonly Message[]) {
  const graph = graphOf(() => seededRandom(seed), steps)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-law-'))
  try {
    const run = await begin(graph.plan, folder, {}, new MemoryStorage().forProcess())
    if (run.failure !== null) throw run.failure
    for (const message of messages) await push(run.handle!, message)
    await settled(run.handle!, graph.sinks)
    await run.stop()
    if (run.failure !== null) throw run.failure
    return { text: graph.text, rows: graph.sinks.map(textsOf) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * The sinks' rows when it is cut off at the moments, one a life. `isOver`: the last moment never came, because all was
 * done before.
 */
export async function cutRows(
  seed: number,
  steps: number | readonly Kind[],
  messages: readonly Message[],
  moments: readonly Moment[],
): Promise<{ readonly rows: string[][]; readonly isOver: boolean }> {
  const graph = graphOf(() => seededRandom(seed), steps)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-law-'))
  const storage = new MemoryStorage()
  let isOver = false
  const acknowledged = new Set<Message>()
  try {
    for (const moment of moments) {
      const waiting = messages.filter(message => !acknowledged.has(message))
      if (!(await oneLife(graph, folder, storage, waiting, acknowledged, moment))) isOver = true
      storage.crash(seededRandom(seed))
    }
    const last = await begin(graph.plan, folder, {}, storage.forProcess())
    if (last.failure !== null) throw last.failure
    for (const message of messages) if (!acknowledged.has(message)) await push(last.handle!, message)
    await settled(last.handle!, graph.sinks)
    await last.stop()
    if (last.failure !== null) throw last.failure
    return { rows: graph.sinks.map(textsOf), isOver }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Answers whether it was cut off at the moment, and not after all of it was done. */
async function oneLife(
  graph: Graph,
  folder: string,
  storage: MemoryStorage,
  messages: readonly Message[],
  acknowledged: Set<Message>,
  moment: Moment,
): Promise<boolean> {
  const run = await begin(graph.plan, folder, {}, storage.forProcess())
  if (run.failure !== null) throw run.failure
  const handle = run.handle!
  const cut = Promise.withResolvers<void>()
  let isCut = false
  let isLate = false
  const stage = () => {
    if (isCut) return
    isCut = true
    const abandon = () => {
      storage.kill()
      cut.resolve()
    }
    handle.checkpoint().then(abandon, abandon)
  }
  if (moment.kind === 'call') {
    let calls = 0
    graph.sinks[moment.sink % graph.sinks.length]!.before = () => {
      if (calls++ === moment.call) stage()
    }
  }
  for (const [index, message] of messages.entries()) {
    let isDone = false
    const pushed = push(handle, message).finally(() => {
      isDone = true
    })
    if (moment.kind === 'microtask' && index === moment.message) {
      await deep(moment.depth, stage)
      isLate = isDone
    }
    const outcome = await Promise.race([pushed, run.ended, cut.promise.then(() => null)])
    if (outcome !== null && outcome.kind === 'kept') acknowledged.add(message)
    if (storage.isOff || outcome === null) break
  }
  if (isCut) await cut.promise
  for (const sink of graph.sinks) sink.before = () => {}
  storage.kill()
  await run.stop()
  return isCut && !isLate
}

function deep(depth: number, action: () => void): Promise<void> {
  return new Promise(resolve => {
    const step = (left: number) => {
      if (left > 0) return queueMicrotask(() => step(left - 1))
      action()
      resolve()
    }
    step(depth)
  })
}

/** Resolves when each sink holds all rows of its stream. */
export async function settled(handle: RunHandle, sinks: readonly Outside[]): Promise<void> {
  const until = performance.now() + SINKS_WAIT_MS
  await handle.checkpoint()
  for (;;) {
    const { outputs } = handle.progress()
    const lacking = sinks.filter(sink => {
      const output = outputs.find(({ output: name }) => name === sink.name)!
      return sink.rows.length < output.rows
    })
    if (lacking.length === 0) return
    if (performance.now() > until) throw new Error(`${lacking.map(({ name }) => name).join(', ')} did not get its rows`)
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}
