/** What tests of whole runs share: what a run is asked to do, one that is at work, and what it should hold in the end. */
import type { Plan } from '../../src/plan/nodes.ts'
import type { RunHandle, RunOptions } from '../../src/runtime/options.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import type { Storage } from '../../src/system/storage.ts'
import { hasty } from './pushed-readings.ts'

/** Follows its inputs, without a limit, and nobody looks; but for the changes. */
export function runOptions(dataDirectory: string, changes: Partial<RunOptions> = {}): RunOptions {
  return {
    dataDirectory,
    inputs: new Map(),
    untilEnd: false,
    duration_ms: null,
    strict: false,
    signal: new AbortController().signal,
    onProgress: null,
    taps: new Map(),
    ...changes,
  }
}

export interface Begun {
  /** null: it ended before it was ready. */
  readonly handle: RunHandle | null
  /** Resolves to null at its end, whatever it was. */
  readonly ended: Promise<null>
  /** The error that ended it; null while it works, and when nothing was wrong. */
  readonly failure: unknown
  /** Stops it and waits for its end. */
  stop(): Promise<void>
}

/** Begins a run in which little waits; answers when it is ready. */
export async function begin(
  plan: Plan,
  dataDirectory: string,
  changes: Partial<Pick<RunOptions, 'onProgress' | 'listen' | 'diskBudget_bytes'>> = {},
  storage?: Storage,
): Promise<Begun> {
  const stop = new AbortController()
  const ready = Promise.withResolvers<RunHandle>()
  const options = runOptions(dataDirectory, { ...changes, signal: stop.signal, onReady: ready.resolve })
  let failure: unknown = null
  const ended = runPipeline(plan, options, hasty, storage).then(
    () => null,
    error => {
      failure = error
      return null
    },
  )
  return {
    handle: await Promise.race([ready.promise, ended]),
    ended,
    get failure() {
      return failure
    },
    async stop() {
      stop.abort()
      await ended
    },
  }
}

/** Says what is missing of the expected rows, and what is there that should not be; up to `mayLack` of them may be missing. */
export function compareRows(
  what: string,
  expected: readonly string[],
  rows: readonly string[],
  found: string[],
  mayLack = 0,
): void {
  const counts = new Map<string, number>()
  for (const text of expected) counts.set(text, (counts.get(text) ?? 0) + 1)
  for (const text of rows) counts.set(text, (counts.get(text) ?? 0) - 1)
  let lacking = 0
  for (const [text, times] of counts) {
    if (times < 0) found.push(`${what}: ${text} is there ${-times} times too often, or wrong`)
    if (times > 0 && ++lacking > mayLack) found.push(`${what}: ${text} is missing`)
  }
}
