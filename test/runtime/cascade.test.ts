import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { count, pipeline, sum, topic, tumbling } from '../../src/index.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { Outside } from './outside.ts'
import { push, readings, silent } from './pushed-readings.ts'
import { begin } from './runs.ts'
import { z } from 'zod'

function made(outside: Outside, slow: Outside) {
  return pipeline('cascade', ({ ingest, from, deliver }) => {
    ingest(silent, readings)
    const ones = from(readings).groupBy('device').window(tumbling('1 s')).aggregate({ n: count() })
    const tens = topic('tens')
    const stream = ones.groupBy('device').window(tumbling('10 s')).aggregate({ total: sum('n') })
    stream.to(tens)
    deliver(from(tens) as never, slow.reference as never)
  }).plan
}

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => JSON.stringify({ device: 'a', at: (from + i) * 1000 + 1, n: from + i }) + '\n').join('')

async function live(gated: boolean) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-cascade-'))
  const storage = new MemoryStorage()
  const out = new Outside('out')
  const slow = new Outside('slow')
  let gate = Promise.withResolvers<void>()
  let writes = 0
  slow.before = call => { if (call === 'write') { writes++; if (gated) return gate.promise } }
  const plan = made(out, slow)
  const first = await begin(plan, folder, {}, storage.forProcess())
  expect(first.failure).toBeNull()
  const p = push(first.handle!, { sender: 's', number: 0, lines: lines(0, 65) })
  const outcome = await p
  expect(outcome.kind).toBe('kept')
  if (gated) {
    const before = first.handle!.progress().epoch
    const deadline = Date.now() + 5000
    while (first.handle!.progress().epoch < before + 3 && Date.now() < deadline) await new Promise(r => setTimeout(r, 5))
    console.log('epoch', before, '->', first.handle!.progress().epoch, 'sink writes begun', writes, 'outputs', JSON.stringify(first.handle!.progress().outputs))
    storage.kill()
    gated = false
    gate.resolve()
    await first.stop()
    console.log('first life ended with', (first.failure as Error)?.message)
    const second = await begin(plan, folder, {}, storage.forProcess())
    expect(second.failure).toBeNull()
    await push(second.handle!, { sender: 's', number: 1, lines: lines(65, 100) })
    await new Promise(r => setTimeout(r, 100))
    await second.stop()
    expect(second.failure).toBeNull()
  } else {
    await push(first.handle!, { sender: 's', number: 1, lines: lines(65, 100) })
    await new Promise(r => setTimeout(r, 100))
    await first.stop()
  }
  rmSync(folder, { recursive: true, force: true })
  return slow.rows.map(row => `${row.window_start} ${row.total}`)
}

test('cascade of windows into a read topic, killed while a sink is slow', async () => {
  const clean = await live(false)
  const killed = await live(true)
  console.log('clean ', clean)
  console.log('killed', killed)
  expect(killed).toEqual(clean)
})
