/** The journal against a plain model: what is restored is the state of the last epoch, whatever came before. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Journal } from '../../src/log/journal.ts'
import { seededRandom } from '../../src/system/random.ts'
import type { Storage } from '../../src/system/storage.ts'
import { Life, Operator, operators, SMALL, stateOf } from './journals.ts'
import { HandClock } from './logs.ts'
import { MemoryStorage } from './memory-storage.ts'

const clock = new HandClock()
const open = (storage: MemoryStorage, options: { segmentBytes?: number; rangeSlots?: number } = SMALL) =>
  new Journal({ storage: storage.forProcess(), clock, dataDirectory: '/data', ...options })

type Step =
  | { readonly kind: 'epochs' | 'change'; readonly count: number }
  | { readonly kind: 'stage' | 'write' | 'close' | 'kill' | 'full' | 'eio' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('epochs' as const, 'change' as const), count: fc.nat(8) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('stage' as const, 'write', 'close', 'kill', 'full', 'eio') }),
  },
)

test('restored is what was staged, whatever changed, failed, was told again or dropped', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer(),
      fc.constantFrom(1, 4, 7),
      async (steps, seed, rangeSlots) => {
        const storage = new MemoryStorage()
        const random = seededRandom(seed)
        const life = new Life(() => storage.forProcess())
        expect(life.open({ rangeSlots })).toEqual([])
        for (const { kind, ...rest } of steps) {
          const count = 'count' in rest ? rest.count : 0
          switch (kind) {
            case 'change':
              life.change(random, count)
              break
            case 'epochs':
              for (let epoch = 0; epoch < count; epoch++) {
                life.change(random, random.integer(6))
                life.stage()
                await life.write()
              }
              break
            case 'stage':
              life.stage()
              break
            case 'write':
              await life.write()
              break
            case 'full':
            case 'eio':
              life.change(random, 5)
              life.stage()
              storage.fail(kind === 'full' ? 'ENOSPC' : 'EIO', kind === 'full' ? random.integer(200) : 0)
              expect(await life.tryToWrite()).toBe(false)
              storage.mend()
              break
            case 'close':
              await life.journal.close()
              expect(life.open({ rangeSlots })).toEqual([])
              break
            case 'kill':
              if (random.integer(2) === 0) {
                life.stage()
                life.write().catch(() => {})
                for (let turn = random.integer(8); turn > 0; turn--) await Promise.resolve()
              }
              storage.kill()
              expect(life.open({ rangeSlots: 1 + random.integer(8) })).toEqual([])
          }
        }
        await life.write()
        await life.journal.close()
        expect(life.open({ rangeSlots })).toEqual([])
        expect(life.journal.epoch).toBe(life.acknowledged)
      },
    ),
    { numRuns: 300 },
  )
}, 60_000)

test('the journal stays at a few times the state, and an epoch at a few times what it changed', async () => {
  const storage = new MemoryStorage()
  let written = 0
  const process = storage.forProcess()
  const counting: Storage = {
    ...process,
    open(path) {
      const file = process.open(path)
      const write = (bytes: Uint8Array, position: number) => {
        if (path.endsWith('.log')) written += bytes.length
        file.write(bytes, position)
      }
      return { ...file, write }
    },
  }
  const journal = new Journal({
    storage: counting,
    clock,
    dataDirectory: '/data',
    segmentBytes: 8192,
    rangeSlots: 64,
  })
  const [operator] = operators()
  const [table] = operator!.tables
  for (let slot = 0; slot < 2000; slot++) table!.set(slot, `first ${slot}`)
  const random = seededRandom(1)
  let stateBytes = 0
  let longest = 0
  let most = 0
  for (let epoch = 0; epoch < 1500; epoch++) {
    for (let count = 0; count < 20; count++) table!.set(random.integer(2000), `${epoch} ${count}`)
    const before = written
    journal.stage({ epoch }, [operator!])
    await journal.write()
    if (epoch === 0) stateBytes = journal.bytes
    else longest = Math.max(longest, written - before)
    most = Math.max(most, journal.bytes)
  }
  expect(most).toBeLessThan(3 * stateBytes + 2 * 8192)
  // 20 slots of about 30 bytes, and two ranges of 64 slots at most.
  expect(longest).toBeLessThan(8000)
  const again = open(storage)
  const restored = operators()
  again.restore(restored)
  expect(stateOf([restored[0]!])).toBe(stateOf([operator!]))
})

test('a journal of a state that does not change stays short too', async () => {
  const storage = new MemoryStorage()
  const journal = open(storage)
  const all = operators()
  for (let slot = 0; slot < 20; slot++) all[0]!.tables[0]!.set(slot, `kept ${slot}`)
  for (let epoch = 1; epoch <= 300; epoch++) {
    journal.stage({ epoch }, all)
    await journal.write()
  }
  expect(journal.bytes).toBeLessThan(8 * SMALL.segmentBytes)
  const restored = operators()
  open(storage).restore(restored)
  expect(stateOf(restored)).toBe(stateOf(all))
})

describe('operators that come and go', () => {
  const epochs = async (journal: Journal, all: readonly Operator[], text: string | null) => {
    if (text !== null) for (const { tables } of all) tables[0]!.set(0, text)
    journal.stage({}, all)
    await journal.write()
  }

  test('one that is gone is passed over; one that comes back later begins empty', async () => {
    const storage = new MemoryStorage()
    const both = operators()
    const first = open(storage)
    await epochs(first, both, 'first')
    await first.close()
    const [kept] = operators()
    const second = open(storage)
    second.restore([kept!])
    expect(stateOf([kept!])).toBe(stateOf([both[0]!]))
    await epochs(second, [kept!], null)
    await second.close()
    const again = operators()
    open(storage).restore(again)
    expect(again.map(({ tables }) => tables[0]!.texts)).toEqual([['first'], []])
  })

  test('one that is not restored begins empty, and what was stored of it never comes back', async () => {
    const storage = new MemoryStorage()
    const first = open(storage)
    await epochs(first, operators(), 'first')
    await first.close()
    const second = open(storage)
    const anew = operators()
    second.restore([anew[1]!])
    anew[0]!.tables[0]!.set(3, 'anew')
    second.stage({}, anew)
    await second.write()
    await second.close()
    const again = operators()
    open(storage).restore(again)
    expect(stateOf(again)).toBe(stateOf(anew))
    expect(again[0]!.tables[0]!.texts).toEqual([null, null, null, 'anew'])
  })

  test('one that reads its state in another form is told so', async () => {
    const storage = new MemoryStorage()
    const first = open(storage)
    await epochs(first, operators(), 'first')
    await first.close()
    const other = new Operator('a/window', ['keys'])
    Object.assign(other.tables[0]!, { isBare: true })
    expect(() => open(storage).restore([other])).toThrow(
      expect.objectContaining({ code: 'LOG_FORMAT', message: expect.stringContaining('a/window, table keys') }),
    )
  })
})
