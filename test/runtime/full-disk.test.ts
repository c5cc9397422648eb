/** The disk is full at any point of a run: it says so, refuses what it cannot keep, and goes on when there is room. */
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/system/random.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { Life, messagesOf } from './living.ts'

const POINTS = 50

test('fifty points of a run at which the disk is full', { timeout: 120_000 }, async () => {
  const messages = messagesOf(seededRandom(4), 3, 10)
  const whole = new MemoryStorage()
  const first = new Life(whole, messages)
  await first.live(seededRandom(4))
  first.end()
  const bytes = whole.paths.reduce((sum, path) => sum + whole.bytesOf(path).length, 0)
  const found: string[] = []
  let refusals = 0
  for (let point = 0; point < POINTS; point++) {
    const storage = new MemoryStorage()
    const life = new Life(storage, messages)
    const random = seededRandom(point)
    let refused = 0
    storage.fail('ENOSPC', Math.floor((bytes * point) / POINTS))
    const onRefused = () => {
      refusals++
      if (++refused === 3) storage.mend()
    }
    let failure = await life.live(random, { onRefused })
    // Full before the run was ready: it stops with its reason, and somebody makes room.
    if (failure !== null) {
      if ((failure as { code?: string }).code !== 'LOG_FULL') found.push(`point ${point}: ${failure}`)
      storage.mend()
      failure = await life.live(random)
    }
    if (failure !== null) found.push(`point ${point}: ${failure}`)
    else found.push(...life.broken(messages).map(broken => `point ${point}: ${broken}`))
    life.end()
  }
  expect(found).toEqual([])
  expect(refusals).toBeGreaterThan(0)
})
