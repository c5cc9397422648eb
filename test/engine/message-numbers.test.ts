/** Numbers of messages that were seen, against a Set of all of them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StateWriter } from '../../src/engine/state/bytes.ts'
import { INTERVALS_MAX, MessageNumbers } from '../../src/engine/state/id-intervals.ts'
import { seededRandom } from '../../src/system/random.ts'
import { PlainJournal } from './restarts.ts'
import { options, SEED } from './seed.ts'

test(`seed ${SEED}`, () => {})

test('a number is new once, in any order, through restarts, until its key is forgotten', () => {
  const step = fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({
        does: fc.constant('add' as const),
        key: fc.constantFrom('a', 'b', 'ä\ud800', ''),
        number: fc.oneof(fc.integer({ min: -3, max: 25 }), fc.constantFrom(2 ** 53 - 1, 2 ** 53 - 2, -(2 ** 52))),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ does: fc.constantFrom('save' as const, 'restart' as const, 'compact' as const) }),
    },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('forget' as const), age: fc.integer({ min: 0, max: 30 }) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), list => {
      let numbers = new MessageNumbers('numbers')
      const journal = new PlainJournal(seededRandom(list.length))
      const seen = new Map<string, { used: number; numbers: Set<number> }>()
      list.forEach((one, now) => {
        if (one.does === 'add') {
          const known = seen.get(one.key) ?? { used: 0, numbers: new Set() }
          seen.set(one.key, known)
          expect(numbers.has(one.key, one.number)).toBe(known.numbers.has(one.number))
          numbers.add(one.key, one.number, now)
          known.numbers.add(one.number)
          known.used = now
        } else if (one.does === 'forget') {
          numbers.forgetBefore(now - one.age)
          for (const [key, { used }] of seen) if (used < now - one.age) seen.delete(key)
        } else {
          if (one.does === 'compact') journal.saveWhole([numbers])
          else journal.save([numbers])
          if (one.does === 'save') return
          numbers = new MessageNumbers('numbers')
          journal.restore([numbers])
        }
        expect(numbers.size).toBe(seen.size)
      })
    }),
    options(300),
  )
})

describe('a sender of many gaps', () => {
  const written = (numbers: MessageNumbers) => {
    const writer = new StateWriter()
    numbers.tables[0]!.write(0, writer)
    return writer.length
  }

  test('costs no more than its limit; of what is old nothing is said', () => {
    const numbers = new MessageNumbers('numbers')
    for (let number = 0; number < 3 * INTERVALS_MAX; number++) {
      expect(numbers.has('a', number * 2)).toBe(false)
      numbers.add('a', number * 2, 0)
    }
    expect(written(numbers)).toBeLessThan(INTERVALS_MAX * 16 + 100)
    const last = (3 * INTERVALS_MAX - 1) * 2
    for (let number = 0; number <= last; number++) {
      expect(numbers.has('a', number)).toBe(number % 2 === 0 && number > last - (INTERVALS_MAX - 1) * 2)
    }
  })

  test('that counts up costs one interval', () => {
    const numbers = new MessageNumbers('numbers')
    for (let number = 0; number < 10_000; number++) numbers.add('a', number ^ 1, 0)
    expect(written(numbers)).toBeLessThan(100)
  })
})
