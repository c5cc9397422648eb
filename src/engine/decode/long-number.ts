/**
 * Generated code for numbers that are too long for the short way: 15 digits and more, or an exponent.
 *
 * A number is w * 10^q with w below 2^64. Where w and 10^|q| are exact doubles, one operation rounds once (Clinger, 'How
 * to read floating point numbers accurately', 1990). Else w is multiplied with the first 64 bits of 5^q, and the upper
 * half of the product says which double is nearest (Daniel Lemire, 'Number parsing at a gigabyte per second', 2021: the
 * algorithm of Eisel and Lemire). The bits cut off 5^q can add at most one to the upper half; where that could reach the
 * bits that decide, about once in 500 numbers, JavaScript's own reader decides instead of Lemire's second product.
 */
import { type Code, control, FunctionBuilder, f64, i32, i64 } from './assembler.ts'
import type { Layout } from './layout.ts'

/** The table of powers of five reaches from minus this to this; senders' numbers lie far within. */
export const POWER_MAX = 64
const EXACT_POWER_MAX = 22
const DIGITS_MAX = 19
const EXPONENT_DIGITS_MAX = 4

/** Position of the first bit of 10^q: floor(q * log2(10)), right for |q| below 500. */
const LOG2_10 = 217706
const EXPONENT_BIAS = 1023
const MANTISSA_BITS = 52
/** Bits of the product below those that decide: 64 less the mantissa, its hidden bit, a rounding bit and one to spare. */
const SPARE_BITS = 9
const SPARE_MASK = (1n << BigInt(SPARE_BITS)) - 1n
/**
 * Exactly half way between two doubles lie only numbers with q up to here, where the product is exact; those with q < 0
 * come out a little too small and so end in ones, which sends them to JavaScript.
 */
const HALF_WAY_POWER_MAX = 23

const ZERO = 0x30
const POINT = 0x2e
const MINUS = 0x2d
const PLUS = 0x2b
const LETTER_E = 0x65

let powersOfFive: BigUint64Array | null = null

/** The first 64 bits of 5^q, cut, for q from -POWER_MAX on. */
function powers(): BigUint64Array {
  if (powersOfFive !== null) return powersOfFive
  powersOfFive = new BigUint64Array(2 * POWER_MAX + 1)
  let power = 1n
  for (let q = 0; q <= POWER_MAX; q++, power *= 5n) {
    const bits = BigInt(power.toString(2).length)
    powersOfFive[POWER_MAX + q] = bits <= 64n ? power << (64n - bits) : power >> (bits - 64n)
    if (q > 0) powersOfFive[POWER_MAX - q] = (1n << (bits + 63n)) / power
  }
  return powersOfFive
}

export const POWERS_OF_FIVE_BYTES = (2 * POWER_MAX + 1) * 8

export function writePowersOfFive(memory: ArrayBuffer, address: number): void {
  new BigUint64Array(memory, address, powers().length).set(powers())
}

/**
 * (start) -> (value, address behind the number); the value is NaN when no JSON number stands there or it is not finite.
 *
 * `numberEnd` and `readElsewhere` are the functions (start) -> end and (start, end) -> value for what is not decided here.
 */
export function longNumber(layout: Layout, numberEnd: number, readElsewhere: number): FunctionBuilder {
  const code = new FunctionBuilder({ parameters: ['i32'], results: ['f64', 'i32'] })
  const start = code.parameter(0)
  const position = code.local('i32')
  const negative = code.local('i32')
  const digitsStart = code.local('i32')
  const count = code.local('i32')
  const power = code.local('i32')
  const exponent = code.local('i32')
  const byte = code.local('i32')
  const mark = code.local('i32')
  const w = code.local('i64')
  const word = code.local('i64')
  const high = code.local('i64')
  const low = code.local('i64')
  const mantissa = code.local('i64')
  const shift = code.local('i64')
  const value = code.local('f64')

  const step = (bytes: number) => position.set(i32.add(position.get, i32.const(bytes)))
  const next = i32.load8(position.get)
  const wide = (byte: number) => i64.const(BigInt(`0x${byte.toString(16).padStart(2, '0').repeat(8)}`))
  const finish = (result: Code) => [
    ...value.set(result),
    ...control.return([...control.select(f64.neg(value.get), value.get, negative.get), ...position.get]),
  ]

  /** All digits at the position into w, which may overflow; eight at once, by pairs, fours and eights. */
  const digits: Code = [
    ...control.block(
      control.loop([
        ...word.set(i64.load(position.get)),
        ...control.branchIf(
          i64.ne(
            i64.or(
              i64.and(word.get, wide(0xf0)),
              i64.shr_u(i64.and(i64.add(word.get, wide(0x06)), wide(0xf0)), i64.const(4n)),
            ),
            wide(0x33),
          ),
          1,
        ),
        ...word.set(i64.and(word.get, wide(0x0f))),
        ...word.set(i64.add(i64.mul(word.get, i64.const(10n)), i64.shr_u(word.get, i64.const(8n)))),
        ...word.set(
          i64.shr_u(
            i64.add(
              i64.mul(i64.and(word.get, i64.const(0xff000000ffn)), i64.const(100n + (1_000_000n << 32n))),
              i64.mul(
                i64.and(i64.shr_u(word.get, i64.const(16n)), i64.const(0xff000000ffn)),
                i64.const(1n + (10_000n << 32n)),
              ),
            ),
            i64.const(32n),
          ),
        ),
        ...w.set(i64.add(i64.mul(w.get, i64.const(100_000_000n)), word.get)),
        ...step(8),
        ...control.branch(0),
      ]),
    ),
    ...control.block(
      control.loop([
        ...control.branchIf(i32.ge_u(byte.tee(i32.sub(next, i32.const(ZERO))), i32.const(10)), 1),
        ...w.set(i64.add(i64.mul(w.get, i64.const(10n)), i64.extend(byte.get))),
        ...step(1),
        ...control.branch(0),
      ]),
    ),
  ]

  // Inside two blocks: leaving the inner one means 'no number', the outer one 'elsewhere'.
  const NO_NUMBER = 0
  const ELSEWHERE = 1

  const whole: Code = [
    ...negative.set(i32.eq(i32.load8(start.get), i32.const(MINUS))),
    ...digitsStart.set(i32.add(start.get, negative.get)),
    ...position.set(digitsStart.get),
    ...digits,
    ...count.set(i32.sub(position.get, digitsStart.get)),
    ...control.branchIf(i32.eqz(count.get), NO_NUMBER),
    ...control.branchIf(
      i32.and(i32.gt_u(count.get, i32.const(1)), i32.eq(i32.load8(digitsStart.get), i32.const(ZERO))),
      NO_NUMBER,
    ),
    ...control.branchIf(i32.gt_u(count.get, i32.const(DIGITS_MAX)), ELSEWHERE),
  ]

  const fraction: Code = control.if(i32.eq(next, i32.const(POINT)), [
    ...step(1),
    ...digitsStart.set(position.get),
    // Zeros before the first digit that counts do not count.
    ...control.if(i64.eqz(w.get), [
      ...count.set(i32.const(0)),
      ...control.loop(control.if(i32.eq(next, i32.const(ZERO)), [...step(1), ...control.branch(1)])),
    ]),
    ...mark.set(position.get),
    ...digits,
    ...count.set(i32.add(count.get, i32.sub(position.get, mark.get))),
    ...power.set(i32.sub(digitsStart.get, position.get)),
    ...control.branchIf(i32.eqz(power.get), NO_NUMBER + 1),
    ...control.branchIf(i32.gt_u(count.get, i32.const(DIGITS_MAX)), ELSEWHERE + 1),
  ])

  const exponentPart: Code = control.if(i32.eq(i32.or(next, i32.const(0x20)), i32.const(LETTER_E)), [
    ...step(1),
    ...byte.set(next),
    ...mark.set(i32.eq(byte.get, i32.const(MINUS))),
    ...position.set(i32.add(position.get, i32.or(mark.get, i32.eq(byte.get, i32.const(PLUS))))),
    ...digitsStart.set(position.get),
    ...control.block(
      control.loop([
        ...control.branchIf(i32.ge_u(byte.tee(i32.sub(next, i32.const(ZERO))), i32.const(10)), 1),
        ...exponent.set(i32.add(i32.mul(exponent.get, i32.const(10)), byte.get)),
        ...step(1),
        ...control.branch(0),
      ]),
    ),
    ...count.set(i32.sub(position.get, digitsStart.get)),
    ...control.branchIf(i32.eqz(count.get), NO_NUMBER + 1),
    ...control.branchIf(i32.gt_u(count.get, i32.const(EXPONENT_DIGITS_MAX)), ELSEWHERE + 1),
    ...power.set(i32.add(power.get, control.select(i32.sub(i32.const(0), exponent.get), exponent.get, mark.get))),
  ])

  const exactPower = (q: Code) => f64.load(i32.shl(q, i32.const(3)), layout.powers)
  const beyond = (maximum: number) => i32.gt_u(i32.add(power.get, i32.const(maximum)), i32.const(2 * maximum))
  const clinger: Code = control.if(
    i32.and(i64.eqz(i64.shr_u(w.get, i64.const(53n))), i32.eqz(beyond(EXACT_POWER_MAX))),
    control.if(
      i32.shr_u(power.get, i32.const(31)),
      finish(f64.div(f64.convert_i64_u(w.get), exactPower(i32.sub(i32.const(0), power.get)))),
      finish(f64.mul(f64.convert_i64_u(w.get), exactPower(power.get))),
    ),
  )

  const five = i64.load(i32.add(i32.shl(power.get, i32.const(3)), i32.const(layout.powersOfFive + POWER_MAX * 8)))
  const lowBits = (bits: Code) => i64.and(bits, i64.const(0xffffffffn))
  const upper = (bits: Code) => i64.shr_u(bits, i64.const(32n))
  /** The upper half of w * word, by four products of halves. */
  const multiplyHigh: Code = [
    ...mantissa.set(i64.mul(lowBits(w.get), upper(word.get))),
    ...shift.set(
      i64.add(
        i64.add(upper(i64.mul(lowBits(w.get), lowBits(word.get))), lowBits(mantissa.get)),
        i64.mul(upper(w.get), lowBits(word.get)),
      ),
    ),
    ...high.set(i64.add(i64.add(i64.mul(upper(w.get), upper(word.get)), upper(mantissa.get)), upper(shift.get))),
  ]

  const eiselLemire: Code = [
    ...exponent.set(i32.wrap(i64.clz(w.get))),
    ...w.set(i64.shl(w.get, i64.extend(exponent.get))),
    ...word.set(five),
    ...low.set(i64.mul(w.get, word.get)),
    ...multiplyHigh,
    ...control.branchIf(i64.eqz(i64.xor(i64.and(high.get, i64.const(SPARE_MASK)), i64.const(SPARE_MASK))), ELSEWHERE),
    ...word.set(i64.shr_u(high.get, i64.const(63n))),
    ...shift.set(i64.add(word.get, i64.const(BigInt(SPARE_BITS)))),
    ...mantissa.set(i64.shr_u(high.get, shift.get)),
    // floor(q * log2(10)) and the rest make the exponent of the double, as it is written into it.
    ...exponent.set(
      i32.add(
        i32.add(
          i32.shr_s(i32.mul(power.get, i32.const(LOG2_10)), i32.const(16)),
          i32.sub(i32.wrap(word.get), exponent.get),
        ),
        i32.const(63 + EXPONENT_BIAS),
      ),
    ),
    // Half way between two doubles, exactly: to the even one.
    ...control.if(
      i32.and(
        i32.and(i64.eqz(low.get), i32.lt_u(power.get, i32.const(HALF_WAY_POWER_MAX + 1))),
        i32.and(
          i64.eqz(i64.xor(i64.and(mantissa.get, i64.const(3n)), i64.const(1n))),
          i64.eqz(i64.xor(i64.shl(mantissa.get, shift.get), high.get)),
        ),
      ),
      mantissa.set(i64.and(mantissa.get, i64.const(-2n))),
    ),
    ...mantissa.set(i64.shr_u(i64.add(mantissa.get, i64.and(mantissa.get, i64.const(1n))), i64.const(1n))),
    // Rounding up to the next power of two leaves a mantissa of zero and, by addition, the exponent one higher.
    ...mantissa.set(
      i64.add(mantissa.get, i64.shl(i64.extend(i32.sub(exponent.get, i32.const(1))), i64.const(BigInt(MANTISSA_BITS)))),
    ),
    ...finish(f64.reinterpret_i64(mantissa.get)),
  ]

  code.body = [
    ...control.block([
      ...control.block([
        ...whole,
        ...fraction,
        ...exponentPart,
        ...control.if(i64.eqz(w.get), finish(f64.const(0))),
        ...clinger,
        ...control.branchIf(beyond(POWER_MAX), ELSEWHERE),
        ...eiselLemire,
      ]),
      ...control.return([...f64.const(Number.NaN), ...position.get]),
    ]),
    ...position.set(control.call(numberEnd, start.get)),
    ...control.call(readElsewhere, start.get, position.get),
    ...position.get,
  ]
  return code
}
