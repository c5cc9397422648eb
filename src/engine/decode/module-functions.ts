/**
 * The functions of a decoder's module by their index: those that it is given, then its own. WebAssembly calls by index, so
 * the order of both is fixed here for all that writes calls.
 */
import type { ImportedFunction } from './assembler.ts'

/** What generated code calls when it meets something rare. */
export interface DecoderImports {
  /** A text that the table does not hold yet: adds it, answers its stored code. */
  newText(column: number, start: number, length: number, hash: number): number
  /** A number that generated code does not decide: its value, NaN when it is not a JSON number or not finite. */
  numberElsewhere(start: number, end: number): number
  /** The microseconds of a column's time that is written as text, NaN when not sure. */
  textTime(column: number, start: number, length: number): number
  /** 1 when the schema passes the value of a column that it refines in ways of its own. */
  accepts(column: number, value: number): number
  /** The same of a column of 64-bit integers. */
  acceptsInteger(column: number, value: bigint): number
}

export const IMPORTS: readonly ImportedFunction[] = [
  { name: 'newText', type: { parameters: ['i32', 'i32', 'i32', 'i32'], results: ['i32'] } },
  { name: 'numberElsewhere', type: { parameters: ['i32', 'i32'], results: ['f64'] } },
  { name: 'textTime', type: { parameters: ['i32', 'i32', 'i32'], results: ['f64'] } },
  { name: 'accepts', type: { parameters: ['i32', 'f64'], results: ['i32'] } },
  { name: 'acceptsInteger', type: { parameters: ['i32', 'i64'], results: ['i32'] } },
]
/** In the order of `IMPORTS`, then of the functions that emit.ts puts into the module. */
export const CALL = {
  newText: 0,
  numberElsewhere: 1,
  textTime: 2,
  accepts: 3,
  acceptsInteger: 4,
  findText: 5,
  textEnd: 6,
  numberEnd: 7,
  longNumber: 8,
  exactNumber: 9,
} as const
