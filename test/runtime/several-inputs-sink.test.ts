/** A sink that fails, of a topic whose records come from several files: it gets every row once, whatever order it asks in. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import { pipeline, topic } from '../../src/index.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { gone, Outside } from './outside.ts'
import { hasty } from './pushed-readings.ts'
import { runOptions } from './runs.ts'

const FILES = 2
const ROWS = 300_000
const FAILURES_MAX = 5

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-several-'))
  for (let number = 0; number < FILES; number++) {
    const lines = Array.from({ length: ROWS }, (_, index) => `{"n":${index * FILES + number}}\n`)
    writeFileSync(join(folder, `in-${number}.ndjson`), lines.join(''))
  }
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test.each(['two sources', 'a pattern'])(
  '%s, a sink that fails between two epochs',
  async how => {
    const numbers = topic('numbers', z.object({ n: z.number() }))
    const out = new Outside('out')
    const { plan } = pipeline('several', ({ ingest, from, deliver }) => {
      const paths = how === 'a pattern' ? ['in-*.ndjson'] : ['in-0.ndjson', 'in-1.ndjson']
      for (const path of paths) ingest(file({ path: join(folder, path) }), numbers)
      deliver(from(numbers).filter(r => r.n >= 0) as never, out.reference as never)
    })
    // It fails a few times, some writes behind a commit: in the middle of what an epoch holds.
    let writes = 0
    let failures = 0
    out.before = async call => {
      if (call === 'half a commit') writes = 0
      if (call !== 'write') return
      writes++
      if (out.rows.length === 0) return await new Promise(resolve => setTimeout(resolve, 20))
      if (failures === FAILURES_MAX || writes % 3 !== 0) return
      failures++
      throw gone()
    }
    await runPipeline(plan, runOptions(join(folder, 'data'), { untilEnd: true }), hasty)
    expect(failures).toBeGreaterThan(0)
    const times = new Uint8Array(FILES * ROWS)
    for (const { n } of out.rows) times[Number(n)]!++
    expect({
      missing: times.filter(count => count === 0).length,
      twice: times.filter(count => count > 1).length,
    }).toEqual({
      missing: 0,
      twice: 0,
    })
  },
  120_000,
)
