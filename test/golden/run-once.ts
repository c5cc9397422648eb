/**
 * One run of a golden pipeline in a process of its own: FOLDER DATA_DIR WORKERS KILL_AT TOPIC PATH...
 *
 * Its clock runs so fast that each piece of input is committed by itself, and with KILL_AT > 0 the process kills itself
 * when the clock is read for that time: no handler runs, nothing is flushed.
 */
import { join } from 'node:path'
import { file } from '../../src/connectors/file/index.ts'
import { WorkerPool } from '../../src/engine/workers/pool.ts'
import type { Pipeline } from '../../src/index.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { type Clock, systemClock } from '../../src/system/clock.ts'
import { runOptions } from '../runtime/runs.ts'

const [folder, dataDirectory, workers, killAt, topic, ...paths] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
]
const { default: pipeline } = (await import(join(folder, 'pipeline.ts'))) as { default: Pipeline }

let reads = 0
const clock: Clock = {
  ...systemClock,
  monotonic_ms: () => {
    if (++reads === Number(killAt)) process.kill(process.pid, 'SIGKILL')
    return reads * 10_000
  },
}
const pool = Number(workers) > 1 ? new WorkerPool(Number(workers) - 1) : null
const inputs = new Map([[topic, paths.map(path => file({ path }))]])
await runPipeline(pipeline.plan, runOptions(dataDirectory, { inputs, untilEnd: true, pool }), clock)
await pool?.close()
console.log(reads)
