/**
 * Plain NDJSON files cut into ranges that threads read by themselves.
 *
 * A range owns the lines that begin in it: its reader skips to the first line that begins at or after its start and reads
 * on past its end to the end of its last line.
 */
import { closeFile, openForReading, readBytes } from '../../system/files.ts'

const LINE_FEED = 10

export interface PlainFile {
  readonly path: string
  readonly bytes: number
  /** Where its first line begins that is still to be read. Default 0. */
  readonly start?: number
}

export interface Range {
  readonly partition: number
  readonly start: number
  readonly end: number
}

/**
 * Ranges of all files, those of each file in their order: that of the file which is furthest behind comes next. `timeOf`: a
 * time in the first records of a range, null when it has none; without, files take turns.
 */
export function rangesOf(
  files: readonly PlainFile[],
  rangeBytes: number,
  timeOf: ((range: Range) => number | null) | null = null,
): Range[] {
  const ofFile = files.map(({ start = 0, bytes }, partition) => {
    const ranges: { readonly range: Range; readonly reached: number }[] = []
    let reached = Number.NEGATIVE_INFINITY
    for (let block = Math.floor(start / rangeBytes); block * rangeBytes < bytes; block++) {
      const from = Math.max(block * rangeBytes, start)
      const range = { partition, start: from, end: Math.min((block + 1) * rangeBytes, bytes) }
      reached = timeOf === null ? block : Math.max(reached, timeOf(range) ?? reached)
      if (from < range.end) ranges.push({ range, reached })
    }
    return ranges
  })
  // A stable sort: of equal times the file that is named first.
  return ofFile
    .flat()
    .sort((a, b) => (a.reached === b.reached ? 0 : a.reached - b.reached))
    .map(({ range }) => range)
}

/** The lines of a range, lying in the buffer from `from` to `to`. */
export interface RangeLines {
  readonly from: number
  readonly to: number
  /** Position in the file of the buffer's first byte. */
  readonly position: number
  /** The last line of the range is longer than a record may be: it begins at `to`. */
  readonly endsInLongLine: boolean
}

export class RangeReader {
  readonly #files: readonly PlainFile[]
  readonly #recordBytesMax: number
  readonly #descriptors: number[] = []

  constructor(files: readonly PlainFile[], recordBytesMax: number) {
    this.#files = files
    this.#recordBytesMax = recordBytesMax
  }

  /** Reads the lines that begin in the range into a buffer that holds the range and the longest record. */
  read({ partition, start, end }: Range, buffer: Buffer): RangeLines {
    const descriptor = this.#descriptor(partition)
    const { bytes } = this.#files[partition]!
    // One byte before the range tells whether a line begins at its start.
    const position = start === 0 ? 0 : start - 1
    const inRange = end - position
    const room = Math.min(bytes - position, buffer.length)
    let known = readBytes(descriptor, buffer, 0, Math.min(inRange + LINE_BYTES_USUAL, room), position)
    let from = 0
    if (start > 0) from = buffer.subarray(0, Math.min(known, inRange)).indexOf(LINE_FEED) + 1
    const none = { from: 0, to: 0, position, endsInLongLine: false }
    if ((start > 0 && from === 0) || from >= inRange) return none
    if (start === 0 && buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf) from = 3
    const lastLine = Math.max(from, buffer.lastIndexOf(LINE_FEED, Math.min(known, inRange) - 2) + 1)
    for (let searched = Math.min(known, inRange) - 1; ; ) {
      const lineFeed = buffer.subarray(0, known).indexOf(LINE_FEED, searched)
      const length = (lineFeed < 0 ? known : lineFeed) - lastLine
      const mayGoOn = lineFeed >= 0 || position + known < bytes
      if (length > this.#recordBytesMax || (length === this.#recordBytesMax && mayGoOn))
        return { from, to: lastLine, position, endsInLongLine: true }
      if (lineFeed >= 0) return { from, to: lineFeed + 1, position, endsInLongLine: false }
      searched = known
      known += readBytes(descriptor, buffer, known, room - known, position + known)
      // The file ends without a line feed.
      if (known === searched) return { from, to: known, position, endsInLongLine: false }
    }
  }

  /** The first whole lines of a range, at most `bytes` of them. */
  head({ partition, start, end }: Range, bytes: number): Buffer {
    const position = start === 0 ? 0 : start - 1
    const buffer = Buffer.alloc(Math.min(bytes, this.#files[partition]!.bytes - position))
    const read = readBytes(this.#descriptor(partition), buffer, 0, buffer.length, position)
    const from = start === 0 ? 0 : buffer.subarray(0, Math.min(read, end - position)).indexOf(LINE_FEED) + 1
    if (start > 0 && from === 0) return buffer.subarray(0, 0)
    return buffer.subarray(
      from,
      position + read < this.#files[partition]!.bytes ? buffer.lastIndexOf(LINE_FEED) + 1 : read,
    )
  }

  close(): void {
    for (const descriptor of this.#descriptors) if (descriptor !== undefined) closeFile(descriptor)
    this.#descriptors.length = 0
  }

  #descriptor(partition: number): number {
    this.#descriptors[partition] ??= openForReading(this.#files[partition]!.path)
    return this.#descriptors[partition]
  }
}

/** Read past the end of a range at once, so that its last line is whole without a second call. */
const LINE_BYTES_USUAL = 4096
