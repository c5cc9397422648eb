/** The partitions of one topic as its task reads them, each with the position that it has come to. */
import type { Chunk } from '../../connectors/contract.ts'
import type { Anchor, ResumePoint } from '../../formats/lines.ts'

export interface Partition {
  readonly name: string
  /** Where the next record begins: bytes of its source, or the offset in the topic's log. */
  position: number
  /** Lines that have been read, blank and refused ones included. */
  lines: number
  /** Nothing more comes. */
  ended: boolean
  /** Of a source that translates: the last place from which it can go on. */
  anchor?: Anchor
}

/** How far a topic has come, as an epoch keeps it. */
export interface TopicPosition {
  readonly partitions: readonly Readonly<Partition>[]
  readonly records: number
  readonly bytes: number
  readonly late: number
  readonly deadLetters: number
  /** Records that the topic refused. Older positions do not have it, nor what follows. */
  readonly rejected?: number
  readonly partly_late?: number
  readonly repeats?: number
}

export class Partitions {
  readonly list: Partition[] = []

  /** A copy, for an epoch. */
  get saved(): readonly Readonly<Partition>[] {
    return this.list.map(partition => ({ ...partition }))
  }

  resume(saved: readonly Readonly<Partition>[]): void {
    for (const partition of saved) this.list.push({ ...partition })
  }

  /** The number of the partition with this name, and where it goes on. */
  add(name: string): { readonly number: number; readonly position: number } {
    const known = this.list.findIndex(partition => partition.name === name)
    const number = known < 0 ? this.list.push({ name, position: 0, lines: 0, ended: false }) - 1 : known
    return { number, position: this.list[number]!.position }
  }

  /** Moves behind the first bytes of a chunk. */
  move({ partition: number, position, anchor }: Chunk, length: number, lines: number): void {
    const partition = this.list[number]!
    partition.position = position + length
    partition.lines = lines
    if (anchor !== undefined) partition.anchor = anchor
  }

  /** Where the next record of the partition with this name begins, null when there is none. */
  positionOf(name: string): number | null {
    return this.list.find(partition => partition.name === name)?.position ?? null
  }
}

/** Where each partition goes on; one that has ended, nowhere. */
export function resumePointsOf(topic: TopicPosition | null | undefined): Map<string, ResumePoint> {
  const points = topic?.partitions.map(({ name, position, lines, ended, anchor = null }) => {
    return [name, { position: ended ? Number.POSITIVE_INFINITY : position, lines, anchor }] as const
  })
  return new Map(points)
}
