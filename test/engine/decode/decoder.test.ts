import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readSchema } from '../../../src/plan/zod.ts'
import { type Random, seededRandom } from '../../../src/system/random.ts'
import { decodeInLoads, decodePlainly, decoderOf, difference } from './plain.ts'
import { mutated, pick, randomSchema, randomSender, type Sender } from './random-lines.ts'

/** A case shrinks to the fewest lines; each line is a function of its seed. */
const oneCase = fc.record({
  schema: fc.nat(),
  lines: fc.array(fc.nat(), { minLength: 1, maxLength: 40 }),
  faults: fc.boolean(),
  last: fc.boolean(),
})

function inputOf(random: Random, senders: readonly Sender[], lines: readonly number[], faults: boolean) {
  const feed = pick(random, ['\n', '\n', '\n', '\r\n'])
  return lines.map(seed => {
    const draws = seededRandom(seed)
    const values = { ...draws, isTame: draws.next() < 0.75 }
    const line = Buffer.from(pick(values, senders)(values))
    const arrived = faults && values.next() < 0.25 ? mutated(values, line) : line
    if (faults && values.next() < 0.03) return Buffer.from(pick(values, ['\n', ' \r\n', '\t\n']))
    return Buffer.concat([arrived, Buffer.from(faults && values.next() < 0.02 ? '' : feed)])
  })
}

const lineEnds = (input: Uint8Array) => [...input.keys()].filter(index => input[index] === 10).map(index => index + 1)

test('rows, refusals and their order are those of JSON and zod, however the input is cut', () => {
  let lines = 0
  let slowLines = 0
  fc.assert(
    fc.property(oneCase, ({ schema: seed, lines: seeds, faults, last }) => {
      const random = seededRandom(seed)
      const form = randomSchema(random)
      const senders = Array.from({ length: 1 + random.integer(3) }, () => randomSender(random, form))
      const whole = Buffer.concat(inputOf(random, senders, seeds, faults))
      const input = last && whole.at(-1) === 10 ? whole.subarray(0, -1) : whole
      const expected = decodePlainly(form.schema, input)

      const all = decoderOf(form.schema, null, input.length + 9)
      expect(difference(decodeInLoads(all.decoder, input, []), expected)).toBeNull()
      lines += expected.lines
      slowLines += all.slowLines()

      const cuts = lineEnds(input).filter(end => end < input.length && random.next() < 0.3)
      // The same decoder once more: what it has learned changes nothing.
      expect(difference(decodeInLoads(all.decoder, input, cuts, random.integer(10)), expected)).toBeNull()

      const names = readSchema(form.schema).columns.map(column => column.name)
      const wanted = new Set(names.filter(() => random.next() < 0.5))
      const some = decoderOf(form.schema, wanted, input.length + 1)
      const part = decodeInLoads(some.decoder, input, cuts)
      expect(difference(part, expected)).toBeNull()
      const seen = names.map(name => wanted.has(name))
      expect(part.rows.every(row => row.cells.every((cell, index) => (cell !== undefined) === seen[index]))).toBe(true)
    }),
    { numRuns: 1000 },
  )
  // Were nearly all lines slow, the law would say nothing of generated code.
  expect(slowLines / lines).toBeLessThan(0.7)
}, 60_000)
