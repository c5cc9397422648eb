import { describe, expect, test } from 'vitest'
import {
  assembleModule,
  type Code,
  control,
  FunctionBuilder,
  f64,
  i32,
  i64,
  splat,
  type ValueType,
  v128,
} from '../../../src/engine/decode/assembler.ts'

type Value = number | bigint

/** Runs a function of one page of memory; i64 come as bigint. */
function run(
  types: readonly ValueType[],
  result: ValueType,
  body: (parameters: readonly Code[], builder: FunctionBuilder) => Code,
  operands: readonly Value[],
  memory = new WebAssembly.Memory({ initial: 1 }),
): Value {
  const builder = new FunctionBuilder({ parameters: types, results: [result] })
  builder.body = body(
    types.map((_, index) => builder.parameter(index).get),
    builder,
  )
  const module = new WebAssembly.Module(assembleModule([], [{ name: 'run', builder }]))
  const instance = new WebAssembly.Instance(module, { env: { memory } })
  return (instance.exports.run as (...operands: readonly Value[]) => Value)(...operands)
}

describe('constants in their shortest form', () => {
  test.each([0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8192, -8193, 2 ** 31 - 1, -(2 ** 31)])(
    'i32 %d',
    value => {
      expect(run([], 'i32', () => i32.const(value), [])).toBe(value)
    },
  )
  test.each([0n, -1n, 64n, -65n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n), 0xdeadbeefn])('i64 %d', value => {
    expect(run([], 'i64', () => i64.const(value), [])).toBe(value)
  })
  test('i64 without a sign', () => {
    expect(run([], 'i64', () => i64.const(2n ** 64n - 1n), [])).toBe(-1n)
  })
  test.each([0, -0, 0.1, 1e308, 5e-324, Number.POSITIVE_INFINITY])('f64 %d', value => {
    expect(run([], 'f64', () => f64.const(value), [])).toBe(value)
  })
})

const I = -7
const J = 3
const unsigned = (value: number) => value >>> 0

test.each([
  ['add', I + J],
  ['sub', I - J],
  ['mul', I * J],
  ['and', I & J],
  ['or', I | J],
  ['xor', I ^ J],
  ['shl', I << J],
  ['shr_s', I >> J],
  ['shr_u', (I >>> J) | 0],
  ['eq', 0],
  ['ne', 1],
  ['lt_u', Number(unsigned(I) < J)],
  ['gt_u', Number(unsigned(I) > J)],
  ['ge_u', Number(unsigned(I) >= J)],
] as const)('i32.%s', (name, expected) => {
  expect(run(['i32', 'i32'], 'i32', ([a, b]) => i32[name](a!, b!), [I, J])).toBe(expected)
})

test.each([
  ['eqz', 0, 1],
  ['eqz', 5, 0],
  ['ctz', 8, 3],
  ['ctz', 0, 32],
] as const)('i32.%s(%d)', (name, operand, expected) => {
  expect(run(['i32'], 'i32', ([a]) => i32[name](a!), [operand])).toBe(expected)
})

const A = -0x123456789abcdefn
const B = 13n
const signed = (value: bigint) => BigInt.asIntN(64, value)
const whole = BigInt.asUintN(64, A)

test.each([
  ['add', A + B],
  ['mul', signed(A * B)],
  ['and', A & B],
  ['or', A | B],
  ['xor', A ^ B],
  ['shl', signed(A << B)],
  ['shr_u', signed(whole >> B)],
  ['rotl', signed((whole << B) | (whole >> (64n - B)))],
] as const)('i64.%s', (name, expected) => {
  expect(run(['i64', 'i64'], 'i64', ([a, b]) => i64[name](a!, b!), [A, B])).toBe(expected)
})

test('i64 beside i32', () => {
  expect(run(['i64', 'i64'], 'i32', ([a, b]) => i64.ne(a!, b!), [1n, 2n])).toBe(1)
  expect(run(['i64'], 'i32', ([a]) => i64.eqz(a!), [0n])).toBe(1)
  expect(run(['i64'], 'i64', ([a]) => i64.clz(a!), [1n << 40n])).toBe(23n)
  expect(run(['i64'], 'i32', ([a]) => i32.wrap(a!), [0x1ffffffffn])).toBe(-1)
  expect(run(['i32'], 'i64', ([a]) => i64.extend(a!), [-1])).toBe(0xffffffffn)
})

test.each([
  ['add', -1.5],
  ['mul', -7],
  ['div', -1.75],
] as const)('f64.%s', (name, expected) => {
  expect(run(['f64', 'f64'], 'f64', ([a, b]) => f64[name](a!, b!), [-3.5, 2])).toBe(expected)
})

test.each([
  ['ne', [1, 1, 0]],
  ['lt', [1, 0, 0]],
  ['gt', [0, 1, 0]],
  ['le', [1, 0, 1]],
  ['ge', [0, 1, 1]],
] as const)('f64.%s', (name, expected) => {
  const answers = [
    [1, 2],
    [2, 1],
    [2, 2],
  ].map(operands => run(['f64', 'f64'], 'i32', ([a, b]) => f64[name](a!, b!), operands))
  expect(answers).toEqual(expected)
})

test('f64 of one operand', () => {
  expect(run(['f64'], 'f64', ([a]) => f64.neg(a!), [0])).toBe(-0)
  expect(run(['f64'], 'f64', ([a]) => f64.trunc(a!), [-2.7])).toBe(-2)
  expect(run(['i32'], 'f64', ([a]) => f64.convert_i32_u(a!), [-1])).toBe(2 ** 32 - 1)
  expect(run(['i64'], 'f64', ([a]) => f64.convert_i64_u(a!), [-1n])).toBe(2 ** 64)
  expect(run(['i64'], 'f64', ([a]) => f64.reinterpret_i64(a!), [0x3ff8000000000000n])).toBe(1.5)
})

test('memory: loads and stores with offsets', () => {
  const memory = new WebAssembly.Memory({ initial: 1 })
  const view = new DataView(memory.buffer)
  const store = (body: Code) => run([], 'i32', () => [...body, ...i32.const(0)], [], memory)
  store(i32.store(i32.const(8), i32.const(-2), 300))
  expect(view.getInt32(308, true)).toBe(-2)
  store(i32.store8(i32.const(8), i32.const(0x1ff), 1))
  expect(view.getUint8(9)).toBe(0xff)
  store(f64.store(i32.const(16), f64.const(0.1)))
  expect(view.getFloat64(16, true)).toBe(0.1)
  expect(run([], 'i32', () => i32.load(i32.const(300), 8), [], memory)).toBe(-2)
  expect(run([], 'i32', () => i32.load8(i32.const(309)), [], memory)).toBe(0xff)
  expect(run([], 'i64', () => i64.load(i32.const(304)), [], memory)).toBe(-2n << 32n)
  expect(run([], 'f64', () => f64.load(i32.const(16)), [], memory)).toBe(0.1)
})

describe('16 bytes at once', () => {
  const LEFT = Uint8Array.from([0, 1, 2, 0x20, 0x22, 0x5c, 0x7f, 0x80, 0x9f, 0xc3, 0xff, 9, 10, 48, 57, 58])
  const RIGHT = Uint8Array.from([0, 2, 1, 0x20, 0x21, 0x5c, 0x80, 0x7f, 1, 15, 255, 16, 3, 48, 0, 7])
  /** The lanes of the result, by storing it: there is no store of 16 bytes, so lane by lane of 32 bits. */
  const lanes = (body: Code) =>
    Uint8Array.from(
      [0, 1, 2, 3].flatMap(lane => [
        ...new Uint8Array(Int32Array.of(run([], 'i32', () => v128.extract_i32(body, lane), []) as number).buffer),
      ]),
    )
  const [left, right] = [v128.const(LEFT), v128.const(RIGHT)]
  const each = (combine: (a: number, b: number) => number) => LEFT.map((a, lane) => combine(a, RIGHT[lane]!))
  const words = (bytes: Uint8Array) => new Uint16Array(bytes.slice().buffer)
  const each16 = (combine: (a: number, b: number) => number) =>
    new Uint8Array(words(LEFT).map((a, lane) => combine(a, words(RIGHT)[lane]!)).buffer)

  test.each([
    ['and', each((a, b) => a & b)],
    ['or', each((a, b) => a | b)],
    ['swizzle', each((_, b) => LEFT[b] ?? 0)],
    ['eq_i8', each((a, b) => (a === b ? 255 : 0))],
    ['lt_s_i8', each((a, b) => (a << 24 < b << 24 ? 255 : 0))],
    ['lt_u_i8', each((a, b) => (a < b ? 255 : 0))],
    ['sub_i8', each((a, b) => a - b)],
    ['add_i16', each16((a, b) => a + b)],
    ['mul_i16', each16((a, b) => a * b)],
  ] as const)('%s', (name, expected) => {
    expect(lanes(v128[name](left, right))).toEqual(Uint8Array.from(expected))
  })

  test('masks, shifts, dots and narrowing', () => {
    const mask = LEFT.reduce((bits, byte, lane) => bits | ((byte >> 7) << lane), 0)
    expect(run([], 'i32', () => v128.bitmask_i8(left), [])).toBe(mask)
    expect(run([], 'i32', () => v128.all_true_i8(left), [])).toBe(0)
    expect(run([], 'i32', () => v128.all_true_i8(splat(1)), [])).toBe(1)
    expect(lanes(v128.shr_u_i16(left, i32.const(8)))).toEqual(new Uint8Array(words(LEFT).map(a => a >> 8).buffer))
    const small = (values: readonly number[]) => v128.const(new Uint8Array(Int16Array.from(values).buffer))
    const dot = v128.dot_i16(small([1, 2, 3, 4, -5, 6, 7, 8]), small([100, 1, 100, 1, 100, 1, 100, 1]))
    expect(lanes(dot)).toEqual(new Uint8Array(Int32Array.of(102, 304, -494, 708).buffer))
    const wide = v128.const(new Uint8Array(Int32Array.of(1, -1, 65_535, 65_536).buffer))
    expect(lanes(v128.narrow_i32_u(wide, wide))).toEqual(
      new Uint8Array(Uint16Array.of(1, 0, 65_535, 65_535, 1, 0, 65_535, 65_535).buffer),
    )
  })

  test('a load may be unaligned', () => {
    const memory = new WebAssembly.Memory({ initial: 1 })
    new Uint8Array(memory.buffer).set(LEFT, 5)
    expect(run([], 'i32', () => v128.extract_i32(v128.load(i32.const(3), 2), 3), [], memory)).toBe(
      new DataView(LEFT.buffer).getInt32(12, true),
    )
  })
})

describe('control', () => {
  test('a loop, a block left early, an if with an else, locals', () => {
    // The sum of 1 to n, odd numbers counted twice.
    const sum = (n: number) =>
      run(
        ['i32'],
        'i32',
        ([n], builder) => {
          const index = builder.local('i32')
          const total = builder.local('i32')
          return [
            ...control.block(
              control.loop([
                ...control.branchIf(i32.ge_u(index.get, n!), 1),
                ...index.set(i32.add(index.get, i32.const(1))),
                ...control.if(
                  i32.and(index.get, i32.const(1)),
                  total.set(i32.add(total.get, i32.mul(index.get, i32.const(2)))),
                  total.set(i32.add(total.get, index.get)),
                ),
                ...control.branch(0),
              ]),
            ),
            ...total.get,
          ]
        },
        [n],
      )
    expect([0, 1, 4, 100].map(sum)).toEqual([0, 2, 14, 5050 + 2500])
  })

  test('select, return, drop, tee', () => {
    const body = ([condition]: readonly Code[], builder: FunctionBuilder) => {
      const kept = builder.local('i32')
      return [
        ...control.drop(kept.tee(i32.const(5))),
        ...control.if(i32.eq(condition!, i32.const(9)), control.return(i32.const(-1))),
        ...control.select(kept.get, i32.const(6), condition!),
      ]
    }
    expect([0, 1, 9].map(operand => run(['i32'], 'i32', body, [operand]))).toEqual([6, 5, -1])
  })

  test('calls of imported and own functions, two results', () => {
    const type = { parameters: ['i32', 'i32'], results: ['i32'] } as const
    const two = new FunctionBuilder({ parameters: ['i32'], results: ['i32', 'i32'] })
    two.body = [...two.parameter(0).get, ...i32.const(100)]
    const main = new FunctionBuilder(type)
    main.body = [
      ...control.call(1, main.parameter(0).get),
      ...main.parameter(1).set([]),
      ...main.parameter(0).set([]),
      ...control.call(0, main.parameter(0).get, main.parameter(1).get),
    ]
    const bytes = assembleModule(
      [{ name: 'subtract', type }],
      [
        { name: 'two', builder: two },
        { name: 'main', builder: main },
      ],
    )
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { memory: new WebAssembly.Memory({ initial: 1 }), subtract: (a: number, b: number) => a - b },
    })
    expect((instance.exports.main as (a: number, b: number) => number)(7, 1)).toBe(-93)
  })

  test('more than 127 locals and a long body', () => {
    const body = (_: readonly Code[], builder: FunctionBuilder) => {
      const locals = Array.from({ length: 300 }, () => builder.local('i32'))
      const sets = locals.flatMap((local, index) => local.set(i32.const(index)))
      return [...sets, ...locals.reduce<Code>((sum, local) => i32.add(sum, local.get), i32.const(0))]
    }
    expect(run([], 'i32', body, [])).toBe((299 * 300) / 2)
  })
})
