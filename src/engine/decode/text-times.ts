/** The times that messages write as text, by column, for a decoder that sees bytes. */
import { isNumberUnit, textTime } from '../../plan/schema.ts'
import { timeReader } from '../../plan/times/text-time.ts'
import type { WireNode } from '../../plan/wire.ts'
import type { DecoderMemory } from './memory.ts'
import { byteTimeReader } from './time-bytes.ts'

/** Microseconds of the text that stands at an address; NaN when not sure. */
type TextTimeReader = (start: number, length: number) => number

/** By column its reader; empty for columns of other kinds. */
export function textTimeReaders(
  wire: WireNode,
  memory: DecoderMemory,
  found: TextTimeReader[] = [],
): readonly TextTimeReader[] {
  if (wire.kind === 'object') for (const field of wire.fields) textTimeReaders(field.node, memory, found)
  else if (wire.kind === 'timestamp' && !isNumberUnit(wire.unit)) {
    const form = textTime(wire.unit)
    const fromBytes = byteTimeReader(form) ?? (() => Number.NaN)
    // Times are ASCII, so what is accepted of bytes as latin1 is accepted of the text; a pattern that is not ASCII may not.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII
    const fromText = /^[\x00-\x7f]*$/.test(form.pattern) ? timeReader(form) : () => null
    found[wire.column] = (start, length) => {
      const time = fromBytes(memory.bytes, start, length)
      return Number.isNaN(time) ? (fromText(memory.latin1(start, start + length)) ?? Number.NaN) : time
    }
  }
  return found
}
