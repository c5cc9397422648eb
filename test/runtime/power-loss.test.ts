/** The whole run on a disk that loses power at every one of its syncs: nothing acknowledged is lost, nothing comes twice. */
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/system/random.ts'
import type { Storage } from '../../src/system/storage.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { Life, messagesOf } from './living.ts'

test('a life without a loss of power is as the reference says', async () => {
  const messages = messagesOf(seededRandom(1), 3, 12)
  const life = new Life(new MemoryStorage(), messages)
  expect(await life.live(seededRandom(2))).toBeNull()
  expect(life.isDone).toBe(true)
  expect(life.broken(messages)).toEqual([])
  life.end()
})

test('a disk that only says that it has synced is found out', async () => {
  const messages = messagesOf(seededRandom(1), 2, 6)
  const lying = (disk: Storage): Storage => ({
    ...disk,
    open: path => {
      const file = disk.open(path)
      return Object.assign(Object.create(file), { sync: async () => {}, syncNow: () => {} })
    },
  })
  let found = 0
  for (let sync = 2; sync <= 12 && found === 0; sync++) {
    const life = new Life(new MemoryStorage(), messages)
    const random = seededRandom(sync)
    life.storage.losePowerAt(sync)
    await life.live(random, { disk: lying(life.storage.forProcess()), pushesMax: 8 })
    life.storage.crash(random)
    await life.live(random)
    found += life.broken(messages).length
    life.end()
  }
  expect(found).toBeGreaterThan(0)
})

test.each([1, 2, 3])('power lost at every sync, history %i', { timeout: 300_000 }, async seed => {
  const messages = messagesOf(seededRandom(seed), 2, 6)
  const whole = new MemoryStorage()
  const first = new Life(whole, messages)
  await first.live(seededRandom(seed))
  first.end()
  const found: string[] = []
  for (let sync = 1; sync <= whole.syncs; sync++) {
    for (const moment of ['before', 'after'] as const) {
      const storage = new MemoryStorage()
      const life = new Life(storage, messages)
      const random = seededRandom(seed * 1000 + sync)
      storage.losePowerAt(sync, moment)
      await life.live(random)
      storage.crash(random)
      // A second loss on the way back, now and then.
      if (random.integer(3) === 0) {
        storage.losePowerAt(storage.syncs + 1 + random.integer(8))
        await life.live(random)
        storage.crash(random)
      }
      const failure = await life.live(random)
      if (failure !== null) found.push(`sync ${sync} ${moment}: ${failure}`)
      else found.push(...life.broken(messages).map(broken => `sync ${sync} ${moment}: ${broken}`))
      life.end()
    }
  }
  expect(found).toEqual([])
})
