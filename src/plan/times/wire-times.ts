/** The times that messages write as text, by column, for a decoder that sees bytes. */
import { isNumberUnit, textTime } from '../schema.ts'
import type { WireNode } from '../wire.ts'
import { type TimeReader, timeReader } from './text-time.ts'

/**
 * By column the reader of its times. It is given bytes as latin1: times are ASCII, so what it accepts it would accept as
 * text too. A pattern that is not ASCII itself is never sure.
 */
export function timesAsText(wire: WireNode, found = new Map<number, TimeReader>()): ReadonlyMap<number, TimeReader> {
  if (wire.kind === 'object') for (const field of wire.fields) timesAsText(field.node, found)
  else if (wire.kind === 'timestamp' && !isNumberUnit(wire.unit)) {
    const form = textTime(wire.unit)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII
    found.set(wire.column, /^[\x00-\x7f]*$/.test(form.pattern) ? timeReader(form) : () => null)
  }
  return found
}
