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
import { assembleModule, type Code, control, FunctionBuilder, i32, i64, type Local, v128 } from './assembler.ts'
import { numberEnd } from './emit-numbers.ts'
import { findText, textEnd } from './emit-texts.ts'
import { valueWriter } from './emit-values.ts'
import { exactNumber } from './exact-number.ts'
import { type Layout, ROWS_MAX } from './layout.ts'
import { longNumber } from './long-number.ts'
import { CALL, IMPORTS } from './module-functions.ts'
import type { Shape } from './shape.ts'

export function emitShape(shape: Shape, layout: Layout): Uint8Array<ArrayBuffer> {
  return assembleModule(IMPORTS, [
    { name: 'findText', builder: findText() },
    { name: 'textEnd', builder: textEnd() },
    { name: 'numberEnd', builder: numberEnd() },
    { name: 'longNumber', builder: longNumber(layout, CALL.numberEnd, CALL.numberElsewhere) },
    { name: 'exactNumber', builder: exactNumber() },
    { name: 'decode', builder: decode(shape, layout) },
  ])
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
