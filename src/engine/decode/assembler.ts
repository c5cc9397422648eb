/**
 * A small assembler for WebAssembly modules: each function returns the code of one expression, operands first. Code is a
 * tree of bytes, so that putting parts together copies nothing; it is flattened once, into the module.
 *
 * Only the instructions that the decoder uses are here. Encodings are those of the WebAssembly core specification 2.0
 * (binary format, fixed-width SIMD included).
 */
export type Code = readonly (number | Code)[]
export type ValueType = 'i32' | 'i64' | 'f64' | 'v128'

const VALUE_TYPES: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b }

function unsigned(value: number): number[] {
  const bytes: number[] = []
  let rest = value >>> 0
  do {
    const byte = rest & 0x7f
    rest >>>= 7
    bytes.push(rest === 0 ? byte : byte | 0x80)
  } while (rest !== 0)
  return bytes
}

function signed(value: bigint): number[] {
  const bytes: number[] = []
  let rest = value
  for (;;) {
    const byte = Number(rest & 0x7fn)
    rest >>= 7n
    if ((rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0)) {
      bytes.push(byte)
      return bytes
    }
    bytes.push(byte | 0x80)
  }
}

const unary =
  (opcode: number) =>
  (a: Code): Code => [a, opcode]
const binary =
  (opcode: number) =>
  (a: Code, b: Code): Code => [a, b, opcode]
const load =
  (opcode: number) =>
  (address: Code, offset = 0): Code => [address, opcode, 0, ...unsigned(offset)]
const store =
  (opcode: number) =>
  (address: Code, value: Code, offset = 0): Code => [address, value, opcode, 0, ...unsigned(offset)]
const simd = (opcode: number) => [0xfd, ...unsigned(opcode)]
const simdUnary =
  (opcode: number) =>
  (a: Code): Code => [a, ...simd(opcode)]
const simdBinary =
  (opcode: number) =>
  (a: Code, b: Code): Code => [a, b, ...simd(opcode)]

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(BigInt(value | 0))],
  load: load(0x28),
  load8: load(0x2d),
  store: store(0x36),
  store8: store(0x3a),
  eqz: unary(0x45),
  eq: binary(0x46),
  ne: binary(0x47),
  lt_u: binary(0x49),
  gt_u: binary(0x4b),
  ge_u: binary(0x4f),
  ctz: unary(0x68),
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  and: binary(0x71),
  or: binary(0x72),
  xor: binary(0x73),
  shl: binary(0x74),
  shr_s: binary(0x75),
  shr_u: binary(0x76),
  wrap: unary(0xa7),
}

export const i64 = {
  const: (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))],
  load: load(0x29),
  store: store(0x37),
  eqz: unary(0x50),
  ne: binary(0x52),
  lt_s: binary(0x53),
  ge_s: binary(0x59),
  clz: unary(0x79),
  add: binary(0x7c),
  sub: binary(0x7d),
  mul: binary(0x7e),
  and: binary(0x83),
  or: binary(0x84),
  xor: binary(0x85),
  shl: binary(0x86),
  shr_u: binary(0x88),
  rotl: binary(0x89),
  extend: unary(0xad),
}

export const f64 = {
  const: (value: number): Code => [0x44, ...new Uint8Array(new Float64Array([value]).buffer)],
  load: load(0x2b),
  store: store(0x39),
  ne: binary(0x62),
  lt: binary(0x63),
  gt: binary(0x64),
  le: binary(0x65),
  ge: binary(0x66),
  neg: unary(0x9a),
  trunc: unary(0x9d),
  add: binary(0xa0),
  mul: binary(0xa2),
  div: binary(0xa3),
  convert_i32_u: unary(0xb8),
  convert_i64_s: unary(0xb9),
  convert_i64_u: unary(0xba),
  reinterpret_i64: unary(0xbf),
}

export const v128 = {
  load: (address: Code, offset = 0): Code => [address, ...simd(0x00), 0, ...unsigned(offset)],
  const: (bytes: ArrayLike<number>): Code => [...simd(0x0c), ...Array.from(bytes)],
  and: simdBinary(0x4e),
  or: simdBinary(0x50),
  swizzle: simdBinary(0x0e),
  eq_i8: simdBinary(0x23),
  lt_s_i8: simdBinary(0x25),
  lt_u_i8: simdBinary(0x26),
  bitmask_i8: simdUnary(0x64),
  all_true_i8: simdUnary(0x63),
  sub_i8: simdBinary(0x71),
  shr_u_i16: simdBinary(0x8d),
  add_i16: simdBinary(0x8e),
  mul_i16: simdBinary(0x95),
  narrow_i32_u: simdBinary(0x86),
  dot_i16: simdBinary(0xba),
  extract_i32: (a: Code, lane: number): Code => [a, ...simd(0x1b), lane],
}

/** The same byte in all 16 lanes. */
export const splat = (byte: number): Code => v128.const(new Uint8Array(16).fill(byte))

const EMPTY_BLOCK = 0x40

export const control = {
  block: (body: Code): Code => [0x02, EMPTY_BLOCK, body, 0x0b],
  loop: (body: Code): Code => [0x03, EMPTY_BLOCK, body, 0x0b],
  if: (condition: Code, then: Code, otherwise?: Code): Code => [
    condition,
    0x04,
    EMPTY_BLOCK,
    then,
    ...(otherwise ? [0x05, otherwise] : []),
    0x0b,
  ],
  branch: (depth: number): Code => [0x0c, ...unsigned(depth)],
  branchIf: (condition: Code, depth: number): Code => [condition, 0x0d, ...unsigned(depth)],
  return: (value: Code = []): Code => [value, 0x0f],
  call: (index: number, ...operands: Code[]): Code => [...operands, 0x10, ...unsigned(index)],
  drop: (value: Code): Code => [value, 0x1a],
  /** `a` where the condition holds, else `b`; both are computed. */
  select: (a: Code, b: Code, condition: Code): Code => [a, b, condition, 0x1b],
}

export interface Local {
  readonly get: Code
  set(value: Code): Code
  tee(value: Code): Code
}

export interface FunctionType {
  readonly parameters: readonly ValueType[]
  readonly results: readonly ValueType[]
}

/** One function under construction: hands out its parameters and locals. */
export class FunctionBuilder {
  readonly type: FunctionType
  readonly locals: ValueType[] = []
  body: Code = []

  constructor(type: FunctionType) {
    this.type = type
  }

  parameter(index: number): Local {
    return localAt(index)
  }

  local(type: ValueType): Local {
    this.locals.push(type)
    return localAt(this.type.parameters.length + this.locals.length - 1)
  }
}

function localAt(index: number): Local {
  const encoded = unsigned(index)
  return {
    get: [0x20, ...encoded],
    set: value => [value, 0x21, ...encoded],
    tee: value => [value, 0x22, ...encoded],
  }
}

export interface ImportedFunction {
  readonly name: string
  readonly type: FunctionType
}

/** The bytes of code in their order. */
function flat(code: Code, bytes: number[] = []): number[] {
  for (const part of code) {
    if (typeof part === 'number') bytes.push(part)
    else flat(part, bytes)
  }
  return bytes
}

/** A whole module: imported memory `env.memory`, imported functions from `env`, then its own functions, all exported by name. */
export function assembleModule(
  imports: readonly ImportedFunction[],
  functions: readonly { readonly name: string; readonly builder: FunctionBuilder }[],
): Uint8Array<ArrayBuffer> {
  const types = [...imports.map(entry => entry.type), ...functions.map(entry => entry.builder.type)]
  const text = (value: string) => [...unsigned(value.length), ...new TextEncoder().encode(value)]
  const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items]
  const sized = (content: Code): Code => {
    const bytes = flat(content)
    return [...unsigned(bytes.length), bytes]
  }
  const section = (id: number, content: Code): Code => [id, sized(content)]
  const valueTypes = (list: readonly ValueType[]) => vector(list.map(type => [VALUE_TYPES[type]]))
  const bodyOf = (builder: FunctionBuilder) =>
    sized([vector(builder.locals.map(type => [1, VALUE_TYPES[type]])), builder.body, 0x0b])
  const code = [
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    section(1, vector(types.map(type => [0x60, ...valueTypes(type.parameters), ...valueTypes(type.results)]))),
    section(
      2,
      vector([
        [...text('env'), ...text('memory'), 0x02, 0x00, 0x01],
        ...imports.map((entry, index) => [...text('env'), ...text(entry.name), 0x00, ...unsigned(index)]),
      ]),
    ),
    section(3, vector(functions.map((_, index) => unsigned(imports.length + index)))),
    section(
      7,
      vector(functions.map((entry, index) => [...text(entry.name), 0x00, ...unsigned(imports.length + index)])),
    ),
    section(10, vector(functions.map(entry => bodyOf(entry.builder)))),
  ]
  return Uint8Array.from(flat(code))
}
