/**
 * Generated code for one shape of line: WebAssembly that walks over lines and writes columns.
 *
 * The plain form, which the tests hold against it, is `JSON.parse` of each line followed by zod (src/plan/slow.ts). The
 * generated function may stop at any line ('not sure') and does so at the first byte that differs from the shape; it
 * never accepts what the plain form would refuse, nor gives another value.
 *
 * `decode(position, end, row) -> position`: decodes lines from `position` into rows from `row` on, until `end`, until the
 * rows are full, or until a line of which it is not sure, whose start it returns. The row count is left in memory.
 */
import {
  assembleModule,
  type Code,
  control,
  FunctionBuilder,
  f64,
  type ImportedFunction,
  i32,
  i64,
  type Local,
  splat,
  v128,
} from './assembler.ts'
import { ENTRY, ENTRY_BYTES, type Layout, ROWS_MAX, STORED_FIRST } from './layout.ts'
import { longNumber } from './long-number.ts'
import type { Shape, WireLeaf } from './shape.ts'

/** What generated code calls when it meets something rare. */
export interface DecoderImports {
  /** A text that the table does not hold yet: adds it, answers its stored code. */
  newText(column: number, start: number, length: number, hash: number): number
  /** A number that generated code does not decide: its value, NaN when it is not a JSON number or not finite. */
  numberElsewhere(start: number, end: number): number
  /** An ISO 8601 time in microseconds, NaN when not sure. */
  isoTime(start: number, length: number): number
  /** 1 when the schema passes the value of a column that it refines in ways of its own. */
  accepts(column: number, value: number): number
}

const IMPORTS: readonly ImportedFunction[] = [
  { name: 'newText', type: { parameters: ['i32', 'i32', 'i32', 'i32'], results: ['i32'] } },
  { name: 'numberElsewhere', type: { parameters: ['i32', 'i32'], results: ['f64'] } },
  { name: 'isoTime', type: { parameters: ['i32', 'i32'], results: ['f64'] } },
  { name: 'accepts', type: { parameters: ['i32', 'f64'], results: ['i32'] } },
]
const NEW_TEXT = 0
const NUMBER_ELSEWHERE = 1
const ISO_TIME = 2
const ACCEPTS = 3
const FIND_TEXT = 4
const TEXT_END = 5
const NUMBER_END = 6
const LONG_NUMBER = 7

const QUOTE = 0x22
const BACKSLASH = 0x5c
const POINT = 0x2e
const ZERO = 0x30
const TIME_MAX_US = 9e15

/** Microseconds in one of the unit; `ns` is cut instead. */
const UNIT_US = { s: 1e6, ms: 1e3, us: 1 } as const

export function emitShape(shape: Shape, layout: Layout): Uint8Array<ArrayBuffer> {
  return assembleModule(IMPORTS, [
    { name: 'findText', builder: findText() },
    { name: 'textEnd', builder: textEnd() },
    { name: 'numberEnd', builder: numberEnd() },
    { name: 'longNumber', builder: longNumber(layout, NUMBER_END, NUMBER_ELSEWHERE) },
    { name: 'decode', builder: decode(shape, layout) },
  ])
}

/** (start, length, table header, column) -> stored code. Texts up to 16 bytes are held whole in their entry. */
function findText(): FunctionBuilder {
  const code = new FunctionBuilder({ parameters: ['i32', 'i32', 'i32', 'i32'], results: ['i32'] })
  const [start, length, header, column] = [0, 1, 2, 3].map(index => code.parameter(index)) as [
    Local,
    Local,
    Local,
    Local,
  ]
  const first = code.local('i64')
  const last = code.local('i64')
  const mixed = code.local('i64')
  const hash = code.local('i32')
  const entry = code.local('i32')
  const index = code.local('i32')
  const base = code.local('i32')
  const mask = code.local('i32')
  const offset = code.local('i32')
  const address = code.local('i32')
  const mix = (value: Code) => i64.mul(i64.xor(mixed.get, value), i64.const(0x9e3779b97f4a7c15n))
  code.body = [
    ...control.if(
      i32.lt_u(length.get, i32.const(8)),
      [
        ...first.set(
          i64.and(
            i64.load(start.get),
            i64.add(i64.shl(i64.const(1n), i64.extend(i32.shl(length.get, i32.const(3)))), i64.const(-1n)),
          ),
        ),
        ...last.set(i64.const(0n)),
      ],
      [...first.set(i64.load(start.get)), ...last.set(i64.load(i32.sub(i32.add(start.get, length.get), i32.const(8))))],
    ),
    ...mixed.set(i64.mul(first.get, i64.const(0xff51afd7ed558ccdn))),
    ...mixed.set(i64.rotl(i64.xor(mixed.get, i64.extend(length.get)), i64.const(31n))),
    ...mixed.set(mix(last.get)),
    ...control.if(i32.gt_u(length.get, i32.const(16)), [
      ...offset.set(i32.const(8)),
      ...control.block(
        control.loop([
          ...control.branchIf(i32.ge_u(i32.add(offset.get, i32.const(8)), length.get), 1),
          ...mixed.set(i64.rotl(mix(i64.load(i32.add(start.get, offset.get))), i64.const(29n))),
          ...offset.set(i32.add(offset.get, i32.const(8))),
          ...control.branch(0),
        ]),
      ),
    ]),
    ...mixed.set(i64.mul(i64.xor(mixed.get, i64.shr_u(mixed.get, i64.const(29n))), i64.const(0xc4ceb9fe1a85ec53n))),
    ...hash.set(i32.wrap(i64.shr_u(mixed.get, i64.const(32n)))),
    ...base.set(i32.load(header.get)),
    ...mask.set(i32.load(header.get, 4)),
    ...index.set(i32.and(hash.get, mask.get)),
    ...control.loop([
      ...entry.set(i32.add(base.get, i32.mul(index.get, i32.const(ENTRY_BYTES)))),
      ...control.if(
        i32.eqz(i32.load(entry.get, ENTRY.stored)),
        control.return(control.call(NEW_TEXT, column.get, start.get, length.get, hash.get)),
      ),
      // One branch for the whole comparison: differences of all parts are gathered first.
      ...control.if(
        i64.eqz(
          i64.or(
            i64.or(
              i64.xor(first.get, i64.load(entry.get, ENTRY.first)),
              i64.xor(last.get, i64.load(entry.get, ENTRY.last)),
            ),
            i64.extend(i32.xor(length.get, i32.load(entry.get, ENTRY.length))),
          ),
        ),
        [
          ...control.if(
            i32.gt_u(length.get, i32.const(16)),
            [
              ...offset.set(i32.const(8)),
              ...address.set(i32.load(entry.get, ENTRY.address)),
              ...control.block(
                control.loop([
                  ...control.if(
                    i32.ge_u(i32.add(offset.get, i32.const(8)), length.get),
                    control.return(i32.load(entry.get, ENTRY.stored)),
                  ),
                  ...control.branchIf(
                    i64.ne(i64.load(i32.add(start.get, offset.get)), i64.load(i32.add(address.get, offset.get))),
                    1,
                  ),
                  ...offset.set(i32.add(offset.get, i32.const(8))),
                  ...control.branch(0),
                ]),
              ),
            ],
            control.return(i32.load(entry.get, ENTRY.stored)),
          ),
        ],
      ),
      ...index.set(i32.and(i32.add(index.get, i32.const(1)), mask.get)),
      ...control.branch(0),
    ]),
    ...i32.const(0),
  ]
  return code
}

/** (position, whether bytes above 127 may stand here) -> address of the closing quote, 0 when not sure. */
function textEnd(): FunctionBuilder {
  const code = new FunctionBuilder({ parameters: ['i32', 'i32'], results: ['i32'] })
  const position = code.parameter(0)
  const high = code.parameter(1)
  const byte = code.local('i32')
  code.body = [
    ...control.loop([
      ...byte.set(i32.load8(position.get)),
      ...control.if(i32.eq(byte.get, i32.const(QUOTE)), control.return(position.get)),
      ...control.if(
        i32.or(
          i32.or(i32.eq(byte.get, i32.const(BACKSLASH)), i32.lt_u(byte.get, i32.const(0x20))),
          i32.and(i32.gt_u(byte.get, i32.const(0x7f)), i32.eqz(high.get)),
        ),
        control.return(i32.const(0)),
      ),
      ...position.set(i32.add(position.get, i32.const(1))),
      ...control.branch(0),
    ]),
    ...i32.const(0),
  ]
  return code
}

/** (position) -> address of the first byte that cannot belong to a number. */
function numberEnd(): FunctionBuilder {
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

function decode(shape: Shape, layout: Layout): FunctionBuilder {
  const code = new FunctionBuilder({ parameters: ['i32', 'i32', 'i32'], results: ['i32'] })
  const position = code.parameter(0)
  const end = code.parameter(1)
  const row = code.parameter(2)
  const lineStart = code.local('i32')
  const writer = valueWriter(code, layout, position, row)
  const steps = shape.steps.flatMap(step => {
    switch (step.kind) {
      case 'literal':
        return literal(position, step.text)
      case 'value':
        return writer.value(step.node)
      case 'absent':
        return writer.absent(step.column)
      case 'extra':
        return writer.extra(step.type)
    }
  })
  code.body = [
    ...control.loop([
      ...lineStart.set(position.get),
      ...control.block([
        ...control.branchIf(i32.ge_u(position.get, end.get), 0),
        ...control.branchIf(i32.ge_u(row.get, i32.const(ROWS_MAX)), 0),
        ...steps,
        ...i32.store(i32.shl(row.get, i32.const(2)), i32.sub(lineStart.get, i32.const(layout.input)), layout.rowStarts),
        ...row.set(i32.add(row.get, i32.const(1))),
        ...control.branch(1),
      ]),
    ]),
    ...i32.store(i32.const(layout.rowCount), row.get),
    ...lineStart.get,
  ]
  return code
}

/** Fails (leaves the innermost block) unless the bytes stand at the position; moves past them. */
function literal(position: Local, text: string): Code {
  const bytes = Uint8Array.from(text, character => character.charCodeAt(0))
  const parts: Code[] = []
  const word = (at: number, count: number) => {
    let value = 0n
    for (let index = count - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[at + index]!)
    return value
  }
  let at = 0
  while (bytes.length - at >= 16) {
    parts.push(
      control.branchIf(
        i32.eqz(v128.all_true_i8(v128.eq_i8(v128.load(position.get, at), v128.const(bytes.subarray(at, at + 16))))),
        0,
      ),
    )
    at += 16
  }
  const rest = bytes.length - at
  if (rest === 1) {
    parts.push(control.branchIf(i32.ne(i32.load8(position.get, at), i32.const(bytes[at]!)), 0))
  } else if (rest > 8) {
    const low = i64.xor(i64.load(position.get, at), i64.const(word(at, 8)))
    const high = i64.xor(i64.load(position.get, bytes.length - 8), i64.const(word(bytes.length - 8, 8)))
    parts.push(control.branchIf(i32.eqz(i64.eqz(i64.or(low, high))), 0))
  } else if (rest > 0) {
    const mask = rest === 8 ? -1n : (1n << BigInt(rest * 8)) - 1n
    const masked = i64.and(i64.load(position.get, at), i64.const(mask))
    parts.push(control.branchIf(i64.ne(masked, i64.const(word(at, rest))), 0))
  }
  return [...parts, ...position.set(i32.add(position.get, i32.const(bytes.length)))]
}

function valueWriter(code: FunctionBuilder, layout: Layout, position: Local, row: Local) {
  const cursor = code.local('i32')
  const negative = code.local('i32')
  const digits = code.local('v128')
  const digitMask = code.local('i32')
  const whole = code.local('i32')
  const fraction = code.local('i32')
  const pairs = code.local('v128')
  const value = code.local('f64')
  const stored = code.local('i32')
  const mask = code.local('i32')

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
      ...position.set(control.call(LONG_NUMBER, i32.sub(cursor.get, negative.get))),
      ...value.set([]),
      ...control.branchIf(f64.ne(value.get, value.get), fail + 1),
    ]),
  ]

  /** A text at the position: leaves its start in `cursor`, its end in `stored`, moves past the closing quote. */
  const text = (highAllowed: boolean, fail: number): Code => [
    ...control.branchIf(i32.ne(i32.load8(position.get), i32.const(QUOTE)), fail),
    ...cursor.set(i32.add(position.get, i32.const(1))),
    ...digits.set(v128.load(cursor.get)),
    // Signed, so that bytes above 127 count as below the space as well.
    ...mask.set(
      v128.bitmask_i8(
        v128.or(
          v128.or(v128.eq_i8(digits.get, splat(QUOTE)), v128.eq_i8(digits.get, splat(BACKSLASH))),
          v128.lt_s_i8(digits.get, splat(0x20)),
        ),
      ),
    ),
    ...stored.set(i32.add(cursor.get, i32.ctz(mask.get))),
    ...control.if(i32.or(i32.eqz(mask.get), i32.ne(i32.load8(stored.get), i32.const(QUOTE))), [
      ...stored.set(control.call(TEXT_END, cursor.get, i32.const(highAllowed ? 1 : 0))),
      ...control.branchIf(i32.eqz(stored.get), fail + 1),
    ]),
    ...position.set(i32.add(stored.get, i32.const(1))),
  ]

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
    if (node.unit === 'iso') {
      return [
        ...text(false, fail),
        ...value.set(control.call(ISO_TIME, cursor.get, i32.sub(stored.get, cursor.get))),
        ...control.branchIf(f64.ne(value.get, value.get), fail),
      ]
    }
    const common = [...cursor.set(position.get), ...loadDigits(cursor.get), ...whole.set(run(digitMask.get))]
    if (node.unit === 'ns') {
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
      ...value.set(f64.mul(digitsValue(whole.get, i32.const(0)), f64.const(UNIT_US[node.unit]))),
      ...control.branchIf(f64.gt(value.get, f64.const(TIME_MAX_US)), fail),
      ...position.set(i32.add(cursor.get, whole.get)),
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
      : control.branchIf(i32.eqz(control.call(ACCEPTS, i32.const(node.column), argument)), fail)

  const leaf = (node: WireLeaf): Code => {
    switch (node.kind) {
      case 'number': {
        const { wanted, values } = place(node.column)
        const bounded = node.integer || node.minimum !== null || node.maximum !== null
        const needed = wanted || bounded || node.accepts !== null
        return orNull(
          node,
          fail => [
            ...number(needed, fail),
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
            ...text(looked, fail),
            ...(looked
              ? [
                  ...stored.set(
                    control.call(
                      FIND_TEXT,
                      cursor.get,
                      i32.sub(stored.get, cursor.get),
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
        ? number(false, 0)
        : type === 'text'
          ? text(false, 0)
          : word(['true', 'false', 'null'], 0)
    },
  }
}

/** 16-bit lanes that repeat the given values. */
function lanes16(values: readonly number[]): Code {
  return v128.const(new Uint8Array(Int16Array.from({ length: 8 }, (_, lane) => values[lane % values.length]!).buffer))
}
