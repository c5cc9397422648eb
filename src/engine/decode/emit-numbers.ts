/**
 * Generated code for numbers and for times written as numbers: sixteen digits at once, exact as `JSON.parse` is. Numbers
 * with more digits or an exponent go on in long-number.ts.
 */
import type { NumberUnit } from '../../plan/schema.ts'
import { type Code, control, FunctionBuilder, f64, i32, type Local, splat, v128 } from './assembler.ts'
import type { Layout } from './layout.ts'
import { CALL } from './module-functions.ts'

const POINT = 0x2e
const ZERO = 0x30
const TIME_MAX_US = 9e15

/** Microseconds in one of the unit; `ns` is cut instead. */
const UNIT_US = { s: 1e6, ms: 1e3, us: 1 } as const

/** (position) -> address of the first byte that cannot belong to a number. */
export function numberEnd(): FunctionBuilder {
  const code = new FunctionBuilder({ parameters: ['i32'], results: ['i32'] })
  const position = code.parameter(0)
  const byte = code.local('i32')
  const is = (character: number) => i32.eq(byte.get, i32.const(character))
  code.body = [
    ...control.loop([
      ...byte.set(i32.load8(position.get)),
      ...control.if(
        i32.or(
          i32.lt_u(i32.sub(byte.get, i32.const(ZERO)), i32.const(10)),
          i32.or(
            i32.or(is(0x2d), is(0x2b)),
            i32.or(is(POINT), i32.eq(i32.or(byte.get, i32.const(0x20)), i32.const(0x65))),
          ),
        ),
        [...position.set(i32.add(position.get, i32.const(1))), ...control.branch(1)],
      ),
    ]),
    ...position.get,
  ]
  return code
}

/** Reads numbers at the position into `value`, inside a function that is being written. */
export function numberReader(code: FunctionBuilder, layout: Layout, position: Local, value: Local) {
  const cursor = code.local('i32')
  const negative = code.local('i32')
  const digits = code.local('v128')
  const digitMask = code.local('i32')
  const whole = code.local('i32')
  const fraction = code.local('i32')
  const pairs = code.local('v128')

  /** Trailing count of one bits, at most 16: how many digits stand in a row. */
  const run = (bits: Code) => i32.ctz(i32.xor(bits, i32.const(-1)))

  const loadDigits = (address: Code) => [
    ...digits.set(v128.sub_i8(v128.load(address), splat(ZERO))),
    ...digitMask.set(v128.bitmask_i8(v128.lt_u_i8(digits.get, splat(10)))),
  ]

  /** The value of the digits that row [wholeCount * 16 + fractionCount] of the shuffles brings together; exact below 2^53. */
  const digitsValue = (wholeCount: Code, fractionCount: Code): Code => [
    ...pairs.set(
      v128.swizzle(
        digits.get,
        v128.load(i32.shl(i32.add(i32.shl(wholeCount, i32.const(4)), fractionCount), i32.const(4)), layout.shuffles),
      ),
    ),
    // Pairs of digits, then fours, then eights: 16 lanes of 1 -> 8 of 2 -> 4 of 4 -> 2 of 8 digits.
    ...pairs.set(
      v128.dot_i16(
        v128.add_i16(
          v128.mul_i16(v128.and(pairs.get, lanes16([0xff])), lanes16([10])),
          v128.shr_u_i16(pairs.get, i32.const(8)),
        ),
        lanes16([100, 1]),
      ),
    ),
    ...pairs.set(v128.dot_i16(v128.narrow_i32_u(pairs.get, pairs.get), lanes16([10000, 1]))),
    ...f64.add(
      f64.mul(f64.convert_i32_u(v128.extract_i32(pairs.get, 0)), f64.const(1e8)),
      f64.convert_i32_u(v128.extract_i32(pairs.get, 1)),
    ),
  ]

  /** A leading zero before another digit, or no digit at all, is not a JSON number. */
  const checkWhole = (fail: number) => [
    ...control.branchIf(i32.eqz(whole.get), fail),
    ...control.branchIf(
      i32.and(i32.gt_u(whole.get, i32.const(1)), i32.eq(i32.load8(cursor.get), i32.const(ZERO))),
      fail,
    ),
  ]

  /**
   * Any JSON number at the position, into `value` when it is needed. Numbers of up to 15 digits within 16 bytes are exact
   * as digits / 10^k (both exact doubles, one rounding: Clinger, 'How to read floating point numbers accurately').
   */
  const number = (needed: boolean, fail: number): Code => [
    ...negative.set(i32.eq(i32.load8(position.get), i32.const(0x2d))),
    ...cursor.set(i32.add(position.get, negative.get)),
    ...loadDigits(cursor.get),
    ...whole.set(run(digitMask.get)),
    ...checkWhole(fail),
    ...control.block([
      ...control.block([
        ...control.if(
          i32.eq(i32.load8(i32.add(cursor.get, whole.get)), i32.const(POINT)),
          [
            ...fraction.set(run(i32.shr_u(digitMask.get, i32.add(whole.get, i32.const(1))))),
            ...control.branchIf(i32.gt_u(i32.add(whole.get, fraction.get), i32.const(14)), 1),
            ...control.branchIf(i32.eqz(fraction.get), fail + 3),
            ...(needed
              ? value.set(
                  f64.div(
                    digitsValue(whole.get, fraction.get),
                    f64.load(i32.shl(fraction.get, i32.const(3)), layout.powers),
                  ),
                )
              : []),
            ...position.set(i32.add(i32.add(i32.add(cursor.get, whole.get), fraction.get), i32.const(1))),
          ],
          [
            ...control.branchIf(i32.gt_u(whole.get, i32.const(15)), 1),
            ...(needed ? value.set(digitsValue(whole.get, i32.const(0))) : []),
            ...position.set(i32.add(cursor.get, whole.get)),
          ],
        ),
        ...control.branchIf(i32.eq(i32.or(i32.load8(position.get), i32.const(0x20)), i32.const(0x65)), 0),
        // A negative zero must stay one, as in JSON.parse.
        ...(needed ? value.set(control.select(f64.neg(value.get), value.get, negative.get)) : []),
        ...control.branch(1),
      ]),
      // Long digits or an exponent.
      ...position.set(control.call(CALL.longNumber, i32.sub(cursor.get, negative.get))),
      ...value.set([]),
      ...control.branchIf(f64.ne(value.get, value.get), fail + 1),
    ]),
  ]

  /** A time in microseconds: digits only, from the epoch on, no point. */
  const microseconds = (unit: NumberUnit, fail: number): Code => {
    const common = [...cursor.set(position.get), ...loadDigits(cursor.get), ...whole.set(run(digitMask.get))]
    if (unit === 'ns') {
      return [
        ...common,
        ...checkWhole(fail),
        ...control.if(i32.eq(whole.get, i32.const(16)), [
          ...whole.set(
            i32.add(
              i32.const(16),
              run(
                v128.bitmask_i8(
                  v128.lt_u_i8(v128.sub_i8(v128.load(i32.add(cursor.get, i32.const(16))), splat(ZERO)), splat(10)),
                ),
              ),
            ),
          ),
        ]),
        // Whole microseconds are all digits but the last three: cut, never rounded.
        ...control.branchIf(i32.lt_u(whole.get, i32.const(4)), fail),
        ...control.branchIf(i32.gt_u(whole.get, i32.const(19)), fail),
        ...value.set(digitsValue(i32.sub(whole.get, i32.const(3)), i32.const(0))),
        ...control.branchIf(f64.gt(value.get, f64.const(TIME_MAX_US)), fail),
        ...position.set(i32.add(cursor.get, whole.get)),
      ]
    }
    return [
      ...common,
      ...checkWhole(fail),
      ...control.branchIf(i32.gt_u(whole.get, i32.const(15)), fail),
      ...value.set(f64.mul(digitsValue(whole.get, i32.const(0)), f64.const(UNIT_US[unit]))),
      ...control.branchIf(f64.gt(value.get, f64.const(TIME_MAX_US)), fail),
      ...position.set(i32.add(cursor.get, whole.get)),
    ]
  }

  return { number, microseconds }
}

/** 16-bit lanes that repeat the given values. */
function lanes16(values: readonly number[]): Code {
  return v128.const(new Uint8Array(Int16Array.from({ length: 8 }, (_, lane) => values[lane % values.length]!).buffer))
}
