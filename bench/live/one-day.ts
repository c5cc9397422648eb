/**
 * Runs the steady pipeline through so many hours of its own time: `node --expose-gc bench/live/one-day.ts FOLDER HOURS`.
 *
 * 200 devices send a reading every two seconds, all through the log; the clock goes on by five seconds as soon as they
 * are acknowledged. A session lasts half an hour, so that keys come and go. A line of JSON for each hour.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { runPipeline } from '../../src/runtime/run.ts'
import { systemClock } from '../../src/system/clock.ts'
import pipeline from './steady.ts'

export interface Hour {
  readonly hour: number
  readonly records: number
  readonly windows: number
  readonly resident_mb: number
  /** After what nobody needs was collected. */
  readonly used_mb: number
  readonly journal_mb: number
  readonly logs_mb: number
}

const DEVICES = 200
const EVERY_MS = 2_000
const STEP_MS = 5_000
const HOUR_MS = 3_600_000
const SESSION_MS = HOUR_MS / 2
const START_MS = Date.UTC(2026, 0, 1)
/** Whoever is woken does what is due before the clock goes on. */
const TURNS = 8

/** Time that goes on when it is told to. */
class SteppedClock {
  #elapsed_ms = 0
  readonly #sleepers = new Set<{ readonly until_ms: number; readonly wake: () => void }>()

  now(): number {
    return (START_MS + this.#elapsed_ms) * 1000
  }

  monotonic_ms(): number {
    return this.#elapsed_ms
  }

  sleep(duration_ms: number, signal?: AbortSignal): Promise<void> {
    // To give others their turn is no matter of time.
    if (duration_ms === 0) return systemClock.sleep(0, signal)
    return new Promise(resolve => {
      if (signal?.aborted) return resolve()
      const sleeper = {
        until_ms: this.#elapsed_ms + duration_ms,
        wake: () => {
          this.#sleepers.delete(sleeper)
          signal?.removeEventListener('abort', sleeper.wake)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake, { once: true })
    })
  }

  async goOn(step_ms: number): Promise<void> {
    this.#elapsed_ms += step_ms
    for (const { until_ms, wake } of [...this.#sleepers]) if (until_ms <= this.#elapsed_ms) wake()
    for (let turn = 0; turn < TURNS; turn++) await setImmediate()
  }
}

/** The readings of all devices in a stretch of time. */
function readings(from_ms: number, to_ms: number): string {
  const lines: string[] = []
  for (let time_ms = Math.ceil(from_ms / EVERY_MS) * EVERY_MS; time_ms < to_ms; time_ms += EVERY_MS) {
    const session = `session-${Math.floor(time_ms / SESSION_MS)}`
    for (let device = 0; device < DEVICES; device++) {
      const value = 5 * Math.sin(device + time_ms / 10_000)
      lines.push(
        `{"sessionId":"${session}","deviceId":"device-${device}","time":${START_MS + time_ms},"value":${value.toFixed(4)}}\n`,
      )
    }
  }
  return lines.join('')
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

const [dataDirectory = '', hours = '24'] = process.argv.slice(2)
const clock = new SteppedClock()
const stop = new AbortController()
const ready = Promise.withResolvers<Parameters<NonNullable<Parameters<typeof runPipeline>[1]['onReady']>>[0]>()
const options = {
  dataDirectory,
  inputs: new Map(),
  untilEnd: false,
  duration_ms: null,
  strict: true,
  signal: stop.signal,
  onProgress: null,
  taps: new Map(),
  listen: { host: '127.0.0.1', port: 0, tls: null, trustedProxies: [], keys: 'when-made' as const },
  onReady: ready.resolve,
}
const running = runPipeline(pipeline.plan, options, clock)
running.catch(ready.reject)
const run = await ready.promise

for (let now_ms = 0; now_ms < Number(hours) * HOUR_MS; now_ms += STEP_MS) {
  const outcome = await run.append('readings', Buffer.from(readings(now_ms, now_ms + STEP_MS)))
  if (outcome.kind !== 'kept' || outcome.refusedCount > 0) throw new Error(JSON.stringify(outcome))
  await clock.goOn(STEP_MS)
  if ((now_ms + STEP_MS) % HOUR_MS !== 0) continue
  // Memory outside the heap is given back a turn after its owner was collected.
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.()
    await setImmediate()
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  const { topics, outputs } = run.progress()
  const hour: Hour = {
    hour: (now_ms + STEP_MS) / HOUR_MS,
    records: topics[0]!.records,
    windows: outputs[0]!.rows,
    resident_mb: rss / 2 ** 20,
    used_mb: (heapUsed + external) / 2 ** 20,
    journal_mb: bytesIn(join(dataDirectory, 'journal')) / 2 ** 20,
    logs_mb: bytesIn(join(dataDirectory, 'topics')) / 2 ** 20,
  }
  console.log(JSON.stringify(hour))
}
stop.abort()
await running
