/** The decoder of a topic's records, for the columns that something reads. */
import { Decoder } from '../../engine/decode/decoder.ts'
import type { TopicNode } from '../../plan/nodes.ts'
import { slowDecoder } from '../../plan/slow.ts'
import type { SchemaReading } from '../../plan/zod.ts'

/** The longest record that is taken; a longer one becomes a dead letter. */
export const RECORD_BYTES_MAX = 1 << 20
/** What a thread reads at once. */
export const RANGE_BYTES = 1 << 19

/** null: the topic has no schema, its records come from a stream of the pipeline. */
export function decoderOf(topic: TopicNode, schema: SchemaReading | null, reads: ReadonlySet<string>): Decoder | null {
  if (schema === null) return null
  return new Decoder({ ...schema, slow: slowDecoder(topic.schema!) }, reads, RECORD_BYTES_MAX + RANGE_BYTES)
}
