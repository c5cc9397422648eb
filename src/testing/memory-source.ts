/** Records that a test holds, as a source: they arrive in the order given, cut into chunks, with silences between them. */
import type { Chunk, Idle, PartitionEnd, Source } from '../connectors/contract.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** One record as JSON text in its partition, or a silence in microseconds. */
export type Arrival = { readonly line: string; readonly partition: number } | { readonly silence_us: number }

export interface MemorySourceOptions {
  readonly partitions: number
  /** A chunk ends before the record that would make it longer than this; it holds at least one record. */
  readonly chunkBytes: number
  /** Gives records their arrival times and goes on through silences; null: historic input. */
  readonly clock: VirtualClock | null
  /** Whether the partitions end after their last record. */
  readonly ends: boolean
}

export class MemorySource implements Source {
  readonly #arrivals: readonly Arrival[]
  readonly #options: MemorySourceOptions
  readonly #positions: number[]
  #next = 0
  #ended = 0

  constructor(arrivals: readonly Arrival[], options: MemorySourceOptions) {
    this.#arrivals = arrivals
    this.#options = options
    this.#positions = new Array(options.partitions).fill(0)
  }

  async open(): Promise<readonly { readonly name: string; readonly bytes: number | null }[]> {
    return this.#positions.map((_, partition) => ({ name: `records of partition ${partition}`, bytes: null }))
  }

  async read(): Promise<Chunk | Idle | PartitionEnd | null> {
    const { clock, ends, partitions } = this.#options
    const arrival = this.#arrivals[this.#next]
    if (arrival === undefined) {
      return ends && this.#ended < partitions ? { kind: 'end', partition: this.#ended++ } : null
    }
    if ('silence_us' in arrival) {
      this.#next++
      clock?.advance(arrival.silence_us)
      return { kind: 'idle' }
    }
    return this.#chunk(arrival.partition)
  }

  async close(): Promise<void> {}

  #chunk(partition: number): Chunk {
    const lines: Buffer[] = []
    let length = 0
    for (;;) {
      const arrival = this.#arrivals[this.#next]
      if (arrival === undefined || !('line' in arrival) || arrival.partition !== partition) break
      const line = Buffer.from(`${arrival.line}\n`)
      if (lines.length > 0 && length + line.length > this.#options.chunkBytes) break
      lines.push(line)
      length += line.length
      this.#next++
    }
    const position = this.#positions[partition]!
    this.#positions[partition] = position + length
    const arrived = this.#options.clock?.now() ?? null
    return { kind: 'records', partition, bytes: Buffer.concat(lines), position, arrival: arrived }
  }
}
