import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { pipeline } from '../../src/index.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { Outside } from './outside.ts'
import { push, readings, silent } from './pushed-readings.ts'
import { begin } from './runs.ts'

test('a sink whose write hangs', { timeout: 60_000 }, async () => {
  for (const where of ['write', 'commit'] as const) {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-hang-'))
    const storage = new MemoryStorage()
    const ill = new Outside('ill'), well = new Outside('well')
    const gate = Promise.withResolvers<void>()
    const plan = pipeline('hang', ({ ingest, from, deliver }) => {
      ingest(silent, readings)
      deliver(from(readings).filter(r => r.n >= 0) as never, ill.reference as never)
      deliver(from(readings) as never, well.reference as never)
    }).plan
    const run = await begin(plan, folder, {}, storage.forProcess())
    ill.before = call => (call === where ? gate.promise : undefined)
    let kept = 0
    for (let i = 0; i < 10; i++) {
      const r = await Promise.race([push(run.handle!, { sender: 's', number: i, lines: JSON.stringify({ device: 'a', at: 1000 + i, n: i }) + '\n' }), new Promise<null>(resolve => setTimeout(() => resolve(null), 3000))])
      if (r === null) break
      if (r.kind === 'kept') kept++
    }
    await new Promise(r => setTimeout(r, 200))
    console.log(`hangs in ${where}: ${kept} of 10 messages acknowledged, the sink that is well holds ${well.rows.length}; told: ${JSON.stringify(run.handle!.progress().outputs)}`)
    gate.resolve()
    await run.stop()
    rmSync(folder, { recursive: true, force: true })
  }
})
