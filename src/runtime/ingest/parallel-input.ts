/**
 * Plain NDJSON files read by several threads, as one input.
 *
 * Pieces come in the order of their ranges. A range that holds a line for the slow way, or one that is too long, comes as
 * plain bytes instead, to be decoded by the one decoder that has zod behind it: bad lines are rare.
 */
import type { Chunk, Damage, PartitionEnd } from '../../connectors/contract.ts'
import type { Piece } from '../../engine/workers/piece.ts'
import type { PieceJob } from '../../engine/workers/piece-maker.ts'
import type { SharedWork } from '../../engine/workers/pool.ts'
import { RangeReader } from '../../engine/workers/ranges.ts'
import { DAMAGED_BYTES_KEPT, lineTooLong } from '../../formats/lines.ts'
import { closeFile, openForReading, readBytes } from '../../system/files.ts'

const LINE_FEED = 10

export interface PieceEvent {
  readonly kind: 'piece'
  readonly partition: number
  readonly piece: Piece
}

export class ParallelInput {
  readonly #job: PieceJob
  readonly #work: SharedWork
  readonly #reader: RangeReader
  readonly #rangesLeft: number[]
  readonly #waiting: (Damage | PartitionEnd)[] = []
  #buffer: Buffer | null = null

  constructor(job: PieceJob, work: SharedWork) {
    this.#job = job
    this.#work = work
    this.#reader = new RangeReader(job.files, job.recordBytesMax)
    this.#rangesLeft = job.files.map((_, partition) => job.ranges.filter(range => range.partition === partition).length)
    this.#rangesLeft.forEach((ranges, partition) => {
      if (ranges === 0) this.#waiting.push({ kind: 'end', partition })
    })
  }

  read(): PieceEvent | Chunk | Damage | PartitionEnd | null {
    const waiting = this.#waiting.shift()
    if (waiting) return waiting
    const piece = this.#work.next()
    if (piece === null) return null
    const { partition } = this.#job.ranges[piece.index]!
    const event = piece.isWhole ? { kind: 'piece' as const, partition, piece } : this.#bytesOf(piece.index)
    this.#rangesLeft[partition]!--
    if (this.#rangesLeft[partition] === 0) this.#waiting.push({ kind: 'end', partition })
    return event
  }

  /** The line of a partition that begins at a position, or its beginning when it is long. */
  lineAt(partition: number, position: number): Buffer {
    const buffer = Buffer.alloc(Math.min(this.#job.recordBytesMax, this.#job.files[partition]!.bytes - position))
    const descriptor = openForReading(this.#job.files[partition]!.path)
    try {
      const read = readBytes(descriptor, buffer, 0, buffer.length, position)
      const end = buffer.subarray(0, read).indexOf(LINE_FEED)
      return buffer.subarray(0, end < 0 ? read : end)
    } finally {
      closeFile(descriptor)
    }
  }

  close(): void {
    this.#work.close()
    this.#reader.close()
  }

  #bytesOf(index: number): Chunk {
    const range = this.#job.ranges[index]!
    this.#buffer ??= Buffer.alloc(this.#job.recordBytesMax + range.end - range.start)
    const { from, to, position, endsInLongLine } = this.#reader.read(range, this.#buffer)
    if (endsInLongLine) this.#waiting.push(this.#longLine(range.partition, position + to))
    const bytes = this.#buffer.subarray(from, to)
    return { kind: 'records', partition: range.partition, bytes, position: position + from, arrival: null }
  }

  #longLine(partition: number, position: number): Damage {
    const { path, bytes: fileBytes } = this.#job.files[partition]!
    const descriptor = openForReading(path)
    try {
      const buffer = Buffer.alloc(1 << 16)
      let at = position
      let head: Buffer | null = null
      for (;;) {
        const read = readBytes(descriptor, buffer, 0, Math.min(buffer.length, fileBytes - at), at)
        head ??= Buffer.from(buffer.subarray(0, Math.min(read, DAMAGED_BYTES_KEPT)))
        const end = buffer.subarray(0, read).indexOf(LINE_FEED)
        at += end < 0 ? read : end + 1
        if (read === 0 || end >= 0) break
      }
      const reason = lineTooLong(at - position, this.#job.recordBytesMax)
      return { kind: 'damaged', partition, position, reason, bytes: head, bytesTotal: at - position, lines: 1 }
    } finally {
      closeFile(descriptor)
    }
  }
}
