/** A topic's log as a source: what was pushed is read again out of the data directory, also beside the run that writes it. */
import type { Chunk, PartitionEnd, Source, SourceModule } from '../connectors/contract.ts'
import { readChunks } from '../log/topic-reader.ts'
import { openForReading } from '../log/topic-store.ts'
import type { SourceReference } from '../plan/nodes.ts'

/** The name under which a run knows the log of what was pushed. */
export const LOG_PARTITION = 'log'

/** `end`: records at this offset and behind it are left out; null: all that there are. */
export function storedTopic(dataDirectory: string, topic: string, end: number | null): SourceReference {
  const module: SourceModule = { openSource: async () => new StoredTopic(dataDirectory, topic, end) }
  return { kind: 'source', connector: 'log', options: {}, open: async () => module }
}

class StoredTopic implements Source {
  readonly hasOnePartition = true
  readonly #dataDirectory: string
  readonly #topic: string
  readonly #end: number
  #chunks: Generator<Chunk, void, undefined> | null = null
  #ended = false

  constructor(dataDirectory: string, topic: string, end: number | null) {
    this.#dataDirectory = dataDirectory
    this.#topic = topic
    this.#end = end ?? Number.POSITIVE_INFINITY
  }

  async open(): Promise<readonly { readonly name: string; readonly bytes: null }[]> {
    this.#chunks = this.#read()
    return [{ name: LOG_PARTITION, bytes: null }]
  }

  async read(): Promise<Chunk | PartitionEnd | null> {
    const { value } = this.#chunks!.next()
    if (value !== undefined) return value
    if (this.#ended) return null
    this.#ended = true
    return { kind: 'end', partition: 0 }
  }

  async close(): Promise<void> {
    this.#chunks?.return()
  }

  *#read(): Generator<Chunk, void, undefined> {
    let position = 0
    for (const chunk of readChunks(openForReading(this.#dataDirectory, this.#topic), 0, this.#end)) {
      if ('kind' in chunk) continue
      const { bytes } = chunk
      yield { kind: 'records', partition: 0, bytes, position, arrival: chunk.arrival }
      position += bytes.length
    }
  }
}
