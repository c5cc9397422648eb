/** The journal when power is lost at every sync, and when its files rot. */
import { describe, expect, test } from 'vitest'
import { Journal } from '../../src/log/journal.ts'
import { MillraceError } from '../../src/system/errors.ts'
import { type Random, seededRandom } from '../../src/system/random.ts'
import type { Storage } from '../../src/system/storage.ts'
import { Life, operators, SMALL, stateOf } from './journals.ts'
import { HandClock } from './logs.ts'
import { MemoryStorage } from './memory-storage.ts'
import { copyOf, rot } from './rot.ts'

type Wrap = (storage: Storage) => Storage

async function live(life: Life, storage: MemoryStorage, random: Random): Promise<string[]> {
  const found = life.open()
  for (let count = 0; count < 30 && found.length === 0; count++) {
    life.change(random, random.integer(8))
    switch (random.integer(12)) {
      case 0:
        await life.journal.close()
        found.push(...life.open())
        break
      case 1:
        storage.kill()
        found.push(...life.open())
        break
      case 2:
        // Several in one write.
        life.stage()
        life.change(random, 3)
        life.stage()
        await life.write()
        break
      case 3:
        // Staged while one is being written.
        life.stage()
        {
          const writing = life.write()
          life.change(random, 3)
          life.stage()
          await writing
          await life.write()
        }
        break
      default:
        life.stage()
        await life.write()
    }
  }
  await life.journal.close()
  return found
}

async function violations(wrap: Wrap, seeds: readonly number[], enough = 5): Promise<string[]> {
  const found: string[] = []
  for (const seed of seeds) {
    const whole = new MemoryStorage()
    found.push(...(await live(new Life(() => wrap(whole.forProcess())), whole, seededRandom(seed))))
    for (let sync = 1; sync <= whole.syncs && found.length < enough; sync++) {
      for (const moment of ['before', 'after'] as const) {
        const storage = new MemoryStorage()
        storage.losePowerAt(sync, moment)
        const life = new Life(() => wrap(storage.forProcess()))
        try {
          await live(life, storage, seededRandom(seed))
        } catch (error) {
          if (!storage.isOff) throw error
        }
        const random = seededRandom(seed * 1000 + sync)
        storage.crash(random)
        const broken = life.open()
        // It goes on, and power is lost once more.
        for (let epoch = 0; epoch < 4 && broken.length === 0; epoch++) {
          life.change(random, 4)
          life.stage()
          await life.write()
        }
        storage.crash(random)
        if (broken.length === 0) broken.push(...life.open())
        found.push(...broken.map(each => `history ${seed}, power lost ${moment} sync ${sync}: ${each}`))
      }
    }
  }
  return found
}

const SEEDS = [1, 2, 3]

test('power lost at every sync: the state of an epoch that was staged, never older than one acknowledged', async () => {
  expect(await violations(storage => storage, SEEDS)).toEqual([])
}, 60_000)

test('planted: epochs that are acknowledged before they are synced are found', async () => {
  const lying: Wrap = storage => ({
    ...storage,
    open: path => ({ ...storage.open(path), sync: () => Promise.resolve() }),
  })
  const found = await violations(lying, SEEDS, 1).catch(error => [String(error)])
  expect(found).toEqual([expect.stringMatching(/acknowledged|STATE_DAMAGED|damaged/)])
})

describe('files that rot', { timeout: 60_000 }, () => {
  const EPOCHS = 25
  /** A journal of several segments that was closed, and what it holds. */
  async function original() {
    const storage = new MemoryStorage()
    const life = new Life(() => storage.forProcess())
    life.open()
    const random = seededRandom(7)
    for (let epoch = 1; epoch <= EPOCHS; epoch++) {
      life.change(random, 5)
      life.stage()
      await life.write()
    }
    await life.journal.close()
    const files = storage.paths.map(path => ({ path, bytes: storage.bytesOf(path) }))
    return { whole: { files, end: EPOCHS }, state: stateOf(life.all) }
  }

  /** What is found: the state, or STATE_DAMAGED. */
  function look(storage: MemoryStorage, state: string): 'whole' | 'damaged' | string {
    const all = operators()
    try {
      const journal = new Journal({ storage, clock: new HandClock(), dataDirectory: '/data', ...SMALL })
      journal.restore(all)
      return stateOf(all) === state && journal.epoch === EPOCHS ? 'whole' : `epoch ${journal.epoch}: ${stateOf(all)}`
    } catch (error) {
      return error instanceof MillraceError && error.code === 'STATE_DAMAGED' ? 'damaged' : String(error)
    }
  }

  test('a flip in any byte is found or harmless', async () => {
    const { whole, state } = await original()
    const seen = new Set<string>()
    for (const { path, bytes } of whole.files) {
      for (let byte = 0; byte < bytes.length; byte++) {
        const storage = copyOf(whole)
        storage.flip(path, byte, byte % 8)
        const what = look(storage, state)
        seen.add(what)
        if (what !== 'whole' && what !== 'damaged') expect(`${path}, byte ${byte}: ${what}`).toBe('')
      }
    }
    expect([...seen].sort()).toEqual(['damaged', 'whole'])
  })

  test('truncations, zeros and files that are gone are found or harmless, and found again at the next start', async () => {
    const { whole, state } = await original()
    for (let seed = 1; seed <= 500; seed++) {
      const storage = copyOf(whole)
      const what = rot(storage, seededRandom(seed))
      const first = look(storage, state)
      expect(`${what}: ${first}`).toMatch(/: (whole|damaged)$/)
      expect(`${what}: ${look(storage, state)}`).toBe(`${what}: ${first}`)
    }
  })

  test('the error names the file and the byte', async () => {
    const { whole, state } = await original()
    const storage = copyOf(whole)
    const path = storage.paths.filter(each => each.endsWith('.log')).at(-1)!
    storage.flip(path, 200, 1)
    expect(look(storage, state)).toBe('damaged')
    expect(() => new Journal({ storage, clock: new HandClock(), dataDirectory: '/data', ...SMALL })).toThrow(
      expect.objectContaining({
        code: 'STATE_DAMAGED',
        message: expect.stringMatching(/journal\/\d{20}\.log, byte \d+/),
      }),
    )
  })
})
