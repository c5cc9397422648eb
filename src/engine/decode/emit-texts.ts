/**
 * Generated code for texts: finding where one ends, sixteen bytes at once, and finding its code in the table of the texts
 * that the decoder has met (texts.ts), so that a text that comes again is never made into a JavaScript string.
 */
import { type Code, control, FunctionBuilder, i32, i64, type Local, splat, v128 } from './assembler.ts'
import { ENTRY, ENTRY_BYTES } from './layout.ts'
import { CALL } from './module-functions.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** (start, length, table header, column) -> stored code. Texts up to 16 bytes are held whole in their entry. */
export function findText(): FunctionBuilder {
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
        control.return(control.call(CALL.newText, column.get, start.get, length.get, hash.get)),
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
export function textEnd(): FunctionBuilder {
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

/** Reads texts at the position inside a function that is being written. */
export function textReader(code: FunctionBuilder, position: Local) {
  const bytes = code.local('v128')
  const ends = code.local('i32')
  const start = code.local('i32')
  const end = code.local('i32')

  /** Moves past the closing quote, and leaves what stands between the quotes in `start` and `end`. */
  const read = (highAllowed: boolean, fail: number): Code => [
    ...control.branchIf(i32.ne(i32.load8(position.get), i32.const(QUOTE)), fail),
    ...start.set(i32.add(position.get, i32.const(1))),
    ...bytes.set(v128.load(start.get)),
    // Signed, so that bytes above 127 count as below the space as well.
    ...ends.set(
      v128.bitmask_i8(
        v128.or(
          v128.or(v128.eq_i8(bytes.get, splat(QUOTE)), v128.eq_i8(bytes.get, splat(BACKSLASH))),
          v128.lt_s_i8(bytes.get, splat(0x20)),
        ),
      ),
    ),
    ...end.set(i32.add(start.get, i32.ctz(ends.get))),
    ...control.if(i32.or(i32.eqz(ends.get), i32.ne(i32.load8(end.get), i32.const(QUOTE))), [
      ...end.set(control.call(CALL.textEnd, start.get, i32.const(highAllowed ? 1 : 0))),
      ...control.branchIf(i32.eqz(end.get), fail + 1),
    ]),
    ...position.set(i32.add(end.get, i32.const(1))),
  ]

  return { read, start, end }
}
