/** Keys that are remembered for a while, against a plain list of them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { digestOfKey as digestOf, KEY_BYTES, RecentKeys } from '../../src/engine/state/recent-keys.ts'
import { seededRandom } from '../../src/system/random.ts'
import { PlainJournal } from './restarts.ts'
import { options, SEED } from './seed.ts'

test(`seed ${SEED}`, () => {})

const key = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 40 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('', 'ä\ud800', 'ä\ud801', 'a\nb', '["a","b"]') },
)
const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({ does: fc.constant('add' as const), key, mark: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constantFrom('save' as const, 'restart' as const, 'compact' as const) }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('forget' as const), age: fc.integer({ min: 0, max: 60 }) }) },
)

test('a key keeps its mark until it is too old or the oldest of too many, through restarts', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), fc.integer({ min: 1, max: 30 }), (list, most) => {
      const made = () => new RecentKeys('keys', most * KEY_BYTES)
      let keys = made()
      const journal = new PlainJournal(seededRandom(list.length))
      let plain: { key: string; mark: number; second: number }[] = []
      list.forEach((one, index) => {
        const second = 1 + index
        if (one.does === 'add') {
          const known = plain.find(({ key }) => key === one.key)
          expect(keys.markOf(digestOf(one.key))).toBe(known?.mark ?? 0)
          keys.add(digestOf(one.key), one.mark, second * 1e6)
          if (known !== undefined) known.mark = one.mark
          else plain = [...plain, { key: one.key, mark: one.mark, second }].slice(-most)
        } else if (one.does === 'forget') {
          keys.forgetBefore((second - one.age) * 1e6)
          plain = plain.filter(each => each.second >= second - one.age - 1)
        } else {
          if (one.does === 'compact') journal.saveWhole([keys])
          else journal.save([keys])
          if (one.does === 'save') return
          keys = made()
          journal.restore([keys])
        }
        expect(keys.size).toBe(plain.length)
        for (const { key, mark } of plain) expect(keys.markOf(digestOf(key))).toBe(mark)
      })
    }),
    options(300),
  )
})

test('a hundred thousand keys: each is found, none that was not seen, and an epoch takes those that are new', () => {
  const keys = new RecentKeys('keys', 100_000 * KEY_BYTES)
  const changed = () => keys.tables[0]!.takeChanged().length
  for (let number = 0; number < 100_000; number++) keys.add(digestOf(`key ${number}`), 1, number * 1e6)
  expect(changed()).toBe(100_000)
  for (let number = 0; number < 100_000; number++) {
    if (keys.markOf(digestOf(`key ${number}`)) !== 1 || keys.markOf(digestOf(`key ${number}.`)) !== 0)
      throw new Error(`key ${number}`)
  }
  // Full: each that comes takes the place of the oldest.
  for (let number = 100_000; number < 100_500; number++) keys.add(digestOf(`key ${number}`), 1, number * 1e6)
  expect(changed()).toBeLessThanOrEqual(1000)
  expect(keys.size).toBe(100_000)
  expect(keys.markOf(digestOf('key 499'))).toBe(0)
  expect(keys.markOf(digestOf('key 500'))).toBe(1)
  keys.forgetBefore(50_000 * 1e6)
  expect(keys.size).toBe(50_501)
})

test('a smaller budget than before forgets the oldest with the next key', () => {
  const journal = new PlainJournal(seededRandom(1))
  const before = new RecentKeys('keys', 600 * KEY_BYTES)
  for (let number = 0; number < 600; number++) before.add(digestOf(String(number)), 1, number * 1e6)
  journal.save([before])
  const after = new RecentKeys('keys', 10 * KEY_BYTES)
  journal.restore([after])
  after.add(digestOf('new'), 1, 700 * 1e6)
  expect(after.size).toBe(10)
  expect([after.markOf(digestOf('590')), after.markOf(digestOf('591')), after.markOf(digestOf('new'))]).toEqual([
    0, 1, 1,
  ])
})
