/** How far the last run came: what its last epoch counts is verified, and no more. */
import { lastEpochHeader } from '../log/last-epoch.ts'
import type { EpochHeader } from '../runtime/checkpoint/header.ts'
import type { Snapshot } from '../runtime/options.ts'

/** What of a partition of a topic the epoch counts. */
export interface PartitionProgress {
  /** The number by which the run knew it. */
  readonly number: number
  /** Where the next record begins: bytes, or an offset in the log; null: all that there is counts. */
  readonly end: number | null
  /** Lines below `end`, where they were counted. */
  readonly lines: number | null
  /** Nothing more comes. */
  readonly ended: boolean
}

export interface Progress {
  /** The input was read to its end, and every window closed. */
  readonly ended: boolean
  /** The partition of a topic with this name, or else with this number; null: the epoch has none. */
  partition(topic: string, name: string, number: number): PartitionProgress | null
  /** Names of the partitions of a topic that brought something. */
  names(topic: string): readonly string[]
  /** Whether a partition that has not ended has brought nothing yet. */
  waits(topic: string): boolean
  /** Rows of a topic that the pipeline writes; null: all that are stored. */
  rowsOf(topic: string): number | null
  /** Rows of the stream of a sink; null: nobody knows. */
  delivered(sink: string): number | null
}

/** A directory without a journal, or one whose inputs ended: all counts. */
const all = (ended: boolean): Progress => ({
  ended,
  partition: (_topic, _name, number) => ({ number, end: null, lines: null, ended: false }),
  names: () => [],
  waits: () => false,
  rowsOf: () => null,
  delivered: () => null,
})

/** `untilEnd`: what the run says of itself, for a directory without a journal. */
export function progressOf(dataDirectory: string, untilEnd: boolean): Progress {
  const header = lastEpochHeader(dataDirectory) as EpochHeader | null
  if (header === null) return all(untilEnd)
  const partitionsOf = (topic: string) => header.topics[topic]?.partitions ?? []
  return {
    ended: header.ended,
    partition(topic, name, among) {
      const number = numberOf(partitionsOf(topic), name, among)
      const found = partitionsOf(topic)[number]
      if (found === undefined) return null
      const { position, lines, ended } = found
      return { number, end: header.ended || ended ? null : position, lines, ended }
    },
    names: topic =>
      partitionsOf(topic)
        .filter(({ position }) => position > 0)
        .map(({ name }) => name),
    waits: topic => partitionsOf(topic).some(({ position, ended }) => !ended && position === 0),
    // Behind the end of the input nothing is under way: what is there beyond the last epoch is wrong.
    rowsOf: topic => (header.ended ? null : (header.lengths[topic] ?? null)),
    delivered: sink => header.outputs[sink]?.rows ?? null,
  }
}

/** Beside a run at work: the moment of its snapshot. */
export function progressAt(positions: Snapshot['positions']): Progress {
  return {
    ...all(false),
    partition: (topic, _name, number) => {
      const end = positions === null ? null : (positions[topic]?.[number] ?? 0)
      return { number, end, lines: null, ended: false }
    },
    waits: topic => positions?.[topic]?.some(position => position === 0) ?? false,
    rowsOf: topic => positions?.[topic]?.[0] ?? null,
  }
}

/** A run knows files by the paths that it was given, which may be relative to where it began. */
function numberOf(partitions: readonly { readonly name: string }[], name: string, among: number): number {
  const same = partitions.findIndex(partition => partition.name === name)
  if (same >= 0) return same
  const ending = partitions.findIndex(partition => name.endsWith(`/${partition.name.replace(/^\.\//, '')}`))
  return ending >= 0 ? ending : among
}
