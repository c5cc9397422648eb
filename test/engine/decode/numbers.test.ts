import { expect, test } from 'vitest'
import { z } from 'zod'
import { POWER_MAX, POWERS_OF_FIVE_BYTES, writePowersOfFive } from '../../../src/engine/decode/long-number.ts'
import { type Random, seededRandom } from '../../../src/system/random.ts'
import { decodeInLoads, decodePlainly, decoderOf, difference } from './plain.ts'
import { pick } from './random-lines.ts'

const SEED = 20261122

const digits = (random: Random, count: number) =>
  Array.from({ length: count }, (_, index) => (index === 0 ? 1 + random.integer(9) : random.integer(10))).join('')
const big = (random: Random, bits: number) =>
  (1n << BigInt(bits)) + BigInt(random.integer(2 ** 30)) * BigInt(random.integer(2 ** (bits - 30)))
const bits = new DataView(new ArrayBuffer(8))

/** Each kind of long number; the middle ones lie half way between two doubles, or beside it. */
const KINDS: Readonly<Record<string, (random: Random) => string>> = {
  'doubles of one magnitude': random => String(random.next()),
  'doubles of many magnitudes': random => String(random.next() * 10 ** (random.integer(60) - 30)),
  'any double': random => {
    bits.setUint32(0, random.integer(2 ** 32))
    bits.setUint32(4, random.integer(2 ** 32))
    const value = bits.getFloat64(0)
    return Number.isFinite(value) ? String(Math.abs(value)) : '1'
  },
  'digits and an exponent': random => `${digits(random, 1 + random.integer(19))}e${random.integer(140) - 70}`,
  'digits on both sides': random =>
    `${digits(random, 1 + random.integer(17))}.${digits(random, 1 + random.integer(17))}`,
  'point and exponent': random =>
    `${digits(random, 1 + random.integer(10))}.${'0'.repeat(random.integer(6))}${digits(random, 6)}E${random.integer(40) - 20}`,
  'half way, whole': random => String(big(random, 53) * 2n + 1n),
  'half way and a half': random => `${big(random, 52)}.5`,
  'half way and quarters': random => `${big(random, 51)}.${pick(random, ['25', '75', '250', '750', '125', '375'])}`,
  'half way with an exponent': random => {
    const half = String(big(random, 53) * 2n + 1n)
    return `${half.slice(0, 1)}.${half.slice(1)}e${half.length - 1}`
  },
  'beside half way, nineteen digits': random => {
    // (2m + 1) * 2^e in decimal, cut to what a sender would write: as near to the middle as it gets.
    const e = random.integer(240) - 120
    const half = big(random, 53) * 2n + 1n
    const [text, exponent] = e >= 0 ? [String(half << BigInt(e)), 0] : [String(half * 5n ** BigInt(-e)), e]
    const kept = 17 + random.integer(3)
    return `${BigInt(text.slice(0, kept)) + BigInt(random.integer(3))}e${text.length - kept + exponent}`
  },
  'about 2^53': random =>
    `${9007199254740985n + BigInt(random.integer(20))}${pick(random, ['', '.0', '.5', '.50', 'e1', 'e22', 'e-1', '.00000000001'])}`,
  'small with many zeros': random => `0.${'0'.repeat(random.integer(25))}${digits(random, 1 + random.integer(19))}`,
}

const schema = z.object({ v: z.number() })

test.each(Object.keys(KINDS))(`%s: the double that JSON.parse gives (seed ${SEED})`, kind => {
  const random = seededRandom(SEED)
  const texts = Array.from({ length: 3000 }, () => `${random.next() < 0.3 ? '-' : ''}${KINDS[kind]!(random)}`)
  const input = Buffer.from(texts.map(text => `{"v":${text}}\n`).join(''))
  const { decoder, slowLines } = decoderOf(schema, null, input.length)
  const decoded = decodeInLoads(decoder, input, [])
  expect(decoded.rows.length).toBe(texts.length)
  const wrong = texts.filter((text, index) => !Object.is(decoded.rows[index]!.cells[0], Number(text)))
  expect(wrong).toEqual([])
  expect(slowLines()).toBe(0)
})

test('what looks like a number and is none, and numbers without an end', () => {
  const texts = [
    ...['-', '01', '-01', '00', '1.', '1.e5', '.5', '1e', '1e+', '1e-', '1E', '1ee5', '1.5.5', '1e5.5', '1e5e5', '+1'],
    ...[
      '1-2',
      '0x1',
      '1_000',
      '0123456789012345678',
      '1234567890123456.',
      '12345678901234567890123.',
      '1e999',
      '-1e999',
    ],
    ...[
      '1e99999',
      '1e-99999',
      '1e400',
      '-0',
      '-0.0',
      '0e0',
      '-0e-5',
      '0.0000000000000000000000',
      '0e99999',
      '0e999999',
    ],
    ...['1e308', '1.7976931348623157e308', '1.7976931348623159e308', '4.9e-324', '2.4e-324', '2.2250738585072011e-308'],
    ...[
      '9'.repeat(400),
      `0.${'0'.repeat(400)}1`,
      `1${'0'.repeat(308)}`,
      `1${'0'.repeat(309)}`,
      `${'1'.repeat(800)}e-799`,
    ],
    ...['18446744073709551615', '18446744073709551616', '10000000000000000000', '9999999999999999999', '1'.repeat(30)],
  ]
  const input = Buffer.from([...texts, ...texts].map(text => `{"v":${text}}\n`).join('{"v":0}\n'))
  const { decoder } = decoderOf(schema, null, input.length)
  expect(difference(decodeInLoads(decoder, input, []), decodePlainly(schema, input))).toBeNull()
})

test('the powers of five are their first 64 bits, cut', () => {
  const memory = new ArrayBuffer(POWERS_OF_FIVE_BYTES)
  writePowersOfFive(memory, 0)
  const table = new BigUint64Array(memory)
  for (let q = -POWER_MAX; q <= POWER_MAX; q++) {
    const found = table[POWER_MAX + q]!
    expect(found >> 63n).toBe(1n)
    // found <= 5^q * 2^shift < found + 1 for a whole shift, both sides made whole.
    const power = 5n ** BigInt(Math.abs(q))
    const fits = Array.from({ length: 500 }, (_, index) => BigInt(index - 250)).some(shift => {
      const numerator = (q >= 0 ? power : 1n) << (shift > 0n ? shift : 0n)
      const denominator = (q >= 0 ? 1n : power) << (shift < 0n ? -shift : 0n)
      return found * denominator <= numerator && numerator < (found + 1n) * denominator
    })
    expect(fits).toBe(true)
  }
})
