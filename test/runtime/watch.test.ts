/** Looking into a run at work: rows of any step, as soon as they are safe; the run itself does not notice. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { rowsOf } from '../../src/engine/batch.ts'
import { systemClock } from '../../src/system/clock.ts'
import { seededRandom } from '../../src/system/random.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { Life, living, messagesOf } from './living.ts'

test('a step that is no output is watched from the middle of a run on, its state is kept', async () => {
  const messages = messagesOf(seededRandom(7), 2, 20)
  const life = new Life(new MemoryStorage(), messages)
  const dedupe = living.plan.produces[0]!.stream
  expect(dedupe.kind).toBe('window')
  const step = dedupe.kind === 'window' ? dedupe.input.identity : ''
  const seen: unknown[] = []
  let ended = 0
  let refusals = 0
  const failure = await life.live(seededRandom(8), {
    onPush: (handle, pushes) => {
      if (pushes === 10) handle.watch(step, batch => seen.push(...rowsOf(batch).map(row => row.n)))
      if (pushes === 11) handle.watch(step, () => ended++)()
      if (pushes === 12) {
        try {
          handle.watch('nothing', () => {})
        } catch {
          refusals++
        }
      }
    },
  })
  expect(failure).toBeNull()
  expect(refusals).toBe(1)
  expect(ended).toBe(0)
  // The windows, which the operators hold in their state, are whole although the operators were put together anew.
  expect(life.broken(messages)).toEqual([])
  expect(seen.length).toBeGreaterThan(0)
  expect(new Set(seen).size).toBe(seen.length)
  await life.live(seededRandom(9))
  expect(life.broken(messages)).toEqual([])
  life.end()
})

test('rows are shown when they are safe, not before', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-watch-'))
  const storage = new MemoryStorage()
  const messages = messagesOf(seededRandom(3), 1, 4)
  const life = new Life(storage, messages)
  const shown: string[] = []
  await life.live(seededRandom(1), {
    onPush: (handle, pushes) => {
      if (pushes !== 1) return
      const { identity } = living.plan.produces[0]!.stream
      handle.watch(identity, batch => {
        const stored = life.stored('windows').length
        for (const row of rowsOf(batch)) shown.push(`${row.device} ${row.window_start}`)
        expect(stored).toBeGreaterThanOrEqual(shown.length)
      })
    },
  })
  await systemClock.sleep(0)
  expect(shown.length).toBeGreaterThan(0)
  life.end()
  rmSync(folder, { recursive: true, force: true })
})
