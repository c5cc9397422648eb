/**
 * Generated code that reads the value of one field, checks it as the schema says and writes it into its column: one form
 * for each kind of leaf on the wire.
 */
import { isNumberUnit } from '../../plan/schema.ts'
import { type Code, control, type FunctionBuilder, f64, i32, i64, type Local } from './assembler.ts'
import { numberReader } from './emit-numbers.ts'
import { textReader } from './emit-texts.ts'
import { type Layout, STORED_FIRST } from './layout.ts'
import { CALL } from './module-functions.ts'
import type { WireLeaf } from './shape.ts'

type Integer = Extract<WireLeaf, { kind: 'int64' }>
type Decimal = Extract<WireLeaf, { kind: 'decimal' }>

/** Below it every whole number is a double. */
const DOUBLE_MAX = 2n ** 53n

/** Code that leaves the innermost block where a line is not what was expected; `row` is where values go. */
export function valueWriter(code: FunctionBuilder, layout: Layout, position: Local, row: Local) {
  const value = code.local('f64')
  const stored = code.local('i32')
  const exact = code.local('i64')
  const numbers = numberReader(code, layout, position, value)
  const texts = textReader(code, position)

  /** Moves past one of the words, or fails. */
  const word = (words: readonly string[], fail: number): Code => {
    const [candidate, ...others] = words
    if (candidate === undefined) return control.branch(fail)
    // Four bytes at once: for `false` its last four, the first beside them.
    const at = candidate.length - 4
    const bytes = [3, 2, 1, 0].reduce((sum, index) => (sum << 8) | candidate.charCodeAt(at + index), 0)
    const last = i32.eq(i32.load(position.get, at), i32.const(bytes))
    const stands = at === 0 ? last : i32.and(last, i32.eq(i32.load8(position.get), i32.const(candidate.charCodeAt(0))))
    return control.if(stands, position.set(i32.add(position.get, i32.const(candidate.length))), word(others, fail + 1))
  }

  const place = (column: number) => layout.columns[column]!
  const row8 = i32.shl(row.get, i32.const(3))
  const row4 = i32.shl(row.get, i32.const(2))
  const setValidity = (column: number, valid: number) =>
    place(column).validity === 0 ? [] : i32.store8(row.get, i32.const(valid), place(column).validity)

  const timestamp = (node: Extract<WireLeaf, { kind: 'timestamp' }>, fail: number): Code => {
    if (isNumberUnit(node.unit)) return numbers.microseconds(node.unit, fail)
    const length = i32.sub(texts.end.get, texts.start.get)
    return [
      ...texts.read(false, fail),
      ...value.set(control.call(CALL.textTime, i32.const(node.column), texts.start.get, length)),
      ...control.branchIf(f64.ne(value.get, value.get), fail),
    ]
  }

  /**
   * `null` where the field takes it, else the body, which is told how deep it stands. The column can hold nulls that the
   * field does not take: those of an object above it.
   */
  const orNull = (node: WireLeaf, body: (fail: number) => Code, writeNull: Code): Code =>
    node.nullable
      ? control.if(
          i32.eq(i32.load(position.get), i32.const(0x6c6c756e)),
          [...position.set(i32.add(position.get, i32.const(4))), ...writeNull, ...setValidity(node.column, 0)],
          [...body(1), ...setValidity(node.column, 1)],
        )
      : [...body(0), ...setValidity(node.column, 1)]

  const accepted = (node: WireLeaf, argument: Code, fail: number): Code =>
    node.accepts === null
      ? []
      : control.branchIf(i32.eqz(control.call(CALL.accepts, i32.const(node.column), argument)), fail)

  /** The number at the position into `exact`. */
  const exactNumber = (scale: number, fail: number): Code => [
    ...control.call(CALL.exactNumber, position.get, i32.const(scale)),
    ...stored.set([]),
    ...exact.set([]),
    ...control.branchIf(i32.eqz(stored.get), fail),
    ...position.set(stored.get),
  ]

  const withinPrecision = ({ precision }: Decimal, fail: number): Code => {
    const limit = 10n ** BigInt(precision)
    return [
      ...control.branchIf(i64.ge_s(exact.get, i64.const(limit)), fail),
      ...control.branchIf(i64.lt_s(exact.get, i64.const(1n - limit)), fail),
    ]
  }

  /** zod sees the nearest double of a decimal; where that takes two roundings it is not asked here. */
  const acceptedExact = (node: Decimal | Integer, fail: number): Code => {
    if (node.accepts === null) return []
    if (node.kind === 'int64') {
      return control.branchIf(i32.eqz(control.call(CALL.acceptsInteger, i32.const(node.column), exact.get)), fail)
    }
    return [
      ...control.branchIf(i64.ge_s(exact.get, i64.const(DOUBLE_MAX)), fail),
      ...control.branchIf(i64.lt_s(exact.get, i64.const(-DOUBLE_MAX)), fail),
      ...value.set(f64.div(f64.convert_i64_s(exact.get), f64.const(10 ** node.scale))),
      ...accepted(node, value.get, fail),
    ]
  }

  const leaf = (node: WireLeaf): Code => {
    switch (node.kind) {
      case 'number': {
        const { wanted, values } = place(node.column)
        const bounded = node.integer || node.minimum !== null || node.maximum !== null
        const needed = wanted || bounded || node.accepts !== null
        return orNull(
          node,
          fail => [
            ...numbers.number(needed, fail),
            ...(node.integer
              ? [
                  ...control.branchIf(f64.ne(value.get, f64.trunc(value.get)), fail),
                  ...control.branchIf(f64.gt(value.get, f64.const(Number.MAX_SAFE_INTEGER)), fail),
                  ...control.branchIf(f64.lt(value.get, f64.const(Number.MIN_SAFE_INTEGER)), fail),
                ]
              : []),
            ...(node.minimum === null
              ? []
              : control.branchIf(
                  (node.minimum.exclusive ? f64.le : f64.lt)(value.get, f64.const(node.minimum.value)),
                  fail,
                )),
            ...(node.maximum === null
              ? []
              : control.branchIf(
                  (node.maximum.exclusive ? f64.ge : f64.gt)(value.get, f64.const(node.maximum.value)),
                  fail,
                )),
            ...accepted(node, value.get, fail),
            ...(wanted ? f64.store(row8, value.get, values) : []),
          ],
          wanted ? f64.store(row8, f64.const(0), values) : [],
        )
      }
      case 'int64':
      case 'decimal': {
        const { wanted, values } = place(node.column)
        return orNull(
          node,
          fail => [
            ...exactNumber(node.kind === 'decimal' ? node.scale : 0, fail),
            ...(node.kind === 'decimal' ? withinPrecision(node, fail) : []),
            ...acceptedExact(node, fail),
            ...(wanted ? i64.store(row8, exact.get, values) : []),
          ],
          wanted ? i64.store(row8, i64.const(0n), values) : [],
        )
      }
      case 'timestamp': {
        const { wanted, values } = place(node.column)
        return orNull(
          node,
          fail => [
            ...timestamp(node, fail),
            ...accepted(node, value.get, fail),
            ...(wanted ? f64.store(row8, value.get, values) : []),
          ],
          wanted ? f64.store(row8, f64.const(0), values) : [],
        )
      }
      case 'text': {
        const { wanted, values, table } = place(node.column)
        const looked = wanted || node.accepts !== null
        return orNull(
          node,
          fail => [
            ...texts.read(looked, fail),
            ...(looked
              ? [
                  ...stored.set(
                    control.call(
                      CALL.findText,
                      texts.start.get,
                      i32.sub(texts.end.get, texts.start.get),
                      i32.const(table),
                      i32.const(node.column),
                    ),
                  ),
                  ...control.branchIf(i32.lt_u(stored.get, i32.const(STORED_FIRST)), fail),
                ]
              : []),
            ...(wanted ? i32.store(row4, i32.sub(stored.get, i32.const(STORED_FIRST)), values) : []),
          ],
          wanted ? i32.store(row4, i32.const(-1), values) : [],
        )
      }
      case 'boolean': {
        const { wanted, values } = place(node.column)
        return orNull(
          node,
          fail => [
            ...stored.set(i32.eq(i32.load8(position.get), i32.const(0x74))),
            ...word(['true', 'false'], fail),
            ...accepted(node, f64.convert_i32_u(stored.get), fail),
            ...(wanted ? i32.store8(row.get, stored.get, values) : []),
          ],
          wanted ? i32.store8(row.get, i32.const(0), values) : [],
        )
      }
    }
  }

  return {
    value: leaf,
    absent(column: number): Code {
      const { wanted, values, validity } = place(column)
      if (!wanted) return []
      // Only text has its null in the value itself (code -1).
      return validity === 0 ? i32.store(row4, i32.const(-1), values) : setValidity(column, 0)
    },
    extra(type: 'number' | 'text' | 'word'): Code {
      return type === 'number'
        ? numbers.number(false, 0)
        : type === 'text'
          ? texts.read(false, 0)
          : word(['true', 'false', 'null'], 0)
    },
  }
}
