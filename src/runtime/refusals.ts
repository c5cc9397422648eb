/** The records of one topic that are not taken: counted, and handed to the dead letters with their place. */
import type { Chunk, Damage } from '../connectors/contract.ts'
import type { DeadLetters } from './dead-letters.ts'

export interface Partition {
  readonly name: string
  /** Lines that have been read, blank and refused ones included. */
  lines: number
}

/** Where rows come from, for what operators say of them. */
export interface Lines {
  readonly partition: number
  /** Position of the byte from which row starts count. */
  readonly position: number
  readonly arrival: number | null
  /** For each row where its line begins; null where no operator shows its late rows. */
  readonly rowStarts: Int32Array | null
  /** The bytes of the line that begins at a row start. */
  readonly lineAt: (start: number) => Uint8Array
}

/** The lines of a chunk that a decoder holds. */
export function linesOf(
  { partition, position, arrival }: Chunk,
  rowStarts: Int32Array,
  lineAt: (start: number) => Uint8Array,
): Lines {
  return { partition, position, arrival, rowStarts, lineAt }
}

export class Refusals {
  readonly #topic: string
  readonly #partitions: readonly Partition[]
  readonly #deadLetters: Pick<DeadLetters, 'add'>
  #count = 0

  constructor(topic: string, partitions: readonly Partition[], deadLetters: Pick<DeadLetters, 'add'>) {
    this.#topic = topic
    this.#partitions = partitions
    this.#deadLetters = deadLetters
  }

  get count(): number {
    return this.#count
  }

  /** Refuses the record whose line begins at `start`. */
  record(
    { partition, position, arrival, lineAt }: Lines,
    start: number,
    why: { readonly reason: string; readonly code: string; readonly line?: number; readonly length?: number },
  ): void {
    const bytes = lineAt(start)
    this.#count++
    this.#deadLetters.add({
      topic: this.#topic,
      source: this.#partitions[partition]!.name,
      partition,
      position: position + start,
      line: why.line ?? null,
      reason: why.reason,
      code: why.code,
      bytes,
      bytesTotal: why.length ?? bytes.length,
      arrived: arrival,
    })
  }

  /** Refuses a stretch that could not be read. */
  damage(damage: Damage): void {
    const partition = this.#partitions[damage.partition]!
    const line = damage.lines === undefined ? null : partition.lines + 1
    partition.lines += damage.lines ?? 0
    this.#count++
    this.#deadLetters.add({
      topic: this.#topic,
      source: partition.name,
      partition: damage.partition,
      position: damage.position,
      line,
      reason: damage.reason,
      code: 'SOURCE_DAMAGED',
      bytes: damage.bytes,
      bytesTotal: damage.bytesTotal ?? damage.bytes?.length ?? 0,
      arrived: null,
    })
  }
}
