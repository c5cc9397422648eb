/** The partitions of one topic as its task reads them, each with the position that it has come to. */
import type { Chunk, PartitionInfo } from '../../connectors/contract.ts'
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
  /** Of a file, what its source knows it by, and how long it was. */
  fingerprint?: string
  fileBytes?: number
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
  readonly duplicates?: number
}

/** The partition of a task that is the log of what was pushed. */
export const LOG_PARTITION = 'log'

/** How far a position is in the log of what was pushed. */
export function logPosition(position: TopicPosition | null): number {
  return position?.partitions.find(({ name }) => name === LOG_PARTITION)?.position ?? 0
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
  add({ name, fingerprint, fileBytes, goesOn = false }: PartitionInfo): {
    readonly number: number
    readonly position: number
  } {
    const known = this.list.findIndex(partition => partition.name === name)
    const number = known < 0 ? this.list.push({ name, position: 0, lines: 0, ended: false }) - 1 : known
    const partition = this.list[number]!
    if (fingerprint !== undefined) partition.fingerprint = fingerprint
    if (fileBytes !== undefined) partition.fileBytes = fileBytes
    if (goesOn) partition.ended = false
    return { number, position: this.list[number]!.position }
  }

  /** Moves behind the first bytes of a chunk. */
  move({ partition: number, position, anchor, fingerprint }: Chunk, length: number, lines: number): void {
    const partition = this.list[number]!
    partition.position = position + length
    partition.lines = lines
    if (anchor !== undefined) partition.anchor = anchor
    if (fingerprint !== undefined) partition.fingerprint = fingerprint
  }

  /** Where the next record of the partition with this name begins, null when there is none. */
  positionOf(name: string): number | null {
    return this.list.find(partition => partition.name === name)?.position ?? null
  }
}

/** Where each partition goes on; one that has ended, nowhere. */
export function resumePointsOf(topic: TopicPosition | null | undefined): Map<string, ResumePoint> {
  const points = topic?.partitions.map(({ name, position, lines, ended, anchor = null, fingerprint, fileBytes }) => {
    const point: ResumePoint = {
      position: ended ? Number.POSITIVE_INFINITY : position,
      lines,
      anchor,
      ...(ended ? { endedAt: position } : {}),
      ...(fingerprint === undefined ? {} : { fingerprint }),
      ...(fileBytes === undefined ? {} : { fileBytes }),
    }
    return [name, point] as const
  })
  return new Map(points)
}
