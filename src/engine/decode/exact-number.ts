/**
 * Generated code for numbers of which every digit counts: 64-bit integers, and decimals as whole numbers of their last
 * digit. An exponent, more than 19 digits or more places than the scale has are left to the slow way.
 */
import { control, FunctionBuilder, i32, i64 } from './assembler.ts'

const DIGITS_MAX = 19
const ZERO = 0x30
const POINT = 0x2e
const MINUS = 0x2d
const LETTER_E = 0x65

/** (start, scale) -> (number * 10^scale, address behind it; 0 when not sure). */
export function exactNumber(): FunctionBuilder {
  const code = new FunctionBuilder({ parameters: ['i32', 'i32'], results: ['i64', 'i32'] })
  const position = code.parameter(0)
  /** Places that are still missing behind the point. */
  const scale = code.parameter(1)
  const negative = code.local('i32')
  const first = code.local('i32')
  const count = code.local('i32')
  const byte = code.local('i32')
  const value = code.local('i64')

  const next = i32.load8(position.get)
  const step = position.set(i32.add(position.get, i32.const(1)))
  const tenTimes = i64.mul(value.get, i64.const(10n))
  const digits = (each: readonly (typeof step)[number][]) =>
    control.block(
      control.loop([
        ...control.branchIf(i32.ge_u(byte.tee(i32.sub(next, i32.const(ZERO))), i32.const(10)), 1),
        ...value.set(i64.add(tenTimes, i64.extend(byte.get))),
        ...count.set(i32.add(count.get, i32.const(1))),
        ...step,
        ...each,
        ...control.branch(0),
      ]),
    )

  code.body = [
    ...control.block([
      ...negative.set(i32.eq(next, i32.const(MINUS))),
      ...position.set(i32.add(position.get, negative.get)),
      ...first.set(next),
      ...digits([]),
      ...control.branchIf(i32.eqz(count.get), 0),
      ...control.branchIf(i32.and(i32.gt_u(count.get, i32.const(1)), i32.eq(first.get, i32.const(ZERO))), 0),
      ...control.if(i32.eq(next, i32.const(POINT)), [
        ...step,
        ...first.set(position.get),
        ...digits(scale.set(i32.sub(scale.get, i32.const(1)))),
        ...control.branchIf(i32.eq(position.get, first.get), 1),
      ]),
      ...control.branchIf(i32.eq(i32.or(next, i32.const(0x20)), i32.const(LETTER_E)), 0),
      // Below zero there were more places than the scale has.
      ...control.branchIf(i32.gt_u(scale.get, i32.const(DIGITS_MAX)), 0),
      ...control.branchIf(i32.gt_u(i32.add(count.get, scale.get), i32.const(DIGITS_MAX)), 0),
      ...control.block(
        control.loop([
          ...control.branchIf(i32.eqz(scale.get), 1),
          ...value.set(tenTimes),
          ...scale.set(i32.sub(scale.get, i32.const(1))),
          ...control.branch(0),
        ]),
      ),
      // Nineteen digits fit into 64 bits without a sign.
      ...control.branchIf(i64.lt_s(value.get, i64.const(0n)), 0),
      ...control.if(negative.get, value.set(i64.sub(i64.const(0n), value.get))),
      ...control.return([...value.get, ...position.get]),
    ]),
    ...i64.const(0n),
    ...i32.const(0),
  ]
  return code
}
