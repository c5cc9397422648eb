/**
 * A process is killed in the middle of a run, and the warehouse's file or its write-ahead log rots: the next run has all
 * rows in the tables once, or stops with a code and has them once the file is moved away, as its words say.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, test } from 'vitest'
import type { RotResult } from './warehouse-life.ts'

const TIMES = Number(process.env.MILLRACE_ROT_TIMES ?? 60)
const folder = mkdtempSync(join(tmpdir(), 'millrace-warehouse-rot-'))
const children = new Set<ChildProcess>()
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function start(...words: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'warehouse-life.ts'), ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  child.once('close', () => children.delete(child))
  return child
}

/** A data directory whose owner was killed after so many messages; a second time, `stoppedBefore` it was stopped well. */
async function killed(name: string, messages: number, stoppedBefore: boolean): Promise<string> {
  const base = join(folder, name)
  if (stoppedBefore) await once(start('live', base, '1', '60'), 'close')
  const child = start('live', base, '1', '100000')
  let kept = 0
  for await (const _ of createInterface(child.stdout!)) if (++kept === messages) child.kill('SIGKILL')
  expect(kept).toBeGreaterThanOrEqual(messages)
  return base
}

/** Damages so many copies; a process that dies of one says so, and another goes on behind it. */
async function campaign(base: string, seed: number, times: number): Promise<RotResult[]> {
  const results: RotResult[] = []
  for (let next = 0; next < times; next++) {
    const child = start('rot', base, join(folder, 'scratch'), String(seed), String(next), String(times))
    let begun = ''
    for await (const line of createInterface(child.stdout!)) {
      const said = JSON.parse(line) as RotResult
      begun = said.what
      if (said.outcome === undefined) continue
      results.push(said)
      next = said.index + 1
    }
    if (next >= times) break
    const how = `exit code ${child.exitCode}, signal ${child.signalCode}`
    results.push({ index: next, what: begun, outcome: 'died', broken: [`the process died: ${how}`] })
  }
  return results
}

test(`${TIMES} flips and truncations of a warehouse whose owner was killed`, {
  timeout: 60_000 + TIMES * 4000,
}, async () => {
  const half = Math.ceil(TIMES / 2)
  const results = [
    ...(await campaign(await killed('first', 120, false), 1, half)),
    ...(await campaign(await killed('second', 90, true), 2, TIMES - half)),
  ]
  const broken = results.flatMap(({ index, what, broken }) => broken.map(each => `${index}, ${what}: ${each}`))
  expect(broken.slice(0, 10)).toEqual([])
  expect(results).toHaveLength(TIMES)
  const outcomes = Map.groupBy(results, ({ outcome }) => outcome)
  if (TIMES > 60)
    process.stderr.write(`${[...outcomes].map(([outcome, { length }]) => `${outcome} ${length}`).join('\n')}\n`)
  // Both ways were met: a log that is damaged, and a file.
  expect(outcomes.get('set aside')?.length).toBeGreaterThan(0)
  expect(outcomes.get('FILE_UNREADABLE, whole')?.length).toBeGreaterThan(0)
})
